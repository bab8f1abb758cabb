"""Objects that a list does not settle are looked up one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django_altoviz.models import Source, SyncStep, WebhookEvent
from django_altoviz.sync.comparing import newest_event
from django_altoviz.sync.progress import Watcher
from django_altoviz.sync.reading import Position
from django_altoviz.sync.reconciling import Action, Reconciler

# So many ids at a time are in memory.
_WINDOW = 10_000


def seek_missing(reconciler: Reconciler, watcher: Watcher) -> None:
    """Look up what lives in the mirror and was not in the list.

    What Altoviz answers with 404 is marked as deleted; nothing else is.
    """
    run = reconciler.run
    ids = reconciler.live().order_by("altoviz_id").values_list("altoviz_id", flat=True)
    last_pass = Position(**run.position).pass_number
    for window in _windows(ids):
        missing = {*window} - SyncStep.seen(run, window, pass_number=last_pass)
        counted = SyncStep.seen(run, missing)
        for id in sorted(missing):
            _look_up(reconciler, watcher, id, is_counted=id in counted)


def _windows(ids: Any) -> Iterator[list[int]]:
    last = 0
    while window := list(ids.filter(altoviz_id__gt=last)[:_WINDOW]):
        yield window
        last = window[-1]


def recheck(reconciler: Reconciler, watcher: Watcher) -> None:
    """Look up what webhooks told of while the list was read.

    A delivery that was late may have told something older than the list.
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
    last = 0
    while window := list(ids.filter(object_id__gt=last)[:_WINDOW]):
        for id in window:
            _look_up(reconciler, watcher, id, is_counted=True)
        last = window[-1]


def _look_up(reconciler: Reconciler, watcher: Watcher, id: int, *, is_counted: bool) -> None:
    """Read one object. Where it was counted when it was in the list, only a change is added."""
    counts = reconciler.read_again(id)
    if is_counted:
        del counts["unchanged"]
    else:
        counts["seen"] = sum(counts.values()) - counts[Action.DELETED.value]
    reconciler.run.add(counts)
    watcher.progressed(reconciler.run)
