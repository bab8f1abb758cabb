"""The pages of events: what came in, what became of it, and the actions to process it again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.actions import ReplayAdmin
from django_altoviz.admin.base import parse_id
from django_altoviz.admin.content import content, may_view_content
from django_altoviz.admin.display.json_tree import folding_body
from django_altoviz.admin.display.rendering import EMPTY, badge
from django_altoviz.admin.display.values import (
    arrival_facts,
    business_signal_labels,
    format_time,
    translate_note,
)
from django_altoviz.admin.filters import AccountFilter, CauseFilter, DayFilter, EventTypeFilter
from django_altoviz.admin.history import (
    WENT_WRONG,
    changes_of,
    event_label,
    mirror_model,
    status_label,
)
from django_altoviz.admin.objects import (
    EventList,
    MirroredObjects,
    ids_by_number,
    named,
    objects_of,
)
from django_altoviz.admin.problems import UNFINISHED, problem_of
from django_altoviz.intake.envelopes import text_to_body
from django_altoviz.masking import SecretMask
from django_altoviz.models import Status, WebhookEvent, WebhookEventQuerySet
from django_altoviz.models.mirrors.relations import key_of
from django_altoviz.processing import may_be_replayed
from django_altoviz.processing.history import FIRST_ATTEMPTS, LAST_ATTEMPTS

_BODY_TEMPLATE = "admin/django_altoviz/webhookevent/body.html"


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReplayAdmin):
    list_display = [
        "state",
        "label",
        "linked_object",
        "reason",
        "received",
        "source",
        "attempts",
        "account",
    ]
    list_filter = ["status", CauseFilter, EventTypeFilter, DayFilter, "source", AccountFilter]
    search_fields = ["event_id__exact", "object_id__exact"]
    search_help_text = _(
        "Search by the full id of an event, or by the Altoviz id or the full number of an object."
    )
    ordering = ["-received_at", "-id"]
    sortable_by = ()  # sorting by another column would sort the whole table
    show_facets = admin.ShowFacets.NEVER
    deferred = ["body", "changes", "history", "arrival", "error"]
    hidden_lookups = ["business_signals"]
    #: The objects of the list's events, as far as the reader may view them.
    objects: MirroredObjects = {}
    fieldsets = [
        (
            None,
            {"fields": ["state", "label", "linked_object", "all_events"]},
        ),
        (
            _("Processing"),
            {
                "fields": [
                    "attempts",
                    "failures",
                    "next_attempt_at",
                    "error_details",
                    "past_attempts",
                    "receivers",
                ]
            },
        ),
        (_("Effect"), {"fields": ["mirrored_at", "changed_columns", "signals_sent"]}),
        (
            _("Arrival"),
            {
                "fields": [
                    "source",
                    "event_id",
                    "other_bodies",
                    "received",
                    "deliveries",
                    "last_received_at",
                    "arrival_details",
                ]
            },
        ),
        (_("Body"), {"fields": ["payload"]}),
        (
            _("Bookkeeping"),
            {
                "classes": ["collapse"],
                "fields": [
                    "id",
                    "account",
                    "type",
                    "dedupe_key",
                    "body_digest",
                    "entity",
                    "object_id",
                    "as_of",
                    "lease_expires_at",
                    "settled_at",
                    "pruned_at",
                ],
            },
        ),
    ]

    class Media:
        js = ["django_altoviz/copy.js"]

    def get_queryset(self, request: HttpRequest) -> WebhookEventQuerySet[WebhookEvent]:
        return WebhookEvent.with_pruned.all()

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(event_id=term)
        if (number := parse_id(term)) is not None:
            found |= Q(object_id=number)
        for entity, ids in ids_by_number(term, self.bound_to(request)).items():
            found |= Q(entity=entity, object_id__in=ids)
        return queryset.filter(found), False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.body_view)
        name = "django_altoviz_webhookevent_body"
        return [path("<path:object_id>/body/", view, name=name), *super().get_urls()]

    def body_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the body byte for byte, except for masked secrets."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        event = self.get_object(request, unquote(object_id))
        if event is None or event.pruned_at is not None:
            raise Http404
        if not may_view_content(self.bound_to(request), event):
            raise PermissionDenied
        return HttpResponse(
            text_to_body(SecretMask()(event.body)),
            content_type="text/plain; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="event-{event.pk}.txt"',
                "X-Content-Type-Options": "nosniff",
            },
        )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return EventList

    @admin.display(description=_("status"))
    def state(self, event: WebhookEvent) -> str:
        is_wrong, is_good = event.status in WENT_WRONG, event.status == Status.PROCESSED
        return badge(status_label(event), is_wrong=is_wrong, is_good=is_good)

    @admin.display(description=_("cause"))
    def reason(self, event: WebhookEvent) -> str:
        return translate_note(event.cause) if event.status in WENT_WRONG and event.cause else EMPTY

    @admin.display(description=_("type"))
    def label(self, event: WebhookEvent) -> str:
        return event_label(event) or EMPTY

    @admin.display(description=_("received at"))
    def received(self, event: WebhookEvent) -> str:
        return format_time(event.received_at)

    @admin.display(description=_("object"))
    def linked_object(self, event: WebhookEvent) -> str:
        if event.object_id is None:
            return EMPTY
        if (model := mirror_model(event)) is None:
            return str(event.object_id)
        key = key_of(event.account, event.object_id)
        row = self.objects.get(key, {}).get(model)
        label = f"{model._meta.verbose_name} {event.object_id}" if row is None else named(row)
        return self.link_to_object(model, key, self.renderer.cell(label))

    @admin.display(description=_("all events"))
    def all_events(self, event: WebhookEvent) -> str:
        if event.object_id is None:
            return EMPTY
        return self.link_to_events(event.entity, event.object_id, event.account)

    @admin.display(description=_("other bodies under this id"))
    def other_bodies(self, event: WebhookEvent) -> str:
        first = event.conflicts_with or event.pk
        same_id = WebhookEvent.with_pruned.filter(account=event.account, event_id=event.event_id)
        others = same_id.filter(Q(pk=first) | Q(conflicts_with=first)).exclude(pk=event.pk)
        links = [
            (self.link(WebhookEvent, "change", f"#{pk}", pk),)
            for pk in others.order_by("pk").values_list("pk", flat=True)
        ]
        return format_html_join(", ", "{}", links) or EMPTY

    @admin.display(description=_("error"))
    @content
    def error_details(self, event: WebhookEvent) -> str:
        return self.renderer.preformatted(translate_note(event.error))

    @admin.display(description=_("history"))
    @content
    def past_attempts(self, event: WebhookEvent) -> str:
        labels: dict[str, Any] = dict(Status.choices)  # a newer version may know others
        rows: list[tuple[Any, ...]] = [
            (
                parse_datetime(attempt["at"]),
                labels.get(attempt["status"], attempt["status"]),
                translate_note(attempt["error"]),
            )
            for attempt in event.history
        ]
        if event.attempts > len(rows) >= FIRST_ATTEMPTS + LAST_ATTEMPTS:
            rows.insert(FIRST_ATTEMPTS, ("…", "…", _("The attempts in between are not kept.")))
        return self.renderer.table([_("at"), _("status"), _("error")], rows)

    @admin.display(description=_("receivers that have finished"))
    @content
    def receivers(self, event: WebhookEvent) -> str:
        runs = event.receiver_runs.order_by("pk")
        rows = [
            (run.receiver, run.finished_at, round(run.seconds, 3), run.gave_up or EMPTY)
            for run in runs
        ]
        return self.renderer.table(
            [_("receiver"), _("finished at"), _("seconds"), _("gave up")], rows
        )

    @admin.display(description=_("business signals"))
    @content
    def signals_sent(self, event: WebhookEvent) -> str:
        return ", ".join(business_signal_labels(event.business_signals)) or EMPTY

    @admin.display(description=_("changes"))
    @content
    def changed_columns(self, event: WebhookEvent) -> str:
        rows = [(each.label, each.old, each.new) for each in changes_of(event, self.renderer)]
        return self.renderer.table([_("column"), _("old"), _("new")], rows)

    @admin.display(description=_("arrival"))
    def arrival_details(self, event: WebhookEvent) -> str:
        return self.renderer.table([_("name"), _("value")], arrival_facts(event.arrival))

    @admin.display(description=_("body"))
    @content
    def payload(self, event: WebhookEvent) -> str:
        if event.pruned_at is not None:
            return gettext("Pruned.")
        name = "admin:django_altoviz_webhookevent_body"
        url = reverse(name, args=[event.pk], current_app=self.admin_site.name)
        body = folding_body(event.body, self.renderer)
        return render_to_string(_BODY_TEMPLATE, {"url": url, "body": body})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        event = context["original"]
        self.objects = objects_of([event], self)
        if event.status in UNFINISHED and event.pruned_at is None:
            context["problem"] = problem_of(event, self)
        if may_be_replayed(event):
            context["can_process_again"] = self.has_process_permission(request)
            context["can_process_from_scratch"] = self.has_replay_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)
