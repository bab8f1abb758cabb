"""Hand the event to Celery's workers. It comes with the extra ``django-altoviz[celery]``.

``process_event`` may be delivered twice or never. Celery need not retry it: a failure is a state of
the event, and ``process_due``, run by Celery's beat, finds whatever a queue or a worker has lost.
"""

from __future__ import annotations

import time

from celery import shared_task
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from kombu.messaging import Producer
from kombu.pools import producers

from django_altoviz.dispatchers import queued
from django_altoviz.models import WebhookEvent

#: How long, in seconds, the broker may take for each thing that is asked of it. A sender waits.
PATIENCE = 2.0
#: For how many times as long as it made a sender wait, in vain, the broker is left alone. So a broker
#: that does not answer takes a sixth of a process's time, and one that refuses at once is asked again.
PAUSE = 5


@shared_task(acks_late=True, reject_on_worker_lost=True, ignore_result=True)  # type: ignore[untyped-decorator]
def process_event(pk: int) -> None:
    queued.process_event(pk, broker.publish)


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def process_due(limit: int = queued.DUE_LIMIT) -> None:
    """The safety net, for ``beat_schedule``."""
    queued.process_due(limit)


class Broker:
    """Where events are published, as far as it answers."""

    def __init__(self) -> None:
        self.paused_until = 0.0

    def publish(self, pk: int) -> None:
        started = time.monotonic()
        if started < self.paused_until:
            raise OperationalError("The broker did not answer a moment ago, and is not asked now.")
        try:
            self._publish(pk)
        except Exception:
            now = time.monotonic()
            self.paused_until = now + PAUSE * (now - started)
            raise

    def _publish(self, pk: int) -> None:
        with producers[_connection()].acquire(block=True, timeout=PATIENCE) as producer:
            connection = producer.connection
            was_connected = connection.connected
            try:
                _send(pk, producer)
            except OperationalError:
                connection.collect()  # without the farewell of AMQP, which waits for an answer
                if not was_connected:
                    raise
                # The broker was restarted, or something on the way closed what had been idle.
                producer.revive(connection)
                _send(pk, producer)


def _send(pk: int, producer: Producer) -> None:
    process_event.apply_async((pk,), producer=producer, retry=False)


def _connection() -> Connection:
    """A connection as configured, but for its patience: by default most of this has no end."""
    options = {
        "max_retries": 0,
        # AMQP. Confirmed, for what is written to a connection that is dead is lost without an error.
        "confirm_publish": True,
        "read_timeout": PATIENCE,
        "write_timeout": PATIENCE,
        # Redis
        "socket_timeout": PATIENCE,
        "socket_connect_timeout": PATIENCE,
    }
    connection: Connection = process_event.app.connection_for_write(
        connect_timeout=PATIENCE, transport_options=options
    )
    return connection


broker = Broker()


def dispatch(event: WebhookEvent) -> None:
    queued.enqueue_after_commit(event, broker.publish)
