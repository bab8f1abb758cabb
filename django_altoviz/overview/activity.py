"""The numbers of the charts: events by hour and day, and amounts by month.

A time span is found by comparisons in SQL. Django's truncation of times would be called in Python for
each row on SQLite, and knows no index.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeVar, cast

from django.conf import settings
from django.core.cache import cache
from django.db.models import Case, Count, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from django_altoviz.days import local_today, midnight
from django_altoviz.models import Invoice, Status, WebhookEvent

HOURS, DAYS, MONTHS = 24, 30, 12
_KEPT_SECONDS = 60
Found = TypeVar("Found")


@dataclass(frozen=True)
class Span:
    """A time span, and the number of its events by status."""

    begins_at: datetime.datetime
    counts: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, object]:
        return {"from": self.begins_at.isoformat(), **self.counts}


@dataclass(frozen=True)
class EventActivity:
    """The events of the last hours and of the last days, the current ones included."""

    hours: Sequence[Span]
    days: Sequence[Span]

    def as_json(self) -> dict[str, object]:
        """Return the counts for JSON, without the statuses that no event has."""
        return {name: [span.as_json() for span in spans] for name, spans in vars(self).items()}


@dataclass(frozen=True)
class Month:
    """The amounts of the invoices of a month, with tax: what was invoiced, and what of it is paid."""

    first_day: datetime.date
    invoiced: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)

    def as_json(self) -> dict[str, str]:
        amounts = {"invoiced": format(self.invoiced, "f"), "paid": format(self.paid, "f")}
        return {"month": f"{self.first_day:%Y-%m}", **amounts}


def activity() -> EventActivity:
    """Count the events by hour and by day of the project's time zone, in one query."""
    hours, days = _last_hours(), _last_days()
    spans = {begins_at: Span(begins_at) for begins_at in sorted({*hours[:-1], *days[:-1]})}
    bounds = [*spans, days[-1]]
    # With the statuses, the index of status and time has everything. No event is read.
    events = WebhookEvent.with_pruned.filter(
        status__in=Status.values, received_at__gte=bounds[0], received_at__lt=bounds[-1]
    )
    numbered = events.order_by().annotate(span=_number_of_span("received_at", bounds))
    pieces = [*spans.values()]
    for status, number, count in numbered.values_list("status", "span").annotate(n=Count("*")):
        pieces[number].counts[status] += count
    return EventActivity(_joined(pieces, hours), _joined(pieces, days))


def monthly_amounts() -> dict[str, list[Month]]:
    """Return the amounts of the last months by account, in one query.

    Drafts, pro forma invoices and cancelled invoices do not count. An invoice belongs to the month of
    its date. When it was paid is not known.
    """
    months = _last_months()
    live: QuerySet[Any] = Invoice.objects.all()
    invoices = live.filter(date__gte=months[0], date__lt=months[-1]).exclude(
        Q(is_draft=True) | Q(is_proforma=True) | Q(is_cancelled=True)
    )
    found: dict[str, list[Month]] = {}
    # Without a balance, the invoice is either paid or not.
    rest = Coalesce(
        "balance", Case(When(is_paid=True, then=Value(Decimal(0))), default="tax_included_amount")
    )
    numbered = invoices.order_by().annotate(month=_number_of_span("date", months))
    sums = {"total": Sum("tax_included_amount"), "rest": Sum(rest)}
    rows = numbered.values_list("account", "month").annotate(**sums)
    for account, number, total, unpaid in rows:
        by_month = found.setdefault(account, [Month(first_day) for first_day in months[:-1]])
        total = total or Decimal(0)
        by_month[number] = Month(months[number], total, total - (unpaid or 0))
    return found


def kept_for_a_minute(name: str, read: Callable[[], Found]) -> Found:
    """Return what ``read`` returns, which may be a minute old: a chart need not count all events anew."""
    zone = timezone.get_current_timezone_name() if settings.USE_TZ else ""
    key = f"django_altoviz.overview.{name}.{zone}"
    with suppress(Exception):  # each cache backend has exceptions of its own
        if (found := cache.get(key)) is not None:
            return cast(Found, found)
    found = read()
    with suppress(Exception):
        cache.set(key, found, _KEPT_SECONDS)
    return found


def _number_of_span(column: str, bounds: Sequence[Any]) -> Any:
    """Return the expression for the number of the span between two bounds that a value is in."""

    def search(first: int, last: int) -> Any:
        if last - first == 1:
            return Value(first)
        middle = (first + last) // 2
        is_before = When(**{f"{column}__lt": bounds[middle]}, then=search(first, middle))
        return Case(is_before, default=search(middle, last))

    return search(0, len(bounds) - 1)


def _joined(pieces: Iterable[Span], bounds: Sequence[datetime.datetime]) -> list[Span]:
    """Return the spans between the bounds, each with the counts of its pieces."""
    return [
        Span(
            begins_at,
            sum((p.counts for p in pieces if begins_at <= p.begins_at < ends_at), Counter()),
        )
        for begins_at, ends_at in pairwise(bounds)
    ]


def _last_hours() -> list[datetime.datetime]:
    """Return the beginnings of the last hours and the end of the current one."""
    # In UTC an hour has an hour, also when the clocks are changed.
    now = timezone.localtime() if settings.USE_TZ else datetime.datetime.now()
    hour = datetime.timedelta(hours=1)
    begins_at = now.replace(minute=0, second=0, microsecond=0)
    if settings.USE_TZ:
        begins_at = begins_at.astimezone(datetime.timezone.utc)
    return [begins_at - number * hour for number in range(HOURS - 1, -2, -1)]


def _last_days() -> list[datetime.datetime]:
    """Return the beginnings of the last days and the end of today."""
    day = datetime.timedelta(days=1)
    return [midnight(local_today() - number * day) for number in range(DAYS - 1, -2, -1)]


def _last_months() -> list[datetime.date]:
    """Return the first days of the last months and of the next one."""
    today = local_today()
    number = today.year * 12 + today.month - 1
    counted = range(number - MONTHS + 1, number + 2)
    return [datetime.date(month // 12, month % 12 + 1, 1) for month in counted]
