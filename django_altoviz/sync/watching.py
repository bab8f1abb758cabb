"""Watch an account: find with few requests what no webhook tells. Start reading here."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import router
from django.utils import timezone

from django_altoviz.client import AltovizClient, RateLimiter
from django_altoviz.conf import DEFAULT_ACCOUNT, app_settings
from django_altoviz.event_types import Entity
from django_altoviz.exceptions import APIFailure
from django_altoviz.models import SyncRun, Watch
from django_altoviz.sync.comparing import newest_event
from django_altoviz.sync.looking import Look
from django_altoviz.sync.overdue import overdue_since, signal_overdue
from django_altoviz.sync.progress import Watcher
from django_altoviz.sync.reconciling import Counts
from django_altoviz.sync.run import ENTITIES, OF_ONE_LIST, raise_all, waits_reported
from django_altoviz.sync.slices import sync_for

#: The seconds between two rounds.
INTERVAL = 300.0
# The shortest time that a round plans with, in seconds.
_SHORTEST = 60.0


@dataclass
class Round:
    """The result of a round: the counts of the looks, the due dates signalled, and the requests sent."""

    counts: Counts = field(default_factory=Counter)
    overdue: int = 0
    requests: int = 0

    def as_json(self) -> dict[str, Any]:
        counts = {name: self.counts[name] for name in ("new", "changed", "deleted", "failed")}
        return counts | {"overdue": self.overdue, "requests": self.requests}


def claim_watch(account: str = DEFAULT_ACCOUNT) -> Watch:
    """Claim the watch of an account. A process that watches it already stops at its next write.

    Raises:
        SyncTakenOver: another process was faster.
    """
    watches = Watch.objects.using(router.db_for_write(Watch))
    watch, _is_new = watches.get_or_create(account=account)
    watch.claim()
    return watch


def watch_round(
    account: str = DEFAULT_ACCOUNT,
    *,
    seconds: float = INTERVAL,
    full_every: float | None = None,
    signals: bool = False,
    client: AltovizClient | None = None,
    watcher: Watcher | None = None,
    watch: Watch | None = None,
) -> Round:
    """Look at what may have changed at Altoviz without an event, and apply each difference.

    A kind of object that was never synced is synced as a whole, and with ``full_every`` also one whose
    last sync is that many seconds ago: for ``seconds``, and then in the next rounds. ``signals`` are
    those of ``sync``. A process that makes many rounds passes what ``claim_watch`` returned as
    ``watch``. Otherwise each round claims the watch.

    Raises:
        APIFailure, ImproperlyConfigured: as ``sync``.
        SyncTakenOver: another process watches the account now.
    """
    watch, watcher = watch or claim_watch(account), watcher or Watcher()
    with ExitStack() as stack:
        client = client or stack.enter_context(AltovizClient.for_account(account))
        limit = stack.enter_context(_share_of(client))
        stack.enter_context(waits_reported(client, watcher))
        maker = _RoundMaker(watch, client, watcher, seconds)
        before = newest_event(watch._state.db)
        due = _kinds_to_sync(watch, full_every)
        failures = maker.look_at_all()
        if due:
            maker.sync(due, signals=signals)
        maker.result.overdue = overdue_since(before, watch.account, watch._state.db)
        maker.result.requests = limit.acquired
        watch.write(rounds=watch.rounds + 1, requests=limit.acquired)
    raise_all(failures)
    return maker.result


@contextmanager
def _share_of(client: AltovizClient) -> Iterator[RateLimiter]:
    """Let the client take no more than the watch's share of the rate limit."""
    whole = client.rate_limiter
    client.rate_limiter = whole.share(app_settings.WATCH_SHARE)
    try:
        yield client.rate_limiter
    finally:
        client.rate_limiter = whole


class _RoundMaker:
    """A round, and what it needs."""

    def __init__(
        self, watch: Watch, client: AltovizClient, watcher: Watcher, seconds: float
    ) -> None:
        self.watch, self.client, self.watcher, self.seconds = watch, client, watcher, seconds
        self.result = Round()

    def look_at_all(self) -> list[APIFailure]:
        """Look at each kind that was synced before, and return the failures of single lists."""
        failures: list[APIFailure] = []
        for entity in ENTITIES:
            try:
                if _last_sync(self.watch, entity) is not None:
                    self._look_at(entity)
            except OF_ONE_LIST as error:
                failures.append(error)
        return failures

    def _look_at(self, entity: Entity) -> None:
        """Look at one kind of object, and store what the next round has to know of it."""
        watch = self.watch
        # A round takes as long as it has requests for, and plans with a minute at least.
        budget = int(self.client.rate_limiter.requests * max(self.seconds, _SHORTEST) / 60)
        look = Look(watch.account, entity, self.client, watch.memory.get(entity, {}), budget)
        try:
            look.take(self.watcher)
        finally:
            self.result.counts += look.counts
        if entity == Entity.INVOICE:
            # Now, because the look may have shown that an invoice is paid.
            signal_overdue(watch.account, watch._state.db)
        watch.write(memory=watch.memory | {entity.value: look.memory})

    def sync(self, kinds: list[Entity], *, signals: bool) -> None:
        """Sync these kinds as a whole, for the time of a round."""
        sync_for(
            self.watch.account,
            self.seconds,
            kinds,
            may_wait=True,
            signals=signals,
            client=self.client,
            watcher=self.watcher,
        )


def _kinds_to_sync(watch: Watch, full_every: float | None) -> list[Entity]:
    """Return the kinds that were never synced, or not for ``full_every`` seconds."""
    last = {entity: _last_sync(watch, entity) for entity in ENTITIES}
    long_ago = timezone.now() - datetime.timedelta(seconds=full_every or 0)
    return [
        entity
        for entity, synced_at in last.items()
        if synced_at is None or (full_every is not None and synced_at <= long_ago)
    ]


def _last_sync(watch: Watch, entity: Entity) -> datetime.datetime | None:
    runs = SyncRun.objects.using(watch._state.db).filter(account=watch.account, entity=entity)
    runs = runs.filter(finished_at__isnull=False, is_dry_run=False, error="")
    return runs.order_by("-pk").values_list("finished_at", flat=True).first()
