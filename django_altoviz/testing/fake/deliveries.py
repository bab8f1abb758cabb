"""How events get from the fake to the webhooks, or do not."""

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
from django_altoviz.testing.fake.serializers import show
from django_altoviz.testing.fake.shapes import Object
from django_altoviz.testing.fake.store import to_bytes
from django_altoviz.testing.fake.webhooks import Webhook, Webhooks

_TIMEOUT = 30  # seconds
# What was held back for later events is sent when none has come for so long.
_IDLE = 0.05

#: The ways in which the 32 bytes of a signature may be written.
ENCODINGS: dict[str, Callable[[bytes], str]] = {
    "hex": lambda digest: digest.hex(),
    "HEX": lambda digest: digest.hex().upper(),
    "dashed": lambda digest: digest.hex("-").upper(),
    "base64": lambda digest: base64.b64encode(digest).decode(),
    "base64url": lambda digest: base64.urlsafe_b64encode(digest).decode().rstrip("="),
}


@dataclass
class Delivery:
    """One event on its way to one webhook, and what came of it.

    ``status`` is the answer's, ``None`` before and where there was none; then ``error`` says why.
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
            connection = kind(url.hostname or "", url.port, timeout=_TIMEOUT)
            try:
                self._post(connection, url.path or "/", url.query)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.error = f"{type(error).__name__}: {error}"

    def _post(self, connection: http.client.HTTPConnection, path: str, query: str) -> None:
        # .NET sends neither User-Agent nor Accept by itself [inferred].
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
    """Sends each event to the webhooks that want it, in order unless the switches say otherwise.

    A thread of its own posts them, so that to change an object does not wait for the receivers. But
    where there is a ``transport``, that is called instead, and by whom waits for the deliveries.
    """

    def __init__(
        self,
        webhooks: Webhooks,
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
        #: Everything that was sent, in the order in which it was; what was dropped is not there.
        self.sent: list[Delivery] = []

    def start(self) -> None:
        if self._transport is None:
            self._thread.start()

    def stop(self) -> None:
        """Stop when all is delivered."""
        if self._thread.is_alive():
            self.wait()
            self._is_over.set()
            self._thread.join()

    def wait(self) -> list[Delivery]:
        """Wait until all that happened is told. Return all deliveries so far."""
        self.release()
        if self._transport is None:
            self._queue.join()
        while not self._queue.empty():
            self._send(self._queue.get())
        return list(self.sent)

    def tell(self, event_type: EventType, value: Object) -> None:
        for webhook in self._webhooks.registered():
            if event_type in webhook.types:
                self._enqueue(self._make(event_type, value, webhook))

    def release(self) -> None:
        """Let go of all that is held back to come late."""
        with self._lock:
            for _, delivery in self._held:
                self._queue.put(delivery)
            self._held.clear()

    def _make(self, event_type: EventType, value: Object, webhook: Webhook) -> Delivery:
        behaviour = self._behaviour()
        is_own = behaviour.event_ids == "event"
        event_id = new_event_id() if is_own else str(webhook.id)
        body = b'{"id":%b,"type":%b,"data":%b}' % (
            to_bytes(event_id),
            to_bytes(event_type.value),
            _data(event_type, value, behaviour),
        )
        return Delivery(
            type=event_type,
            event_id=event_id,
            object_id=value["id"],
            url=webhook.url,
            body=body,
            headers=_headers(body, webhook.secret, behaviour),
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
                one = Delivery(**{**vars(delivery)})
                if draw() < behaviour.delay:
                    one.pause = self._random.uniform(0, behaviour.delay_seconds)
                if draw() < behaviour.reorder:
                    self._held.append((self._random.randint(1, 3), one))
                else:
                    self._queue.put(one)
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


def _data(event_type: EventType, value: Object, behaviour: Behaviour) -> bytes:
    if event_type.is_deletion and behaviour.deleted_data == "null":
        return b"null"
    if event_type.is_deletion and behaviour.deleted_data == "id":
        return to_bytes({"id": value["id"]})
    return show(to_bytes(value), behaviour)


def _headers(body: bytes, secret: str | None, behaviour: Behaviour) -> dict[str, str]:
    headers = {}
    if behaviour.content_type is not None:
        headers["Content-Type"] = behaviour.content_type
    if behaviour.user_agent is not None:
        headers["User-Agent"] = behaviour.user_agent
    if secret is not None:
        encode = ENCODINGS[behaviour.signature]
        headers["X-Signature"] = encode(signing.digest(body, secret))
    return headers
