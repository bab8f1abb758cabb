"""The actions that process events again: what is asked first, and what is said afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Count
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext

from django_altoviz.admin.base import ReadOnlyAdmin
from django_altoviz.models import ReceiverRun, WebhookEvent, WebhookEventQuerySet
from django_altoviz.processing import Replay, replay

#: The field that the confirmation form adds when the answer is yes.
CONFIRMED = "confirmed"
_TEMPLATE = "admin/django_altoviz/webhookevent/from_scratch_confirmation.html"


def confirmation_page(
    page: ReadOnlyAdmin, request: HttpRequest, events: WebhookEventQuerySet
) -> TemplateResponse:
    """Return the page to confirm that all receivers are called again, also those that succeeded.

    Its form submits the same selection of events again, with ``CONFIRMED``.
    """
    succeeded = ReceiverRun.objects.filter(event__in=events.order_by(), gave_up="")
    context: dict[str, Any] = {
        **page.admin_site.each_context(request),
        "title": gettext("Process from scratch"),
        "opts": page.opts,
        "media": page.media,
        "count": events.count(),
        "receivers": succeeded.values_list("receiver").annotate(Count("pk")).order_by("receiver"),
        "checkbox": ACTION_CHECKBOX_NAME,
        "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "confirmed": CONFIRMED,
    }
    request.current_app = page.admin_site.name
    return TemplateResponse(request, _TEMPLATE, context)


def replay_selected(
    selection: WebhookEventQuerySet, *, from_scratch: bool
) -> Iterator[tuple[WebhookEvent, Replay]]:
    """Process the selected events again, and yield the outcomes.

    The selection is fixed at the start. Processing an event may change which events match the list's
    filter, and new events may arrive that match it too.
    """
    keys = selection.order_by("pk").values_list("pk", flat=True)
    # A new queryset, because that of the list defers the large columns.
    return replay(WebhookEvent.with_pruned.all(), keys=keys, from_scratch=from_scratch)


def messages_about(outcomes: Counter[Replay]) -> list[tuple[int, str]]:
    """Return the level and the text of a message for each outcome that occurred."""
    return [
        (_level(outcome), _text(outcome, outcomes[outcome]))
        for outcome in Replay
        if outcomes[outcome]
    ]


def _level(outcome: Replay) -> int:
    if outcome.is_refusal:
        return messages.WARNING
    return messages.SUCCESS if outcome is Replay.PROCESSED else messages.ERROR


def _text(outcome: Replay, count: int) -> str:
    if outcome is Replay.PROCESSED:
        text = ngettext("%(count)d event was processed.", "%(count)d events were processed.", count)
    elif outcome is Replay.FAILED:
        text = ngettext("%(count)d event failed again.", "%(count)d events failed again.", count)
    else:
        text = ngettext(
            "%(count)d event was not processed: %(reason)s.",
            "%(count)d events were not processed: %(reason)s.",
            count,
        )
    return text % {"count": count, "reason": outcome.label}
