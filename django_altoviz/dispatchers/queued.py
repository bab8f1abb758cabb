"""What dispatchers have in common that hand events to a queue: Celery, Django Tasks, or another.

The queue carries primary keys, and may lose or repeat them: what is to be done is in the database.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from django.db import router, transaction

from django_altoviz.models import WebhookEvent, WebhookEventQuerySet
from django_altoviz.processing.backlog import drain
from django_altoviz.processing.worker import TIME_BUDGET, process

#: How many events one run of ``process_due`` takes on.
DUE_LIMIT = 1000


def enqueue_after_commit(event: WebhookEvent, enqueue: Callable[[int], object]) -> None:
    """Call ``enqueue`` with the event's primary key as soon as workers can see the event.

    What it raises is logged and goes no further: the event is stored, and ``process_due`` finds it.
    """

    def attempt() -> None:
        try:
            enqueue(event.pk)
        except Exception:
            event.log.exception("Event %s could not be dispatched; it waits.", event.pk)

    transaction.on_commit(attempt, using=event._state.db)


def process_event(pk: int, enqueue: Callable[[int], object] | None = None) -> None:
    """Process the event, in a worker. Nothing happens where it is gone or settled.

    What the object has left when the task has gone on for long enough gets a task of its own by
    ``enqueue``; without that it waits for ``process_due``.

    Raises:
        django.db.Error: the database does not answer; the event still waits to be processed.
    """
    event = _events().filter(pk=pk).first()
    if event is None:
        return
    started = time.monotonic()
    process(event)
    if enqueue is None or time.monotonic() - started < TIME_BUDGET:
        return
    # The tasks of these have come and gone, for they found the object taken by this one.
    left = _events().of_object(event).ready().order_by("pk").first()
    if left is not None:
        enqueue_after_commit(left, enqueue)


def process_due(limit: int = DUE_LIMIT) -> int:
    """Process what is due, at most so many events, and what waits behind them; how many were tried.

    Raises:
        django.db.Error: the database does not answer; the events still wait to be processed.
    """
    return sum(1 for _event in drain(_events(), limit=limit))


def _events() -> WebhookEventQuerySet:
    # Not from where is read by default: a replica may not have the event yet.
    events: WebhookEventQuerySet = WebhookEvent.objects.using(router.db_for_write(WebhookEvent))
    return events
