"""A sync: each kind of object is read whole, compared, and what is gone is looked up once more."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress

from django.db import Error, router
from django.db.models import F, QuerySet
from django.utils import timezone

from django_altoviz.client import AltovizClient
from django_altoviz.conf import DEFAULT_ACCOUNT, app_settings
from django_altoviz.event_types import Entity
from django_altoviz.exceptions import (
    AllGone,
    APIError,
    APIFailure,
    Conflict,
    IncompleteList,
    InvalidRequest,
    NotFound,
    ServerError,
    SyncTakenOver,
    UnexpectedAnswer,
)
from django_altoviz.models import SyncRun
from django_altoviz.sync.comparing import newest_event
from django_altoviz.sync.missing import recheck, seek_missing
from django_altoviz.sync.progress import Watcher
from django_altoviz.sync.reading import read_list
from django_altoviz.sync.reconciling import Reconciler

#: What a sync reads, in this order: whom and what a document names comes before it.
ENTITIES = (Entity.CUSTOMER, Entity.CONTACT, Entity.PRODUCT, Entity.INVOICE, Entity.QUOTE)

# What one list has may be no trouble of the others.
_OF_ONE_LIST = (
    Conflict,
    IncompleteList,
    InvalidRequest,
    NotFound,
    ServerError,
    UnexpectedAnswer,
)
# What was read longer ago is not gone on with: it says little about today.
_GOES_ON = datetime.timedelta(days=1)


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
    """Bring the mirror of an account to what is at Altoviz, and return what was found.

    Differences become events of source ``sync``, which are processed at once. What is new in the
    first sync of a kind of object is not told to receivers, unless ``signals``. With ``dry_run``
    neither the mirror nor the events change; ``all_gone`` believes it if none of the objects is left.

    It can be interrupted at any time: nothing is marked as deleted that was not looked up, and the
    next one goes on where this one was.

    Raises:
        APIFailure: not all could be read; what was, is brought in.
        AllGone: Altoviz has none of the objects that the mirror has.
        SyncTakenOver: another process goes on with it.
        ImproperlyConfigured: the account has no ``API_KEY``.
    """
    watcher = watcher or Watcher()
    with ExitStack() as stack:
        client = client or stack.enter_context(AltovizClient.for_account(account))
        client.rate_limiter.on_wait = watcher.paused
        reconcilers = (
            Reconciler(
                _claim_run(account, entity, dry_run, watcher),
                client,
                signals=signals,
                all_gone=all_gone,
            )
            for entity in ENTITIES
            if entity in entities
        )
        return _sync_each(reconcilers, watcher)


def _sync_each(reconcilers: Iterable[Reconciler], watcher: Watcher) -> list[SyncRun]:
    runs: list[SyncRun] = []
    failures: list[APIFailure] = []
    for reconciler in reconcilers:
        runs.append(reconciler.run)
        try:
            _sync_entity(reconciler, watcher)
        except _OF_ONE_LIST as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return runs


def _claim_run(account: str, entity: Entity, dry_run: bool, watcher: Watcher) -> SyncRun:
    """The run that was interrupted, or a new one."""
    runs = SyncRun.objects.using(router.db_for_write(SyncRun))
    runs = runs.filter(account=account, entity=entity)
    begun = runs.filter(finished_at=None, is_dry_run=dry_run)
    run = begun.filter(active_at__gt=timezone.now() - _GOES_ON).order_by("-pk").first()
    goes_on = run is not None
    if run is None:
        is_import = _remove_old(runs) is None
        run = SyncRun(account=account, entity=entity, is_import=is_import, is_dry_run=dry_run)
        run.as_of = newest_event(runs.db)
        run.save(using=runs.db)
        # Two that begin in the same moment both claim the later run, so that one of them has it.
        run = begun.order_by("-pk").first() or run
        superseded = begun.exclude(pk=run.pk)
        superseded.update(claims=F("claims") + 1)  # whoever is at one of them adds no more to it
        superseded.delete()
    run.claim()
    watcher.began(run, goes_on=goes_on)
    return run


def _remove_old(runs: QuerySet[SyncRun]) -> SyncRun | None:
    """Remove the runs that are older than events are kept, but for the last that came to its end: it
    says that the import is done, and is returned."""
    done = runs.filter(finished_at__isnull=False, is_dry_run=False, error="")
    last = done.order_by("-pk").first()
    age = datetime.timedelta(days=app_settings.RETENTION_DAYS)
    old = runs.filter(active_at__lt=timezone.now() - age)
    (old.exclude(pk=last.pk) if last else old).delete()
    return last


def _sync_entity(reconciler: Reconciler, watcher: Watcher) -> None:
    run = reconciler.run
    try:
        read_list(reconciler, watcher)
        seek_missing(reconciler, watcher)
        recheck(reconciler, watcher)
        run.finish()
    except (AllGone, IncompleteList) as error:
        run.finish(str(error))
        raise
    except SyncTakenOver:
        raise
    except BaseException as error:
        with suppress(Error, SyncTakenOver):
            run.keep(error=_reason(error))
        raise
    watcher.ended(run)


def _reason(error: BaseException) -> str:
    """What may be kept of an error: what Altoviz says in it may quote what it was sent."""
    status = f" ({error.status_code})" if isinstance(error, APIError) else ""
    return f"{type(error).__name__}{status}"
