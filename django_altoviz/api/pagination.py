"""Pages by cursor: stable while rows come in, and as fast at the end of a table as at its beginning."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from django_altoviz.api.following import FLOOR, NEXT_AFTER, first_unfinished

# Whole objects and bodies may have megabytes each, and documents thousands of lines.
_MOST_ROWS = {"content": 50, "data": 50, "lines": 100}


class StablePagination(CursorPagination):
    """Pages of 100 rows, or of up to 500 with ``page_size``; of fewer with lines, whole objects or bodies."""

    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 500
    #: Of rows with an equal value, any number is passed over. Django REST framework would stop at 1,000.
    offset_cutoff = 10**9

    def paginate_queryset(
        self, queryset: Any, request: Request, view: Any = None
    ) -> list[Any] | None:
        limits = [limit for name, limit in _MOST_ROWS.items() if name in view.expansions]
        self.most_rows = min([self.max_page_size, *limits])
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, OverflowError, ValidationError) as error:
            raise NotFound(self.invalid_cursor_message) from error

    def get_page_size(self, request: Request) -> int | None:
        size = super().get_page_size(request)
        return min(size, self.most_rows) if size else size


class EventPagination(StablePagination):
    """Pages whose last one says where to go on: ``next_after``, for the parameter ``after``.

    Events that may still change, or of which an earlier one may still appear, come again then. The mark
    is taken before the first page is read, and the links carry it on: an event may settle in between.
    """

    def paginate_queryset(
        self, queryset: Any, request: Request, view: Any = None
    ) -> list[Any] | None:
        after = view.parameters.get("pk__gt", 0)
        marks = [view.parameters.get(FLOOR), first_unfinished()]
        page = super().paginate_queryset(queryset, request, view) or []
        self.last = max([after, *(event.pk for event in page)])
        marks += [event.pk - 1 for event in page if not event.is_settled]
        self.floor = min((mark for mark in marks if mark is not None), default=None)
        return page

    def get_next_link(self) -> str | None:
        link: str | None = super().get_next_link()
        if link is None or self.ordering != ("id",) or self.floor is None:
            return link
        followed: str = replace_query_param(link, FLOOR, self.floor)
        return followed

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        if self.ordering == ("id",):
            is_last = not self.has_next
            goes_on = self.last if self.floor is None else min(self.last, self.floor)
            response.data[NEXT_AFTER] = goes_on if is_last else None
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        described = super().get_paginated_response_schema(schema)
        described["properties"][NEXT_AFTER] = {"type": "integer", "nullable": True}
        return described
