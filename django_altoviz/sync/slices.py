"""Sync for a limited time, in a request or in a task of a queue. The next slice goes on from there."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence

from django.db import router
from django.utils import timezone

from django_altoviz.client import AltovizClient
from django_altoviz.client.retries import AltovizRetry
from django_altoviz.event_types import Entity
from django_altoviz.exceptions import SyncPaused
from django_altoviz.models import SyncRun
from django_altoviz.sync.progress import Watcher
from django_altoviz.sync.run import ENTITIES, sync

# After a longer break, a slice begins anew with the kinds that were done.
_LONGEST_BREAK = datetime.timedelta(hours=1)
# A slice that meets a fault ends, instead of waiting for minutes.
_REPETITIONS = 2
_REQUEST_LIMIT = 8.0


def sync_for(
    account: str, seconds: float, entities: Sequence[Entity] = (), *, may_wait: bool = False
) -> list[Entity]:
    """Sync until the time is over, and return the kinds of object that are left.

    Each slice applies at least one batch, so repeated slices come to an end. Without ``entities``, a
    slice goes on where the last one stopped, or begins with all kinds. With ``may_wait`` the slice waits
    for the rate limit, and otherwise ends there.

    Raises:
        APIFailure, SyncTakenOver, ImproperlyConfigured: as ``sync``.
    """
    chosen = [*(entities or _in_turn(account))]
    clock = _Timekeeper(time.monotonic() + seconds, may_wait=may_wait)
    retry = AltovizRetry(total=_REPETITIONS)
    with AltovizClient.for_account(account, retry=retry, time_limit=_REQUEST_LIMIT) as client:
        try:
            sync(account, chosen, client=client, watcher=clock)
        except SyncPaused:
            return [entity for entity in chosen if entity not in clock.ended_kinds]
    return []


class _Timekeeper(Watcher):
    """End the sync after the first batch beyond the deadline."""

    def __init__(self, deadline: float, *, may_wait: bool) -> None:
        self.deadline, self.may_wait = deadline, may_wait
        self.ended_kinds: set[str] = set()

    def progressed(self, run: SyncRun) -> None:
        self._check(0)

    def paused(self, seconds: float) -> None:
        if not self.may_wait:
            self._check(seconds)

    retrying = paused

    def ended(self, run: SyncRun) -> None:
        self.ended_kinds.add(run.entity)

    def _check(self, seconds: float) -> None:
        if time.monotonic() + seconds >= self.deadline:
            raise SyncPaused(
                "The time of this part of the sync is over. The next one goes on from here."
            )


def _in_turn(account: str) -> list[Entity]:
    """Return the kinds to sync: the unfinished one first, and without those of the slices before it."""
    runs = SyncRun.objects.using(router.db_for_write(SyncRun))
    runs = runs.filter(account=account, is_dry_run=False)
    last = {entity: runs.filter(entity=entity).order_by("-pk").first() for entity in ENTITIES}
    unfinished = [entity for entity, run in last.items() if run and run.finished_at is None]
    if not unfinished:
        return [*ENTITIES]
    then = timezone.now() - _LONGEST_BREAK
    done = [
        each for each, run in last.items() if run and run.finished_at and run.finished_at > then
    ]
    return [*unfinished, *(each for each in ENTITIES if each not in (*unfinished, *done))]
