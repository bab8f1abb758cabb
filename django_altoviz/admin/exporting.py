"""The rows of a filtered list as a CSV file for spreadsheets."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone, translation
from django.utils.formats import get_format
from django.utils.http import content_disposition_header
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext as _

from django_altoviz.admin.base import ReadOnlyAdmin, redirect_within
from django_altoviz.admin.display.rendering import Renderer
from django_altoviz.admin.display.states import states_of
from django_altoviz.admin.display.values import format_value
from django_altoviz.days import local_today
from django_altoviz.models import Mirror

#: The rows that are read, and written, at once.
PAGE = 1000
# The columns by which people know a row.
_FIRST = {"number", "date", "customer_name", "name"}
# Bookkeeping of this app, and the addresses that open a document for everybody.
_LEFT_OUT = {
    *("id", "data", "key", "last_event_id", "fingerprint", "search_text", "business_signals"),
    *("pdf_url", "public_link", "awaited_due_date", "overdue_dates"),
}
#: A spreadsheet takes a text that begins so for a formula, also behind spaces.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_CONTROL = ("\t", "\r", "\n")
# Excel takes a file without this mark for one in an old encoding.
_BYTE_ORDER = "\N{ZERO WIDTH NO-BREAK SPACE}"
_MAX_QUERY = 500


class ExportAdmin(ReadOnlyAdmin):
    """Base of the lists that can be exported."""

    def has_export_permission(self, request: HttpRequest) -> bool:
        opts = self.opts
        may_export = request.user.has_perm(f"{opts.app_label}.export_{opts.model_name}")
        return may_export and self.has_view_permission(request)

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name=name), *super().get_urls()]

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Stream the rows of the list that the query string filters."""
        if request.method != "POST" or not self.has_export_permission(request):
            raise PermissionDenied
        query = request.GET.copy()
        for of_the_page in ("p", "all", "o"):
            query.pop(of_the_page, None)
        request.GET = query  # type: ignore[assignment]
        try:
            rows = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return redirect_within(self, "changelist")
        export = _Export(rows, self._note_export(request, ", ".join(query)))
        response = StreamingHttpResponse(export.chunks(), content_type="text/csv; charset=utf-8")
        name = f"{self.opts.model_name}s-{local_today().isoformat()}.csv"
        response["Content-Disposition"] = content_disposition_header(True, name)
        response["Cache-Control"] = "private, no-store"
        return response

    def _note_export(self, request: HttpRequest, filters: str) -> LogEntry:
        """Note in the log that an export begins. The number of its rows follows at its end."""
        # Without the values, which may name somebody.
        text = f"CSV export, not finished. Filtered by: {filters[:_MAX_QUERY] or 'nothing'}"
        plural = str(self.opts.verbose_name_plural)
        return self.note(request, text, object_id=None, object_repr=plural)


class _Export:
    """The chunks of a CSV file, in the language and time zone of the request that made it."""

    def __init__(self, rows: models.QuerySet[Any], entry: LogEntry) -> None:
        self._rows = rows.select_related(None).order_by("pk")
        self._entry = entry
        self._renderer = Renderer()
        self._language, self._zone = translation.get_language(), timezone.get_current_timezone()
        # Where the decimal sign is a comma, spreadsheets expect semicolons between the columns.
        self._point = str(get_format("DECIMAL_SEPARATOR"))
        self._delimiter = ";" if self._point == "," else ","
        fields = rows.model._meta.concrete_fields
        self._fields = [
            field for field in fields if field.name not in _LEFT_OUT and not field.is_relation
        ]
        # Stable: the others stay in the order of the columns.
        self._fields.sort(key=lambda field: field.name not in _FIRST)

    def chunks(self) -> Iterator[bytes]:
        """Yield the file, reading a page of rows at a time. Note the number of rows at the end."""
        with translation.override(self._language):
            head = [_("state"), *(field.verbose_name for field in self._fields)]
            names = [self._text(str(name)) for name in head]
        yield (_BYTE_ORDER + self._csv([names])).encode()
        last, number = 0, 0
        while page := list(self._rows.filter(pk__gt=last)[:PAGE]):
            yield self._render(page)
            last, number = page[-1].pk, number + len(page)
        message = self._entry.change_message.replace("not finished", f"{number} rows", 1)
        LogEntry.objects.filter(pk=self._entry.pk).update(change_message=message)

    def _render(self, page: list[Mirror]) -> bytes:
        # The request is over, and with it what the middleware had activated.
        with translation.override(self._language), timezone.override(self._zone):
            return self._csv(map(self._cells, page)).encode("utf-8", "backslashreplace")

    def _csv(self, rows: Any) -> str:
        text = io.StringIO()
        # All quoted: what stands between two semicolons is no cell, whatever a program splits at.
        csv.writer(text, delimiter=self._delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
        return text.getvalue()

    def _cells(self, row: Mirror) -> list[str]:
        states = ", ".join(str(state.label) for state in states_of(row))
        values = (self._cell(field, getattr(row, field.attname)) for field in self._fields)
        return [self._text(states), *values]

    def _cell(self, field: Any, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, Decimal):
            return f"{value:f}".replace(".", self._point)
        if isinstance(value, datetime.datetime):
            local = localtime(value) if is_aware(value) else value
            return local.replace(tzinfo=None).isoformat(" ", "seconds")
        if isinstance(value, datetime.date):
            return value.isoformat()
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return self._text(format_value(field, value) if value != "" else "")

    def _text(self, text: str) -> str:
        """Return a text without our secrets, which no spreadsheet takes for a formula."""
        text = self._renderer.mask(text)
        is_formula = text.lstrip().startswith(_FORMULA) or text.startswith(_CONTROL)
        return f"'{text}" if is_formula else text
