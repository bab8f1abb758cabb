"""Enqueue and process events, and sync: the part that all queues (Celery, Django Tasks) have in common.

The queue carries only primary keys. It may lose or repeat them, because the event row is the outbox:
what remains to be done is in the database.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import chain, islice

from django.db import transaction

from django_altoviz.event_types import Entity
from django_altoviz.log import log_about
from django_altoviz.models import WebhookEvent, WebhookEventQuerySet
from django_altoviz.processing.backlog import drain, ready_keys
from django_altoviz.processing.worker import TIME_BUDGET, process
from django_altoviz.sync import sync_for, watch_round

#: The maximum number of due events that one run of ``process_due`` begins with.
DUE_LIMIT = 1000
#: The seconds that a round of a watch plans with.
WATCH_SECONDS = 60.0


def enqueue_after_commit(event: WebhookEvent, enqueue: Callable[[int], object]) -> None:
    """Call ``enqueue`` with the event's primary key once the transaction has committed.

    Before the commit a worker could not see the event. Errors are logged, not raised: the event is
    stored, and ``process_due`` finds it.
    """

    def attempt() -> None:
        try:
            enqueue(event.pk)
        except Exception:
            event.log.exception(
                "Event %s is stored but could not be dispatched. Run altoviz_process_events.",
                event.pk,
            )

    transaction.on_commit(attempt, using=event._state.db)


def process_event(
    pk: int, enqueue: Callable[[int], object] | None = None, *, is_repeated: bool = False
) -> None:
    """Process the event in a worker. Do nothing if the event is settled.

    ``is_repeated`` says that the queue has delivered the task before, so a worker may have died of it.

    If the time budget runs out while the object still has unsettled events, enqueue the next of them.
    Without ``enqueue`` these events wait for ``process_due``.

    Raises:
        django.db.Error: the database is unavailable. The event remains due.
    """
    event = _current_events().filter(pk=pk).first()
    if event is None:
        # It was deleted, or another project takes its tasks from the same queue.
        log_about(event_id=str(pk)).warning(
            "There is no event %s. Does another project use this queue, too?", pk
        )
        return
    started = time.monotonic()
    process(event, is_suspect=is_repeated)
    if enqueue is None or time.monotonic() - started < TIME_BUDGET:
        return
    # The remaining events' own tasks may already have run in vain, because this task held the object.
    waiting = ready_keys(_current_events().of_object(event))
    for pk in islice(chain.from_iterable(waiting), 1):
        enqueue_after_commit(_current_events().get(pk=pk), enqueue)


def process_due(limit: int = DUE_LIMIT) -> int:
    """Process due events for ``TIME_BUDGET`` seconds, at most ``limit`` and those of their objects.

    The task must end well below the queue's time limit, which would hit whichever event it has just
    come to. The rest waits for the next run. Return the number of events that were attempted.

    Raises:
        django.db.Error: the database is unavailable. The events remain due.
    """
    deadline = time.monotonic() + TIME_BUDGET
    return sum(1 for _event in drain(_current_events(), limit=limit, deadline=deadline))


def sync_account(
    account: str, kinds: Sequence[str], enqueue: Callable[[str, list[str]], object]
) -> None:
    """Sync an account for ``TIME_BUDGET`` seconds, and enqueue the rest.

    Without ``kinds`` of object, all are synced.

    Raises:
        APIFailure, SyncTakenOver: as ``sync``. Nothing is enqueued.
    """
    if left := sync_for(account, TIME_BUDGET, [*map(Entity, kinds)], may_wait=True):
        enqueue(account, [entity.value for entity in left])


def watch_account(account: str) -> None:
    """Make a round of the account's watch, which takes about a minute at most.

    A kind of object that was never synced is synced for a minute in each round, until that is done.

    Raises:
        APIFailure, SyncTakenOver: as ``watch_round``. The next round makes up for it.
    """
    watch_round(account, seconds=WATCH_SECONDS)


def _current_events() -> WebhookEventQuerySet[WebhookEvent]:
    # Read from the primary, because a replica may not have the event yet.
    events: WebhookEventQuerySet[WebhookEvent] = WebhookEvent.objects.for_write()
    return events
