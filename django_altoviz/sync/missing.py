"""Look up single objects that the list alone does not settle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django_altoviz.models import Source, SyncStep, WebhookEvent
from django_altoviz.sync.comparing import newest_event
from django_altoviz.sync.differences import Action
from django_altoviz.sync.progress import Watcher
from django_altoviz.sync.reading import ListPosition
from django_altoviz.sync.reconciling import Reconciler

# The most ids that are held in memory.
_IDS_AT_ONCE = 10_000


def look_up_missing(reconciler: Reconciler, watcher: Watcher) -> None:
    """Look up the live objects of the mirror that were not in the list.

    Only an object that Altoviz answers with 404 is marked as deleted.
    """
    run = reconciler.run
    ids = reconciler.live().order_by("altoviz_id").values_list("altoviz_id", flat=True)
    last_pass = ListPosition(**run.position).pass_number
    for window in _in_windows(ids, "altoviz_id"):
        missing = {*window} - SyncStep.seen(run, window, pass_number=last_pass)
        counted = SyncStep.seen(run, missing)
        for id in sorted(missing):
            _look_up(reconciler, watcher, id, is_counted=id in counted)


def look_up_changed(reconciler: Reconciler, watcher: Watcher) -> None:
    """Look up the objects that had webhooks while the list was read.

    A late delivery may be older than the list although it arrived after it.
    """
    run = reconciler.run
    events = WebhookEvent.objects.using(run._state.db).filter(
        account=run.account,
        entity=run.entity,
        source=Source.WEBHOOK,
        pk__gt=run.as_of,
        pk__lte=newest_event(run._state.db),
    )
    ids = events.order_by("object_id").values_list("object_id", flat=True).distinct()
    for window in _in_windows(ids, "object_id"):
        for id in window:
            _look_up(reconciler, watcher, id, is_counted=True)


def _in_windows(ids: Any, column: str) -> Iterator[list[int]]:
    last = 0
    while window := list(ids.filter(**{f"{column}__gt": last})[:_IDS_AT_ONCE]):
        yield window
        last = window[-1]


def _look_up(reconciler: Reconciler, watcher: Watcher, id: int, *, is_counted: bool) -> None:
    """Reconcile one object. If it was counted when it was listed, count only a change now."""
    counts = reconciler.reconcile_one(id)
    if is_counted:
        del counts["unchanged"]
    else:
        counts["seen"] = sum(counts.values()) - counts[Action.DELETED.value]
    reconciler.run.add_counts(counts)
    watcher.progressed(reconciler.run)
