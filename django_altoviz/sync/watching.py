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
from django_altoviz.models import SyncRun, Watch
from django_altoviz.sync.looking import Look
from django_altoviz.sync.overdue import signal_overdue
from django_altoviz.sync.progress import Watcher
from django_altoviz.sync.reconciling import Counts
from django_altoviz.sync.run import ENTITIES, OF_ONE_LIST, raise_all, waits_reported
from django_altoviz.sync.slices import sync_for

#: The seconds between two rounds.
INTERVAL = 300.0
# A round may plan with the requests of a minute, however short it is.
_SHORTEST = 60.0


@dataclass
class Round:
    """The result of a round: the counts of all kinds, and how many requests it took.

    ``overdue`` is the number of due dates that it signalled, and ``synced`` has the kinds that were
    synced as a whole.
    """

    counts: Counts = field(default_factory=Counter)
    overdue: int = 0
    requests: int = 0
    synced: tuple[Entity, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the numbers."""
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
    """Look once at what may have changed at Altoviz without an event, and apply each difference.

    A kind of object that was never synced is synced as a whole, and with ``full_every`` also one whose
    last sync is that many seconds ago. Such a sync takes ``seconds`` at most, and the next round goes
    on with it. Its first one calls receivers only if ``signals`` is true. The requests stay within
    ``WATCH_SHARE`` of the rate limit.

    ``watch`` is what ``claim_watch`` returned, for a process that makes many rounds. Without it, the
    round claims the watch, and another process that watches the account stops.

    Raises:
        APIFailure: something could not be read; the rest is applied.
        AllGone: Altoviz has none of the objects that the mirror has.
        SyncTakenOver: another process watches the account now.
        ImproperlyConfigured: the account has no ``API_KEY``.
    """
    watch, watcher = watch or claim_watch(account), watcher or Watcher()
    with ExitStack() as stack:
        client = client or stack.enter_context(AltovizClient.for_account(account))
        limit = stack.enter_context(_share_of(client))
        stack.enter_context(waits_reported(client, watcher))
        watch.write(rounds=watch.rounds + 1)
        due = _kinds_to_sync(watch, full_every)
        result, failures = Round(), []
        for entity in ENTITIES:
            if _last_sync(watch, entity) is None:
                continue
            try:
                _look_at(entity, watch, client, watcher, result, seconds)
            except OF_ONE_LIST as error:
                failures.append(error)
        if due:
            left = sync_for(
                account,
                seconds,
                due,
                may_wait=True,
                signals=signals,
                client=client,
                watcher=watcher,
            )
            result.synced = tuple(entity for entity in due if entity not in left)
        result.requests = limit.acquired
        watch.write(requests=result.requests)
    raise_all(failures)
    return result


@contextmanager
def _share_of(client: AltovizClient) -> Iterator[RateLimiter]:
    """Let the client take no more than the watch's share of the rate limit."""
    whole = client.rate_limiter
    client.rate_limiter = whole.share(app_settings.WATCH_SHARE)
    try:
        yield client.rate_limiter
    finally:
        client.rate_limiter = whole


def _look_at(
    entity: Entity,
    watch: Watch,
    client: AltovizClient,
    watcher: Watcher,
    result: Round,
    seconds: float,
) -> None:
    """Look at one kind of object, and store what the next round has to know of it."""
    budget = int(client.rate_limiter.requests * max(seconds, _SHORTEST) / 60)
    look = Look(watch.account, entity, client, watch.memory.get(entity, {}), budget)
    try:
        look.take(watcher)
    finally:
        result.counts += look.counts
    if entity == Entity.INVOICE:
        # After the look, because it may have found that an invoice is paid.
        result.overdue += signal_overdue(watch.account, watch._state.db)
    watch.write(memory=watch.memory | {entity.value: look.memory})


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
