"""Objects that a list does not settle are looked up one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django_altoviz.exceptions import AllGone
from django_altoviz.models import Source, SyncRun, SyncStep, WebhookEvent
from django_altoviz.sync.comparing import newest_event
from django_altoviz.sync.reading import Position
from django_altoviz.sync.reconciling import Action, Reconciler
from django_altoviz.sync.watching import Watcher

# So many ids at a time are in memory.
_WINDOW = 10_000
# That so many objects are gone, all of them, is the doing of a wrong key rather than of a company.
_SUSPICIOUS = 10


def seek_missing(reconciler: Reconciler, watcher: Watcher) -> None:
    """Look up what lives in the mirror and was not in the list.

    What Altoviz answers with 404 is marked as deleted; nothing else is.

    Raises:
        AllGone: none of it was in the list, so that it may be another company's list.
    """
    run = reconciler.run
    # What an event has brought in since is looked up on account of that event.
    live = reconciler.model.objects.using(run._state.db).filter(
        account=run.account, last_event_id__lte=run.as_of
    )
    ids = live.order_by("altoviz_id").values_list("altoviz_id", flat=True)
    if not reconciler.all_gone:
        _refuse_where_none_is_left(run, ids)
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


def _refuse_where_none_is_left(run: SyncRun, ids: Any) -> None:
    number = 0
    for window in _windows(ids):
        if SyncStep.seen(run, window):
            return
        number += len(window)
    if number >= _SUSPICIOUS:
        raise AllGone(
            f"None of the {number} objects that the mirror has is in Altoviz's list of {run.entity}s. "
            "Nothing was marked as deleted, for the API_KEY may be another company's."
        )


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
