"""Prune old events: remove their content, and keep the ids by which redeliveries are recognised."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from django_altoviz.intake.envelopes import EVENT_ID_PREFIX
from django_altoviz.models import (
    ReceiverRun,
    Source,
    Status,
    WebhookEvent,
    WebhookEventQuerySet,
)
from django_altoviz.rejections import forget_older_than

_BATCH = 500
_EMPTY = {"body": "", "arrival": {}, "changes": {}, "history": [], "error": "", "cause": ""}
#: Statuses that are pruned by default. Dead and failed events are kept: they have not had their whole
#: effect yet.
DONE = (Status.PROCESSED, Status.IGNORED, Status.MALFORMED)
#: Statuses that can be pruned. Pruning failed events gives them up.
PRUNABLE = (*DONE, Status.DEAD, Status.FAILED)
#: The days to keep events of each status. ``None`` keeps them for ever.
Windows = Mapping[str, int | None]
NO_WINDOWS: Windows = {}
# A pruned event with an id of its own stays as a row, or a redelivery of it would count as new. An
# event without an id is recognised by its body; its row goes, because the same body may be a new event
# one day: an object that is set back to an earlier state.
_KNOWN_BY_ID = Q(event_id__startswith=EVENT_ID_PREFIX) | ~Q(source=Source.WEBHOOK)


@dataclass
class Pruned:
    """The number of events that lost their content, and of rows that were deleted."""

    emptied: int = 0
    deleted: int = 0


def longest(days: int, by_status: Windows) -> int:
    """Return the longest window, in days. Windows that keep events for ever do not count."""
    return max(window or 0 for window in windows(days, by_status).values())


def windows(days: int, by_status: Windows) -> dict[str, int | None]:
    """Return the window of each status: its own, or else ``days`` for the statuses in ``DONE``.

    Raises:
        ValueError: a status can't be pruned, or a window is not a number of days.
    """
    for status, window in by_status.items():
        is_number = isinstance(window, int) and not isinstance(window, bool) and window > 0
        if status not in PRUNABLE:
            raise ValueError(f"{status!r} is not one of {', '.join(PRUNABLE)}")
        if window is not None and not is_number:
            raise ValueError(f"{status!r}: {window!r} is neither a number of days nor None")
    return {status.value: days if status in DONE else None for status in PRUNABLE} | {**by_status}


def prune(
    days: int, dedupe_days: int | None, *, by_status: Windows = NO_WINDOWS, dry_run: bool = False
) -> Pruned:
    """Remove the content of events that are older than ``days``, or than the window of their status.

    Delete events that are older than ``dedupe_days`` altogether, and with them the ids for
    deduplication. ``None`` keeps the ids for ever. Delete the counts of rejected deliveries, too, that
    are older than ``days``.
    """
    kept = windows(days, by_status)
    if dry_run:
        return _counted_for(kept, dedupe_days)
    forget_older_than(days)
    to_empty = _all_events().filter(_is_to_empty(kept))
    to_delete = _all_events().filter(_is_to_delete(kept, dedupe_days))
    return Pruned(
        _in_batches(to_empty, _EMPTY, _settle_emptied),
        _in_batches(to_delete, {}, _delete_events),
    )


def _counted_for(kept: Windows, dedupe_days: int | None) -> Pruned:
    """Count what ``prune`` would do, with one look at each event."""
    emptied = Count("pk", filter=_is_to_empty(kept))
    deleted = Count("pk", filter=_is_to_delete(kept, dedupe_days))
    affected = _past_window(kept)
    if dedupe_days is not None:
        affected |= _is_past_deduplication(dedupe_days)
    return Pruned(**_all_events().filter(affected).aggregate(emptied=emptied, deleted=deleted))


def _older_than(days: int) -> Q:
    return Q(received_at__lt=timezone.now() - datetime.timedelta(days=days))


def _past_window(kept: Windows) -> Q:
    old = Q(pk__in=[])
    for status, days in kept.items():
        if days is not None:
            old |= Q(_older_than(days), status=status)
    return old


def _is_to_empty(kept: Windows) -> Q:
    return _KNOWN_BY_ID & _past_window(kept) & Q(pruned_at=None)


def _is_to_delete(kept: Windows, dedupe_days: int | None) -> Q:
    gone = ~_KNOWN_BY_ID & _past_window(kept)
    if dedupe_days is not None:
        gone |= _is_past_deduplication(dedupe_days)
    return gone


def _is_past_deduplication(dedupe_days: int) -> Q:
    return Q(pruned_at__isnull=False) & _older_than(dedupe_days)


def _all_events() -> WebhookEventQuerySet[WebhookEvent]:
    return WebhookEvent.with_pruned.for_write()


def _in_batches(
    events: QuerySet[WebhookEvent],
    values: Mapping[str, object],
    finish: Callable[[list[int]], None],
) -> int:
    """Write ``values`` to the events and call ``finish`` with their keys, in short transactions.

    Return the number of events.
    """
    pruned = last = 0
    keys_of = events.order_by("pk").values_list("pk", flat=True)
    while keys := list(keys_of.filter(pk__gt=last)[:_BATCH]):
        last = keys[-1]
        now = timezone.now()
        with transaction.atomic(using=events.db):
            # An event may have been reopened since its key was read. The UPDATE checks the conditions
            # again, and locks the event before its receiver runs go. `reopen` locks the event first
            # as well, so whichever of the two comes second sees what the first has done.
            pruned += events.filter(pk__in=keys).update(**values, pruned_at=now)
            locked = _all_events().filter(pk__in=keys, pruned_at=now)
            finish(list(locked.values_list("pk", flat=True)))
    return pruned


def _settle_emptied(keys: list[int]) -> None:
    """Settle events that have lost their content, and delete their receiver runs.

    A failed event becomes dead, because it can't be tried again without its body.
    """
    failed = _all_events().filter(pk__in=keys, status=Status.FAILED)
    failed.update(status=Status.DEAD, settled_at=timezone.now())
    ReceiverRun.objects.using(failed.db).filter(event__in=keys).delete()


def _delete_events(keys: list[int]) -> None:
    _all_events().filter(pk__in=keys).delete()
