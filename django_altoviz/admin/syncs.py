"""The syncs: what each found, and how far it came."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.base import ReadOnlyAdmin
from django_altoviz.admin.filters import AccountFilter
from django_altoviz.models import SyncRun
from django_altoviz.models.sync_runs import COUNTS


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    list_display = ["started_at", "entity", *COUNTS, "finished_at", "is_dry_run", "account"]
    list_filter = ["entity", "is_dry_run", AccountFilter, "started_at"]
    ordering = ["-id"]
    sortable_by = ()  # sorting by another column would sort the whole table
    fieldsets = [
        (None, {"fields": ["entity", "account", "is_import", "is_dry_run"]}),
        (_("Findings"), {"fields": [*COUNTS]}),
        (_("Progress"), {"fields": ["started_at", "active_at", "finished_at", "error"]}),
        (
            _("Bookkeeping"),
            {"classes": ["collapse"], "fields": ["id", "as_of", "position", "claims"]},
        ),
    ]
