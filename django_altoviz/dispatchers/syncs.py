"""Start a sync because somebody asks for one: in the workers if there is a queue, or else in the request."""

from __future__ import annotations

from dataclasses import dataclass, field

from django_altoviz.dispatchers import dispatch_sync
from django_altoviz.event_types import Entity
from django_altoviz.exceptions import QueueDown, ends_task
from django_altoviz.models.sync_runs import SyncState, last_syncs
from django_altoviz.sync import sync_for

#: The seconds that a sync takes at most in a request, which a server may end after 30.
SECONDS_TO_SYNC = 10.0


@dataclass(frozen=True)
class StartedSync:
    """The outcome: a worker is to do the sync, or it was done here but for the kinds that are ``left``."""

    is_queued: bool
    left: list[Entity] = field(default_factory=list)


def is_syncing(account: str) -> bool:
    """Return True if a sync of the account is running."""
    return any(run.state == SyncState.RUNNING for run in last_syncs(account))


def start_sync(account: str) -> StartedSync | None:
    """Start a sync of the account. Return None if one is running already.

    Raises:
        QueueDown: the queue does not take the task.
        APIFailure, SyncTakenOver, ImproperlyConfigured, UnknownAccount: as ``sync_for``.
    """
    if is_syncing(account):
        return None
    try:
        is_queued = dispatch_sync(account)
    except Exception as error:  # each broker has exceptions of its own
        if ends_task(error):
            raise
        raise QueueDown(type(error).__name__) from error
    if is_queued:
        return StartedSync(is_queued=True)
    return StartedSync(is_queued=False, left=sync_for(account, SECONDS_TO_SYNC))
