"""Report the health of each account: backlog, failures, rejections, and the time since its last event."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.db import router
from django.db.models import Count, Min, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from django_altoviz.conf import app_settings
from django_altoviz.models import Source, Status, WebhookEvent, WebhookEventQuerySet, queue
from django_altoviz.models.queue import UNSETTLED, set_aside
from django_altoviz.rejections import today

#: The most pending events that are looked at to see which of them wait for an earlier one.
MAX_PENDING = 5_000
# The most events that are looked at to see if others wait for them.
_MAX_HOLDING_UP = 1_000
_COUNTED = (*UNSETTLED, Status.DEAD, Status.MALFORMED)


@dataclass(frozen=True)
class Health:
    """The state of an account's events.

    ``backlog`` counts the unsettled events: ``pending``, ``processing`` and ``failed`` ones. ``blocked``
    counts those of the pending ones that wait for an earlier event of their object; of all accounts
    together, ``MAX_PENDING`` are looked at. ``oldest`` is when the first event of the backlog was
    received, ``last_received_at`` when the last new event came in.
    ``conflicting`` counts those of the ``dead`` events whose id another event has, with another body.
    ``rejected`` has the deliveries of the last days that were rejected, by day and answer.
    """

    account: str
    backlog: int
    pending: int
    processing: int
    blocked: int
    failed: int
    dead: int
    conflicting: int
    malformed: int
    oldest: datetime.datetime | None
    last_received_at: datetime.datetime | None
    rejected: Mapping[str, Mapping[str, int]]

    @property
    def recently_rejected(self) -> int:
        """Return how many deliveries were rejected today and yesterday, in UTC."""
        return sum(sum(counts.values()) for counts in self.recent_rejections)

    @property
    def recent_rejections(self) -> list[Mapping[str, int]]:
        """Return the counts of today and of yesterday, in UTC, by answer."""
        yesterday = (today() - datetime.timedelta(days=1)).isoformat()
        return [counts for day, counts in self.rejected.items() if day >= yesterday]

    @property
    def age(self) -> datetime.timedelta:
        """Return how long the oldest event of the backlog has waited, or 0 without a backlog."""
        return _since(self.oldest) or datetime.timedelta()

    @property
    def silence(self) -> datetime.timedelta | None:
        """Return the time since the last new event, or ``None`` if there never was one."""
        return _since(self.last_received_at)

    def as_json(self) -> dict[str, object]:
        """Return the fields for JSON, with times in ISO format."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime.datetime) else value
            for name, value in values.items()
        }


def _since(moment: datetime.datetime | None) -> datetime.timedelta | None:
    return None if moment is None else timezone.now() - moment


def health_of(
    accounts: list[str], rejected: Mapping[str, Mapping[str, Mapping[str, int]]]
) -> Iterator[Health]:
    """Yield the health of these accounts, and of others with rejections, or with unsettled, dead or
    malformed events.

    ``rejected`` is what ``rejections.recent()`` returns.
    """
    rows: dict[tuple[str, str], tuple[int, datetime.datetime | None]] = {}
    conflicts: Counter[str] = Counter()
    for status in _COUNTED:
        for row in _counted(status):
            rows[row["name"], status] = row["n"], row["first"]
            conflicts[row["name"]] += row.get("conflicting", 0)
    blocked = _held_back()
    # Also accounts that are not configured (any more): "default" is not, if all are in ACCOUNTS.
    with_rejections = filter(None, rejected)
    for account in dict.fromkeys([*accounts, *with_rejections, *(name for name, _ in rows)]):
        found = {status: rows.get((account, status), (0, None)) for status in _COUNTED}
        backlog = [found[status] for status in UNSETTLED]
        yield Health(
            account=account,
            backlog=sum(number for number, _first in backlog),
            pending=found[Status.PENDING][0],
            processing=found[Status.PROCESSING][0],
            blocked=blocked[account],
            failed=found[Status.FAILED][0],
            dead=found[Status.DEAD][0],
            conflicting=conflicts[account],
            malformed=found[Status.MALFORMED][0],
            oldest=min((first for _number, first in backlog if first), default=None),
            last_received_at=_last_received(account),
            rejected=rejected.get(account, {}),
        )


def _counted(status: Status) -> Iterable[Mapping[str, Any]]:
    """Count the events of the status that have their content, by account.

    Of unsettled events, which all have it, the index of the queue knows everything. The expressions
    keep SQLite from walking through all events instead.
    """
    stored = WebhookEvent.with_pruned.using(_database())
    events, counts = stored.filter(status=status), {"n": Count("pk"), "first": Min("received_at")}
    if status not in UNSETTLED:
        events = stored.filter(pk__in=events.values("pk"), pruned_at=None)
        counts["conflicting"] = Count("pk", filter=set_aside())
    groups = events.order_by().values(name=Coalesce("account", Value("")))
    return list(groups.annotate(**counts))


def _held_back() -> Counter[str]:
    """Count the pending events that wait for an earlier one of their object, by account.

    The two kinds of event are joined here, because a join takes a database time that grows with the
    square of an object's events.
    """
    stored = WebhookEvent.with_pruned.using(_database())
    waited_for = queue.holding_up(queue.clock(), app_settings.WAIT_FOR_RETRIES)
    first: dict[tuple[Any, ...], int] = {}
    for pk, *place in _places(stored.filter(waited_for, object_id__isnull=False), _MAX_HOLDING_UP):
        first[tuple(place)] = min(pk, first.get(tuple(place), pk))
    if not first:
        return Counter()
    # By their status, not by their objects, which may have any number of settled events.
    return Counter(
        place[0]
        for pk, *place in _places(stored.filter(status=Status.PENDING), MAX_PENDING)
        if pk > first.get(tuple(place), pk)
    )


def _places(events: WebhookEventQuerySet[WebhookEvent], most: int) -> Iterable[tuple[Any, ...]]:
    return list(events.order_by().values_list("pk", "account", "entity", "object_id")[:most])


def _database() -> str:
    # Not a replica: if replication has stopped, the replica shows no new trouble.
    return router.db_for_write(WebhookEvent)


def _last_received(account: str) -> datetime.datetime | None:
    events = WebhookEvent.with_pruned.using(_database())
    received = events.filter(account=account, source=Source.WEBHOOK)
    return received.order_by("-received_at").values_list("received_at", flat=True).first()
