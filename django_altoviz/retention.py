"""Old events lose their content, and the ids that deduplication needs stay."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db import router, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from django_altoviz.intake.envelopes import EVENT_ID_PREFIX
from django_altoviz.models import (
    ReceiverRun,
    Source,
    Status,
    WebhookEvent,
    WebhookEventQuerySet,
)

_BATCH = 500
_EMPTY = {"body": "", "arrival": {}, "changes": {}, "history": [], "error": ""}
#: Done with, unless told otherwise. Of the dead the effect is still owed, and of the failed, too.
DONE = (Status.PROCESSED, Status.IGNORED, Status.MALFORMED)
#: What can be pruned at all. Who has the failed pruned gives them up.
PRUNABLE = (*DONE, Status.DEAD, Status.FAILED)
#: The days to keep events of each status; ``None`` is for good.
Windows = Mapping[str, int | None]
NO_WINDOWS: Windows = {}
# An event with an id of its own would be taken for new if it came again. One without is known by
# its body, and that may well be sent again one day in earnest: an object set back to what it was.
_KNOWN_BY_ID = Q(event_id__startswith=EVENT_ID_PREFIX) | ~Q(source=Source.WEBHOOK)


@dataclass
class Pruned:
    """How many events lost their content, and how many rows went for good."""

    emptied: int = 0
    deleted: int = 0


def longest(days: int, by_status: Windows) -> int:
    """The days after which no event has its content any more, but for those kept for good."""
    return max(window or 0 for window in windows(days, by_status).values())


def windows(days: int, by_status: Windows) -> dict[str, int | None]:
    """The windows of all statuses: ``days`` for what is done with, unless its own says otherwise.

    Raises:
        ValueError: a status can't be pruned, or a number of days is none.
    """
    for status, window in by_status.items():
        is_number = isinstance(window, int) and not isinstance(window, bool) and window > 0
        if status not in PRUNABLE:
            raise ValueError(f"{status!r} is not one of {', '.join(PRUNABLE)}")
        if window is not None and not is_number:
            raise ValueError(f"{status!r}: {window!r} is no number of days, nor None")
    return {status.value: days if status in DONE else None for status in PRUNABLE} | {**by_status}


def prune(
    days: int, dedupe_days: int | None, *, by_status: Windows = NO_WINDOWS, dry_run: bool = False
) -> Pruned:
    """Remove the content of events that are older than ``days``, or the window of their status.

    The ids of ``dedupe_days`` ago are forgotten too; with ``None`` they are kept for good.
    """
    kept = windows(days, by_status)
    emptied, deleted = _emptied(kept), _deleted(kept, dedupe_days)
    if dry_run:
        return Pruned(emptied.count(), deleted.count())
    return Pruned(_in_batches(emptied, _EMPTY, _end), _in_batches(deleted, {}, _delete))


def _older_than(days: int) -> Q:
    return Q(received_at__lt=timezone.now() - datetime.timedelta(days=days))


def _done_with(kept: Windows) -> Q:
    old = Q(pk__in=[])
    for status, days in kept.items():
        if days is not None:
            old |= Q(_older_than(days), status=status)
    return old


def _emptied(kept: Windows) -> QuerySet[WebhookEvent]:
    return _events().filter(_KNOWN_BY_ID, _done_with(kept), pruned_at=None)


def _deleted(kept: Windows, dedupe_days: int | None) -> QuerySet[WebhookEvent]:
    gone = ~_KNOWN_BY_ID & _done_with(kept)
    if dedupe_days is not None:
        gone |= Q(pruned_at__isnull=False) & _older_than(dedupe_days)
    return _events().filter(gone)


def _events() -> WebhookEventQuerySet:
    return WebhookEvent.with_pruned.using(router.db_for_write(WebhookEvent))


def _in_batches(
    events: QuerySet[WebhookEvent],
    values: Mapping[str, object],
    remove: Callable[[list[int]], None],
) -> int:
    """Prune the events in short transactions, and return their number.

    Each gets these values, and is then removed as far as it is to be.
    """
    pruned = last = 0
    keys_of = events.order_by("pk").values_list("pk", flat=True)
    while keys := list(keys_of.filter(pk__gt=last)[:_BATCH]):
        last = keys[-1]
        now = timezone.now()
        with transaction.atomic(using=events.db):
            # Meanwhile one may have been reopened. This asks again, and holds the events before
            # anything of theirs is touched, as `reopen` does: of the two, the second has to look.
            pruned += events.filter(pk__in=keys).update(**values, pruned_at=now)
            held = _events().filter(pk__in=keys, pruned_at=now)
            remove(list(held.values_list("pk", flat=True)))
    return pruned


def _end(keys: list[int]) -> None:
    """What is left of an event that has lost its content is settled, and no receiver's business."""
    failed = _events().filter(pk__in=keys, status=Status.FAILED)
    failed.update(status=Status.DEAD, settled_at=timezone.now())
    ReceiverRun.objects.using(failed.db).filter(event__in=keys).delete()


def _delete(keys: list[int]) -> None:
    _events().filter(pk__in=keys).delete()
