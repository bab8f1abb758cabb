"""Deliver the fake's events to the webhooks, with the faults that the switches ask for."""

from __future__ import annotations

import base64
import http.client
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from urllib.parse import urlsplit

from django_altoviz.event_types import EventType
from django_altoviz.intake import signing
from django_altoviz.samples import new_event_id
from django_altoviz.testing.fake.behaviour import Behaviour
from django_altoviz.testing.fake.serializers import serialize
from django_altoviz.testing.fake.store import FakeRecord, compact_json
from django_altoviz.testing.fake.webhooks import FakeWebhook, FakeWebhooks

_RESPONSE_TIMEOUT = 30  # seconds
# Seconds without a new event after which deliveries that wait for later events are sent.
_IDLE = 0.05

#: The encodings of a signature's 32 bytes.
ENCODINGS: dict[str, Callable[[bytes], str]] = {
    "hex": lambda digest: digest.hex(),
    "HEX": lambda digest: digest.hex().upper(),
    "dashed": lambda digest: digest.hex("-").upper(),
    "base64": lambda digest: base64.b64encode(digest).decode(),
    "base64url": lambda digest: base64.urlsafe_b64encode(digest).decode().rstrip("="),
}


@dataclass
class Delivery:
    """A delivery of an event to a webhook.

    ``status`` is the status of the webhook's answer. It is ``None`` before there is one, and stays
    ``None`` if there never is one; ``error`` then says why.
    """

    type: EventType
    event_id: str
    object_id: int
    url: str
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    pause: float = 0.0
    status: int | None = None
    error: str = ""

    @property
    def was_accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    def post(self) -> None:
        try:
            url = urlsplit(self.url)
            is_secure = url.scheme == "https"
            kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
            connection = kind(url.hostname or "", url.port, timeout=_RESPONSE_TIMEOUT)
            try:
                self._post(connection, url.path or "/", url.query)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.error = f"{type(error).__name__}: {error}"

    def _post(self, connection: http.client.HTTPConnection, path: str, query: str) -> None:
        # Like .NET, send neither User-Agent nor Accept headers by default [inferred].
        connection.putrequest(
            "POST", path + (f"?{query}" if query else ""), skip_accept_encoding=True
        )
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(self.body)))
        connection.endheaders(self.body)
        response = connection.getresponse()
        response.read()
        self.status = response.status


Transport = Callable[[Delivery], None]


class Deliveries:
    """Send each event to the webhooks that subscribe to it, in order unless a switch reorders them.

    A background thread posts the deliveries, so changing an object does not wait for the webhooks.
    If there is a ``transport``, no thread runs: ``wait()`` calls the transport for each delivery.
    """

    def __init__(
        self,
        webhooks: FakeWebhooks,
        behaviour: Callable[[], Behaviour],
        random: Random,
        transport: Transport | None = None,
    ) -> None:
        self._webhooks, self._behaviour, self._random = webhooks, behaviour, random
        self._transport = transport
        self._queue: queue.Queue[Delivery] = queue.Queue()
        self._is_over = threading.Event()
        self._held: list[tuple[int, Delivery]] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="fake Altoviz", daemon=True)
        #: All deliveries in the order in which they were sent, without the dropped ones.
        self.sent: list[Delivery] = []

    def start(self) -> None:
        if self._transport is None:
            self._thread.start()

    def stop(self) -> None:
        """Deliver everything that is queued, then stop the thread."""
        if self._thread.is_alive():
            self.wait()
            self._is_over.set()
            self._thread.join()

    def wait(self) -> list[Delivery]:
        """Wait until every event so far is delivered. Return all deliveries so far."""
        self.release()
        if self._transport is None:
            self._queue.join()
        while not self._queue.empty():
            self._send(self._queue.get())
        return list(self.sent)

    def emit(self, event_type: EventType, record: FakeRecord) -> None:
        for webhook in self._webhooks.registered():
            if event_type in webhook.types:
                self._enqueue(self._make(event_type, record, webhook))

    def release(self) -> None:
        """Queue the deliveries that are held back to be out of order."""
        with self._lock:
            for _, delivery in self._held:
                self._queue.put(delivery)
            self._held.clear()

    def _make(self, event_type: EventType, record: FakeRecord, webhook: FakeWebhook) -> Delivery:
        behaviour = self._behaviour()
        is_own = behaviour.event_ids == "event"
        event_id = new_event_id() if is_own else str(webhook.id)
        body = b'{"id":%b,"type":%b,"data":%b}' % (
            compact_json(event_id),
            compact_json(event_type.value),
            _event_data(event_type, record, behaviour),
        )
        return Delivery(
            type=event_type,
            event_id=event_id,
            object_id=record["id"],
            url=webhook.url,
            body=body,
            headers=_delivery_headers(body, webhook.secret, behaviour),
        )

    def _enqueue(self, delivery: Delivery) -> None:
        behaviour, draw = self._behaviour(), self._random.random
        with self._lock:
            if draw() < behaviour.drop:
                return
            copies = 2 if draw() < behaviour.duplicate else 1
            held = [(count - 1, each) for count, each in self._held]
            self._held = [(count, each) for count, each in held if count > 0]
            for _ in range(copies):
                copy = Delivery(**vars(delivery))
                if draw() < behaviour.delay:
                    copy.pause = self._random.uniform(0, behaviour.delay_seconds)
                if draw() < behaviour.reorder:
                    self._held.append((self._random.randint(1, 3), copy))
                else:
                    self._queue.put(copy)
            for count, each in held:
                if count <= 0:
                    self._queue.put(each)

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                delivery = self._queue.get(timeout=_IDLE)
            except queue.Empty:
                self.release()
            else:
                self._send(delivery)

    def _send(self, delivery: Delivery) -> None:
        time.sleep(delivery.pause)
        try:
            (self._transport or Delivery.post)(delivery)
        finally:
            self.sent.append(delivery)
            self._queue.task_done()


def _event_data(event_type: EventType, record: FakeRecord, behaviour: Behaviour) -> bytes:
    if event_type.is_deletion and behaviour.deleted_data == "null":
        return b"null"
    if event_type.is_deletion and behaviour.deleted_data == "id":
        return compact_json({"id": record["id"]})
    return serialize(compact_json(record), behaviour)


def _delivery_headers(body: bytes, secret: str | None, behaviour: Behaviour) -> dict[str, str]:
    headers = {}
    if behaviour.content_type is not None:
        headers["Content-Type"] = behaviour.content_type
    if behaviour.user_agent is not None:
        headers["User-Agent"] = behaviour.user_agent
    if secret is not None:
        encode = ENCODINGS[behaviour.signature]
        headers["X-Signature"] = encode(signing.digest(body, secret))
    return headers
