"""Sync for a limited time, in a request or in a task of a queue. The next slice goes on from there."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from contextlib import ExitStack

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
    account: str,
    seconds: float,
    entities: Sequence[Entity] = (),
    *,
    may_wait: bool = False,
    signals: bool = False,
    client: AltovizClient | None = None,
    watcher: Watcher | None = None,
) -> list[Entity]:
    """Sync until the time is over, and return the kinds of object that are left.

    Each slice applies at least one batch, so repeated slices come to an end. Without ``entities``, a
    slice goes on where the last one stopped, or begins with all kinds. With ``may_wait`` the slice waits
    for the rate limit, and otherwise ends there. The other arguments are those of ``sync``.

    Raises:
        APIFailure, SyncTakenOver, ImproperlyConfigured: as ``sync``.
    """
    chosen = [*(entities or _in_turn(account))]
    deadline = time.monotonic() + seconds
    clock = _Timekeeper(deadline, watcher or Watcher(), may_wait=may_wait)
    with ExitStack() as stack:
        client = client or stack.enter_context(_brisk_client(account))
        try:
            sync(account, chosen, signals=signals, client=client, watcher=clock)
        except SyncPaused:
            return [entity for entity in chosen if entity not in clock.ended_kinds]
    return []


def _brisk_client(account: str) -> AltovizClient:
    retry = AltovizRetry(total=_REPETITIONS)
    return AltovizClient.for_account(account, retry=retry, time_limit=_REQUEST_LIMIT)


class _Timekeeper(Watcher):
    """End the sync after the first batch beyond the deadline. Tell another watcher all the rest."""

    def __init__(self, deadline: float, watcher: Watcher, *, may_wait: bool) -> None:
        self.deadline, self.watcher, self.may_wait = deadline, watcher, may_wait
        self.ended_kinds: set[str] = set()

    def began(self, run: SyncRun, *, goes_on: bool) -> None:
        self.watcher.began(run, goes_on=goes_on)

    def progressed(self, run: SyncRun) -> None:
        self.watcher.progressed(run)
        self._check(0)

    def paused(self, seconds: float) -> None:
        self._wait(seconds)
        self.watcher.paused(seconds)

    def retrying(self, seconds: float) -> None:
        self._wait(seconds)
        self.watcher.retrying(seconds)

    def ended(self, run: SyncRun) -> None:
        self.watcher.ended(run)
        self.ended_kinds.add(run.entity)

    def _wait(self, seconds: float) -> None:
        if not self.may_wait:
            self._check(seconds)

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
