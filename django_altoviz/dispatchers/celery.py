"""Send events to Celery workers. Requires the extra ``django-altoviz[celery]``.

``process_event`` is idempotent: the broker may deliver it twice, or lose it. Celery need not retry
it either, because a failure is a state of the event. ``process_due``, run by Celery beat, finds the
events whose task was lost by the broker or a worker.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from celery import shared_task
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from kombu.messaging import Producer
from kombu.pools import producers
from kombu.simple import SimpleQueue

from django_altoviz.conf import DEFAULT_ACCOUNT
from django_altoviz.dispatchers import queued
from django_altoviz.models import WebhookEvent

#: Timeout of each operation on the broker, in seconds. Short, because the sender is waiting.
BROKER_TIMEOUT = 2.0
#: Circuit breaker: after a failed publish, skip the broker for this many times as long as the attempt
#: took. So a broker that hangs costs a process at most a sixth of its time, and one that refuses
#: connections immediately is tried again almost at once.
PAUSE = 5
# The time after which a broker removes the queue of an answer that nobody waits for.
_REPLY_SECONDS = 600


@shared_task(  # type: ignore[untyped-decorator]
    bind=True, acks_late=True, reject_on_worker_lost=True, ignore_result=True
)
def process_event(self: Any, pk: int) -> None:
    is_repeated = bool((self.request.delivery_info or {}).get("redelivered"))
    queued.process_event(pk, broker.publish, is_repeated=is_repeated)


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def process_due(limit: int = queued.DUE_LIMIT) -> None:
    """Process the events that are due. A safety net to put in ``beat_schedule``."""
    queued.process_due(limit)


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def sync_account(account: str, kinds: list[str]) -> None:
    queued.sync_account(account, kinds, enqueue_sync)


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def watch_account(account: str = DEFAULT_ACCOUNT) -> None:
    """Make a round of the account's watch. To put in ``beat_schedule``, every five minutes."""
    queued.watch_account(account)


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def answer_round(reply_to: str) -> None:
    """Answer ``go_round``, on the queue that it waits at."""
    with _connection() as connection, _reply_queue(connection, reply_to) as replies:
        replies.put("answered")


def go_round(seconds: float) -> bool:
    """Send a task to the queue of the events. Return True if a worker answers it in that time.

    The answer comes on a queue of its own, because a project need not have a result backend.
    """
    name = f"{queue_name()}.{uuid.uuid4().hex}"
    with _connection() as connection, _reply_queue(connection, name) as replies:
        answer_round.apply_async(
            (name,), queue=queue_name(), expires=seconds, connection=connection, retry=False
        )
        try:
            replies.get(timeout=seconds)
        except replies.Empty:
            return False
        finally:
            # RabbitMQ would tell a consumer that its queue is gone.
            replies.consumer.cancel()
            replies.queue.delete()
    return True


def _reply_queue(connection: Connection, name: str) -> SimpleQueue:
    # It goes away by itself if this process is killed.
    return SimpleQueue(  # type: ignore[no-untyped-call]
        connection,
        name,
        no_ack=True,
        queue_opts={"auto_delete": True, "expires": _REPLY_SECONDS},
        exchange_opts={"auto_delete": True},
    )


def queue_name() -> str:
    """Return the name of the queue that the project's Celery app sends the tasks to."""
    name: str = process_event.app.amqp.router.route({}, process_event.name)["queue"].name
    return name


class Broker:
    """Publish tasks to the broker, behind a circuit breaker."""

    def __init__(self) -> None:
        self.paused_until = 0.0

    def publish(self, pk: int) -> None:
        self.send(process_event, pk)

    def send(self, task: Any, *args: Any) -> None:
        started = time.monotonic()
        if started < self.paused_until:
            raise OperationalError("The circuit breaker is open: the broker failed a moment ago.")
        try:
            self._send(task, args)
        except Exception:
            now = time.monotonic()
            self.paused_until = now + PAUSE * (now - started)
            raise

    def _send(self, task: Any, args: tuple[Any, ...]) -> None:
        with producers[_connection()].acquire(block=True, timeout=BROKER_TIMEOUT) as producer:
            connection = producer.connection
            was_connected = connection.connected
            try:
                _apply(task, args, producer)
            except OperationalError:
                # Not close(): AMQP's closing handshake would wait for an answer from the broker.
                connection.collect()
                if not was_connected:
                    raise
                # A pooled connection may be stale: the broker was restarted, or a firewall dropped
                # the idle connection. Try once more on a new one.
                producer.revive(connection)
                _apply(task, args, producer)


def _apply(task: Any, args: tuple[Any, ...], producer: Producer) -> None:
    task.apply_async(args, producer=producer, retry=False)


def _connection() -> Connection:
    """Return the configured connection with timeouts, most of which kombu leaves off by default."""
    options = {
        "max_retries": 0,
        # AMQP. Without publisher confirms, a message written to a dead connection is lost silently.
        "confirm_publish": True,
        "read_timeout": BROKER_TIMEOUT,
        "write_timeout": BROKER_TIMEOUT,
        # Redis
        "socket_timeout": BROKER_TIMEOUT,
        "socket_connect_timeout": BROKER_TIMEOUT,
    }
    connection: Connection = process_event.app.connection_for_write(
        connect_timeout=BROKER_TIMEOUT, transport_options=options
    )
    return connection


broker = Broker()


def enqueue_sync(account: str, kinds: list[str]) -> None:
    broker.send(sync_account, account, kinds)


def dispatch(event: WebhookEvent) -> None:
    queued.enqueue_after_commit(event, broker.publish)
