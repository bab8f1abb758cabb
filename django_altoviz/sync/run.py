"""Run a sync: read each list, apply what differs, look up what is missing. Start reading here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from django.db import Error

from django_altoviz.client import AltovizClient
from django_altoviz.conf import DEFAULT_ACCOUNT
from django_altoviz.event_types import Entity
from django_altoviz.exceptions import (
    AllGone,
    APIFailure,
    Conflict,
    IncompleteList,
    InvalidRequest,
    ListsFailed,
    NotFound,
    ServerError,
    SyncPaused,
    SyncTakenOver,
    UnexpectedAnswer,
)
from django_altoviz.intake.envelopes import storable
from django_altoviz.models import SyncRun
from django_altoviz.sync.claiming import claim_run
from django_altoviz.sync.key_check import check_key
from django_altoviz.sync.missing import look_up_changed, look_up_missing
from django_altoviz.sync.overdue import signal_overdue
from django_altoviz.sync.progress import Watcher
from django_altoviz.sync.reading import drop_seen, read_list
from django_altoviz.sync.reconciling import Reconciler

#: The kinds of object that a sync reads, in this order by default.
ENTITIES = tuple(Entity)

#: Errors that concern one list: the sync goes on with the next list.
OF_ONE_LIST = (
    Conflict,
    IncompleteList,
    InvalidRequest,
    NotFound,
    ServerError,
    UnexpectedAnswer,
)


def sync(
    account: str = DEFAULT_ACCOUNT,
    entities: Sequence[Entity] = ENTITIES,
    *,
    dry_run: bool = False,
    signals: bool = False,
    all_gone: bool = False,
    client: AltovizClient | None = None,
    watcher: Watcher | None = None,
) -> list[SyncRun]:
    """Reconcile the mirror of an account with Altoviz, and return one ``SyncRun`` per kind of object.

    Each difference becomes an event of source ``sync``, which is processed at once. The first sync
    of a kind of object calls receivers for new objects only if ``signals`` is true. A ``dry_run``
    changes neither the mirror nor the events. ``all_gone`` accepts that Altoviz has no objects left.

    A sync can be interrupted at any time: it deletes only objects that it has looked up, and the
    next sync resumes it.

    Raises:
        APIFailure: something could not be read; the rest is applied. ``ListsFailed``: several lists.
        AllGone: Altoviz has none of the objects that the mirror has.
        SyncTakenOver: another process has taken over the sync.
        ImproperlyConfigured: the account has no ``API_KEY``.
    """
    watcher = watcher or Watcher()
    runs: list[SyncRun] = []
    failures: list[APIFailure] = []
    with ExitStack() as stack:
        client = client or stack.enter_context(AltovizClient.for_account(account))
        stack.enter_context(waits_reported(client, watcher))
        for entity in dict.fromkeys(entities):
            runs.append(claim_run(account, entity, watcher, is_dry_run=dry_run))
            reconciler = Reconciler(runs[-1], client, signals=signals)
            try:
                _reconcile(reconciler, watcher, all_gone=all_gone)
            except OF_ONE_LIST as error:
                failures.append(error)
    raise_all(failures)
    return runs


def raise_all(failures: Sequence[APIFailure]) -> None:
    """Raise the failures of lists, if there are any: ``ListsFailed`` if there are several."""
    if failures:
        raise failures[0] if len(failures) == 1 else ListsFailed(failures)


@contextmanager
def waits_reported(client: AltovizClient, watcher: Watcher) -> Iterator[None]:
    """Tell the watcher of each pause of the client."""
    # The client may be the caller's, who uses it after the sync.
    before = client.rate_limiter.on_wait, client.on_pause
    client.rate_limiter.on_wait, client.on_pause = watcher.paused, watcher.retrying
    try:
        yield
    finally:
        client.rate_limiter.on_wait, client.on_pause = before


def _reconcile(reconciler: Reconciler, watcher: Watcher, *, all_gone: bool) -> None:
    """Reconcile one kind of object, and note in its run how that ended."""
    run = reconciler.run
    try:
        for batch in read_list(run, reconciler.resource):
            if batch.is_first and not all_gone:
                check_key(reconciler, batch.objects)
            drop_seen(run, reconciler.resource, batch)
            reconciler.apply(batch)
            watcher.progressed(run)
            del batch  # or two would be in memory while the next one is read
        look_up_missing(reconciler, watcher)
        look_up_changed(reconciler, watcher)
        run.finish()
    except (AllGone, IncompleteList) as error:
        # This run can't be resumed: the next sync reads the list from its beginning.
        run.finish(str(error))
        raise
    except SyncTakenOver:
        raise
    except BaseException as error:
        with suppress(Error, SyncTakenOver):
            run.write(error=_reason(error))
        raise
    if run.entity == Entity.INVOICE and not run.is_dry_run:
        # Now, because the list may have shown that an invoice is paid.
        signal_overdue(run.account, run._state.db)
    watcher.ended(run)


def _reason(error: BaseException) -> str:
    """Return what may be stored of an error. The text of any other than ours may quote data."""
    is_ours = isinstance(error, (APIFailure, SyncPaused))
    return storable(str(error)) if is_ours else type(error).__name__
