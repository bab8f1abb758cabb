"""Following the events without a gap: where a follower has to go on."""

from __future__ import annotations

import datetime

from django.db.models import Min
from django.utils import timezone

from django_altoviz.models import WebhookEvent

NEXT_AFTER = "next_after"
#: The parameter by which the links between pages carry the mark.
FLOOR = "floor"
# An event of a smaller number may become visible as much later, because its transaction ends later.
_MARGIN = datetime.timedelta(minutes=1)


def first_unfinished() -> int | None:
    """Return the number before the first event that may still change, or appear before others."""
    events = WebhookEvent.with_pruned.for_write().order_by()
    recent = events.filter(received_at__gte=timezone.now() - _MARGIN)
    found = [rows.aggregate(first=Min("pk"))["first"] for rows in (events.unsettled(), recent)]
    return min((number - 1 for number in found if number is not None), default=None)
