"""Count rejected deliveries, cheaply even if they come in thousands."""

from __future__ import annotations

import datetime
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from django_altoviz.conf import account_names
from django_altoviz.exceptions import ends_task
from django_altoviz.log import log_about
from django_altoviz.models import Rejection, queue

#: The days that ``recent`` looks back, with today.
RECENT_DAYS = 7


@dataclass(frozen=True, order=True)
class _Kind:
    account: str
    day: datetime.date
    answer: str
    status_code: int


@dataclass
class Tally:
    """The rejections of this process that are not in the database yet.

    They are written with a delivery, at most once in ``interval`` seconds. What is counted between two
    writes waits for the next delivery to this process, and is lost if the process ends before.
    """

    interval: float = 1.0
    clock: Callable[[], float] = time.monotonic
    _counts: Counter[_Kind] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _next_write: float = -math.inf

    def count(self, account: str, answer: str, status_code: int) -> None:
        """Count a rejected delivery, without any I/O."""
        kind = _Kind(_if_known(account), today(), answer, status_code)
        with self._lock:
            self._counts[kind] += 1

    def write(self) -> None:
        """Write the counts, unless there are none or this process has just written some.

        If the database does not answer, keep them for the next time.
        """
        counts = self._take()
        if not counts:
            return
        try:
            _add(counts)
        except Exception as error:
            with self._lock:
                self._counts.update(counts)
            if ends_task(error):
                raise
            log_about().warning("Rejected deliveries could not be counted: %s", error)
        finally:
            self._next_write = self.clock() + self.interval

    def _take(self) -> Counter[_Kind]:
        with self._lock:
            if not self._counts or self.clock() < self._next_write:
                return Counter()
            # One thread at a time: if the database is slow, the others must not wait for it, too.
            self._next_write = math.inf
            counts, self._counts = self._counts, Counter()
            return counts


tally = Tally()


def today() -> datetime.date:
    """Return the current day in UTC, under which rejections are counted."""
    return queue.clock().date()


def first_recent_day() -> datetime.date:
    """Return the first of the days that ``recent`` looks back to."""
    return today() - datetime.timedelta(days=RECENT_DAYS - 1)


def recent() -> dict[str, dict[str, Counter[str]]]:
    """Return the counts of the last days, as ``{account: {day: {answer: count}}}``.

    The days are in ISO format. The account "" has all accounts that do not exist.
    """
    found: dict[str, dict[str, Counter[str]]] = {}
    rows = _stored_counts().filter(day__gte=first_recent_day())
    for row in rows.order_by("-day", "-deliveries", "answer"):
        by_day = found.setdefault(row.account or "", {})
        by_day.setdefault(row.day.isoformat(), Counter())[row.answer] = row.deliveries
    return found


def by_answer(by_day: Mapping[str, Mapping[str, int]]) -> Counter[str]:
    """Add up the counts of all days."""
    return sum(map(Counter, by_day.values()), Counter())


def forget_older_than(days: int) -> None:
    """Delete the counts that are older than ``days`` days."""
    _stored_counts().filter(day__lt=today() - datetime.timedelta(days=days)).delete()


def _stored_counts() -> QuerySet[Rejection]:
    return Rejection.objects.using(router.db_for_write(Rejection))


def _if_known(account: str) -> str:
    """Return the account's name, or "" if there is none: the text in the URL may be anything."""
    try:
        return account if account in account_names() else ""
    except ImproperlyConfigured:
        return ""


def _add(counts: Counter[_Kind]) -> None:
    rows, now = _stored_counts(), timezone.now()
    with transaction.atomic(using=rows.db):
        # In one order everywhere, so that two processes can't wait for each other.
        for kind, number in sorted(counts.items()):
            row = rows.filter(day=kind.day, account=kind.account, answer=kind.answer)
            more = {"deliveries": F("deliveries") + number, "last_at": now}
            if not row.update(**more):
                rows.bulk_create([Rejection(**vars(kind), last_at=now)], ignore_conflicts=True)
                row.update(**more)
