"""The page of rejected deliveries: how many, on which day, and with which answer."""

from __future__ import annotations

from django.contrib import admin

from django_altoviz.admin.base import ReadOnlyAdmin
from django_altoviz.admin.filters import AccountFilter
from django_altoviz.models import Rejection


@admin.register(Rejection)
class RejectionAdmin(ReadOnlyAdmin):
    list_display = ["day", "answer", "status_code", "deliveries", "last_at", "account"]
    list_filter = ["answer", AccountFilter, "day"]
    ordering = ["-day", "-deliveries"]
    sortable_by = ()
