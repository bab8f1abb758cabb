"""Process events again, from their list and from their page: what is asked first, and what is said."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.base import ReadOnlyAdmin, redirect_within
from django_altoviz.admin.display.values import labelled
from django_altoviz.admin.history import event_label, status_label
from django_altoviz.conf import app_settings
from django_altoviz.dispatchers import dispatch_or_log, inline
from django_altoviz.models import ReceiverRun, WebhookEvent, WebhookEventQuerySet
from django_altoviz.processing import Replay, process_again, replay, requeue
from django_altoviz.transactions import own_transactions

#: The field that the confirmation form adds when the answer is yes.
CONFIRMED = "confirmed"
FROM_SCRATCH = "from_scratch"
#: The field with the page to return to.
NEXT = "next"
#: The most events that are processed in a request if a queue is configured; more are left to it.
MAX_IN_REQUEST = 100
#: The most events of one action: Django takes a form of 1,000 fields at most.
MAX_SELECTED = 500
#: The seconds after which a request begins with no further event. A server may end it after 30.
PATIENCE = 20.0
#: The events that a confirmation lists.
_MAX_LISTED = 50
_TEMPLATE = "admin/django_altoviz/webhookevent/confirmation.html"


class ReplayAdmin(ReadOnlyAdmin):
    """Base of the page of events, with the actions and the buttons that process them again."""

    actions = ["process_again", "process_from_scratch"]

    def has_process_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("django_altoviz.process_webhookevent")

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("django_altoviz.replay_webhookevent")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.process_view)
        name = "django_altoviz_webhookevent_process"
        return [path("<path:object_id>/process/", view, name=name), *super().get_urls()]

    # With ATOMIC_REQUESTS, other workers would not see a claim made here until the request ends.
    @own_transactions
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, extra_context)

    @admin.action(permissions=["process"], description=_("Process again"))
    def process_again(
        self, request: HttpRequest, queryset: WebhookEventQuerySet[WebhookEvent]
    ) -> HttpResponse | None:
        is_whole_list = request.POST.get("select_across") == "1"
        return self._act_on_selection(request, queryset, "process_again", is_asked=is_whole_list)

    @admin.action(
        permissions=["replay"], description=_("Process from scratch: call all receivers again")
    )
    def process_from_scratch(
        self, request: HttpRequest, queryset: WebhookEventQuerySet[WebhookEvent]
    ) -> HttpResponse | None:
        return self._act_on_selection(request, queryset, "process_from_scratch", is_asked=True)

    def _act_on_selection(
        self,
        request: HttpRequest,
        chosen: WebhookEventQuerySet[WebhookEvent],
        action: str,
        *,
        is_asked: bool,
    ) -> HttpResponse | None:
        number = chosen.order_by()[: MAX_SELECTED + 1].count()
        if number > MAX_SELECTED:
            text = gettext(
                "These are more than %(count)d events. Filter the list further, or run "
                "altoviz_process_events."
            )
            self.message_user(request, text % {"count": MAX_SELECTED}, messages.ERROR)
            return None
        is_whole_list = number and request.POST.get("select_across") == "1"
        selected = {*request.POST.getlist(ACTION_CHECKBOX_NAME)}
        if not is_whole_list and (gone := len(selected) - number) > 0:
            self.message_user(request, _gone_text(gone), messages.WARNING)
        if not number:
            return None
        from_scratch = action == "process_from_scratch"
        if is_asked and CONFIRMED not in request.POST:
            return self._confirmation(
                request,
                chosen,
                {"action": action, "index": "0", "select_across": "0"},
                from_scratch=from_scratch,
            )
        self._replay(request, chosen, from_scratch=from_scratch)
        return None

    # See changelist_view.
    @own_transactions
    def process_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Process one event again, and return to the page that the button was on."""
        from_scratch = FROM_SCRATCH in request.POST
        is_allowed = self.has_replay_permission if from_scratch else self.has_process_permission
        if not (self.has_view_permission(request) and is_allowed(request)):
            raise PermissionDenied
        event = self.get_object(request, unquote(object_id))
        if event is None:
            raise Http404
        if request.method != "POST":  # a reload after a login, for example
            return redirect_within(self, "change", event.pk)
        chosen = WebhookEvent.with_pruned.filter(pk=event.pk)
        to = _page_to_return_to(request)
        if from_scratch and CONFIRMED not in request.POST:
            fields = {FROM_SCRATCH: "1", NEXT: to}
            return self._confirmation(request, chosen, fields, from_scratch=True)
        self._replay(request, chosen, from_scratch=from_scratch)
        return redirect(to) if to else redirect_within(self, "change", event.pk)

    def _replay(
        self,
        request: HttpRequest,
        chosen: WebhookEventQuerySet[WebhookEvent],
        *,
        from_scratch: bool,
    ) -> None:
        name = gettext("Process from scratch") if from_scratch else gettext("Process again")
        outcomes: Counter[Replay] = Counter()
        keys = [*chosen.order_by("pk").values_list("pk", flat=True)]
        for event, outcome in replay_in_time(keys, from_scratch=from_scratch):
            outcomes[outcome] += 1
            self.log_change(request, event, labelled(name, outcome.label))
        for level, text in messages_about(outcomes, missed=len(keys) - outcomes.total()):
            self.message_user(request, text, level)

    def _confirmation(
        self,
        request: HttpRequest,
        chosen: WebhookEventQuerySet[WebhookEvent],
        fields: Mapping[str, str],
        *,
        from_scratch: bool,
    ) -> TemplateResponse:
        """Return the page to confirm the action. Its form has the events that it shows, and no more.

        ``fields`` are what else the form submits.
        """
        events = list(chosen.order_by("pk"))
        listed = events[:_MAX_LISTED]
        rest = len(events) - len(listed)
        more = ngettext("… and %(count)d more event.", "… and %(count)d more events.", rest)
        succeeded = ReceiverRun.objects.filter(event__in=[e.pk for e in events], gave_up="")
        receivers = succeeded.values_list("receiver").annotate(Count("pk")).order_by("receiver")
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": gettext("Process from scratch") if from_scratch else gettext("Process again"),
            "opts": self.opts,
            "media": self.media,
            "count": len(events),
            "events": [(event, event_label(event), status_label(event)) for event in listed],
            "more": more % {"count": rest} if rest else "",
            "receivers": [labelled(*each) for each in receivers] if from_scratch else [],
            "from_scratch": from_scratch,
            "fields": [
                *fields.items(),
                (CONFIRMED, "yes"),
                *((ACTION_CHECKBOX_NAME, event.pk) for event in events),
            ],
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, _TEMPLATE, context)


