"""Old events lose their content, and the ids that deduplication needs stay."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from django_altoviz.models import ReceiverRun, Source, Status, WebhookEvent

_BATCH = 500
# Not the dead: their effect is still owed. Not the unsettled, of course.
_DONE = (Status.PROCESSED, Status.IGNORED, Status.MALFORMED)
# An event with an id of its own would be taken for new if it came again. One without is known by
# its body, and that may well be sent again one day in earnest: an object set back to what it was.
_KNOWN_BY_ID = Q(event_id__startswith="evt_") | ~Q(source=Source.WEBHOOK)


@dataclass
class Pruned:
    """How many events lost their content, and how many rows went for good."""

    emptied: int = 0
    deleted: int = 0


def prune(days: int, dedupe_days: int | None, *, dry_run: bool = False) -> Pruned:
    """Remove what was done with more than ``days`` ago.

    The ids of ``dedupe_days`` ago are forgotten too; with ``None`` they are kept for good.
    """
    emptied, deleted = _emptied(days), _deleted(days, dedupe_days)
    if dry_run:
        return Pruned(emptied.count(), deleted.count())
    return Pruned(_in_batches(emptied, _empty), _in_batches(deleted, _delete))


def _older_than(days: int) -> Q:
    return Q(received_at__lt=timezone.now() - datetime.timedelta(days=days))


def _emptied(days: int) -> QuerySet[WebhookEvent]:
    old = Q(_older_than(days), status__in=_DONE, pruned_at=None)
    return WebhookEvent.with_pruned.filter(_KNOWN_BY_ID, old)


def _deleted(days: int, dedupe_days: int | None) -> QuerySet[WebhookEvent]:
    gone = ~_KNOWN_BY_ID & _older_than(days) & Q(status__in=_DONE)
    if dedupe_days is not None:
        gone |= Q(pruned_at__isnull=False) & _older_than(dedupe_days)
    return WebhookEvent.with_pruned.filter(gone)


def _in_batches(events: QuerySet[WebhookEvent], remove: Callable[[list[int]], None]) -> int:
    """Remove the events in short transactions, each batch read anew, and return their number."""
    removed = 0
    while keys := list(events.order_by("pk").values_list("pk", flat=True)[:_BATCH]):
        remove(keys)
        removed += len(keys)
    return removed


def _empty(keys: list[int]) -> None:
    with transaction.atomic():
        ReceiverRun.objects.filter(event__in=keys).delete()
        WebhookEvent.objects.filter(pk__in=keys).update(
            body="", arrival={}, changes={}, history=[], error="", pruned_at=timezone.now()
        )


def _delete(keys: list[int]) -> None:
    WebhookEvent.with_pruned.filter(pk__in=keys).delete()
