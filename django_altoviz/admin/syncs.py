"""The syncs: what each found, what became of it, and the events that it caused."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.base import ReadOnlyAdmin
from django_altoviz.admin.display.rendering import EMPTY, badge
from django_altoviz.admin.filters import AccountFilter, Choices
from django_altoviz.models import Source, SyncRun, WebhookEvent
from django_altoviz.models.sync_runs import COUNTS, SyncState, in_state

_UNFINISHED_STATES = (SyncState.STOPPED, SyncState.FAILED)


class SyncStateFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return SyncState.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        states = [state for state in SyncState if state == self.value()]
        return queryset.filter(in_state(states[0])) if states else queryset.none()


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    list_display = ["started_at", "state", "entity", "cause", *COUNTS, "is_dry_run", "account"]
    list_filter = [SyncStateFilter, "entity", "is_dry_run", AccountFilter, "started_at"]
    ordering = ["-id"]
    sortable_by = ()  # sorting by another column would sort the whole table
    fieldsets = [
        (None, {"fields": ["state", "cause", "entity", "account", "is_import", "is_dry_run"]}),
        (_("Findings"), {"fields": [*COUNTS, "events"]}),
        (_("Progress"), {"fields": ["started_at", "active_at", "finished_at"]}),
        (
            _("Bookkeeping"),
            {"classes": ["collapse"], "fields": ["id", "as_of", "position", "claims"]},
        ),
    ]

    @admin.display(description=_("status"))
    def state(self, run: SyncRun) -> str:
        return badge(run.state.label, is_wrong=run.state in _UNFINISHED_STATES)

    @admin.display(description=_("error"))
    def cause(self, run: SyncRun) -> str:
        return self.renderer.paragraphs(run.error) if run.error else EMPTY

    @admin.display(description=_("events"))
    def events(self, run: SyncRun) -> str:
        """Link to the events that the sync caused, and those of a sync that ran at the same time."""
        if run.is_dry_run or not self.may_view(WebhookEvent):
            return EMPTY
        period = {"received_at__gte": run.started_at, "received_at__lte": run.active_at}
        return self.link(
            WebhookEvent,
            "changelist",
            _("Events of this sync"),
            source__exact=Source.SYNC.value,
            entity__exact=run.entity,
            account=run.account,
            **{name: moment.isoformat() for name, moment in period.items()},
        )