def _page_to_return_to(request: HttpRequest) -> str:
    """Return the page that the form names, if it is one of this site, or else nothing."""
    to = request.POST.get(NEXT, "")
    is_own = url_has_allowed_host_and_scheme(to, None, request.is_secure())
    return to if is_own and to.startswith("/") else ""


def replay_in_time(keys: list[int], *, from_scratch: bool) -> Iterator[tuple[WebhookEvent, Replay]]:
    """Process the events again within the request's patience, and yield the outcomes.

    Many events are left to the workers, if the project has a queue. The keys are fixed beforehand:
    processing an event may change which events match the list's filter.
    """
    dispatcher = app_settings.DISPATCHER
    has_workers = dispatcher != inline.__name__
    act = requeue if has_workers and len(keys) > MAX_IN_REQUEST else process_again
    deadline = time.monotonic() + PATIENCE
    # A new queryset, because that of the list defers the large columns.
    events = WebhookEvent.with_pruned.all()
    for event, outcome in replay(events, keys=keys, from_scratch=from_scratch, act=act):
        if outcome == Replay.QUEUED:
            dispatch_or_log(event)
        yield event, outcome
        if time.monotonic() >= deadline:
            return


def messages_about(outcomes: Counter[Replay], missed: int = 0) -> list[tuple[int, str]]:
    """Return the level and the text of a message for each outcome that occurred.

    ``missed`` is the number of events for which there was no time.
    """
    found = [
        (_level(outcome), _text(outcome, outcomes[outcome]))
        for outcome in Replay
        if outcomes[outcome]
    ]
    if missed:
        text = ngettext(
            "%(count)d event was not processed, because the time was over or it is gone.",
            "%(count)d events were not processed, because the time was over or they are gone.",
            missed,
        )
        found.append((messages.WARNING, text % {"count": missed}))
    return found


def _gone_text(count: int) -> str:
    text = ngettext(
        "%(count)d selected event is not in this list any more. Nothing was done with it.",
        "%(count)d selected events are not in this list any more. Nothing was done with them.",
        count,
    )
    return text % {"count": count}


def _level(outcome: Replay) -> int:
    if outcome.is_refusal or outcome is Replay.IGNORED:
        return messages.WARNING
    return messages.ERROR if outcome is Replay.FAILED else messages.SUCCESS


def _text(outcome: Replay, count: int) -> str:
    if outcome is Replay.PROCESSED:
        text = ngettext("%(count)d event was processed.", "%(count)d events were processed.", count)
    elif outcome is Replay.IGNORED:
        text = ngettext(
            "%(count)d event was ignored: its page says why.",
            "%(count)d events were ignored: their pages say why.",
            count,
        )
    elif outcome is Replay.QUEUED:
        text = ngettext(
            "%(count)d event waits for a worker now.",
            "%(count)d events wait for a worker now.",
            count,
        )
    elif outcome is Replay.FAILED:
        text = ngettext(
            "%(count)d event failed: its page says why, and whether it is tried again.",
            "%(count)d events failed: their pages say why, and whether they are tried again.",
            count,
        )
    else:
        text = ngettext(
            "%(count)d event was not processed: %(reason)s.",
            "%(count)d events were not processed: %(reason)s.",
            count,
        )
    return text % {"count": count, "reason": outcome.label}
