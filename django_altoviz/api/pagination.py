"""Pages by cursor: stable while rows come in, and as fast at the end of a table as at its beginning."""

from __future__ import annotations

import datetime
from typing import Any

from django.db.models import Min
from django.utils import timezone
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from django_altoviz.models import WebhookEvent

NEXT_AFTER = "next_after"
# An event of a smaller number may become visible as much later, because its transaction ends later.
_MARGIN = datetime.timedelta(minutes=1)


class StablePagination(CursorPagination):
    """Pages of 100 rows, or of up to 500 with ``page_size``."""

    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 500


class EventPagination(StablePagination):
    """Pages whose last one says where to go on: ``next_after``, for the parameter ``after``.

    Events that may still change, or of which an earlier one may still appear, come again then.
    """

    request: Request

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        if self.ordering == ("id",):
            response.data[NEXT_AFTER] = None if self.has_next else self._next_after(data)
        return response

    def _next_after(self, data: Any) -> int:
        given = int(self.request.query_params.get("after") or 0)
        last: int = data[-1]["id"] if data else given
        events = WebhookEvent.with_pruned.for_write().order_by()
        recent = events.filter(received_at__gte=timezone.now() - _MARGIN)
        unfinished: list[int | None] = [
            rows.aggregate(first=Min("pk"))["first"] for rows in (events.unsettled(), recent)
        ]
        return min([last, *(number - 1 for number in unfinished if number is not None)])

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        described = super().get_paginated_response_schema(schema)
        described["properties"][NEXT_AFTER] = {"type": "integer", "nullable": True}
        return described
