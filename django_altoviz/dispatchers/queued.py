"""What dispatchers have in common that hand events to a queue: Celery, Django Tasks, or another.

The queue carries primary keys, and may lose or repeat them: what is to be done is in the database.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import router, transaction

from django_altoviz.backlog import drain
from django_altoviz.models import WebhookEvent, WebhookEventQuerySet
from django_altoviz.processing import process

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


def process_event(pk: int) -> None:
    """Process the event, in a worker. Nothing happens where it is gone or settled.

    Raises:
        django.db.Error: the database does not answer; the event still waits to be processed.
    """
    event = _events().filter(pk=pk).first()
    if event is not None:
        process(event)


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
