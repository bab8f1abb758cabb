"""Limits for a whole answer: its time and its size.

The timeouts of requests limit the time until the connection and between two bytes, so an answer that
comes byte by byte may take for ever, and nothing limits its length.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from django_altoviz.client.responses import is_success

#: How many bytes of a stream are read first, and how many at once after that.
HEAD_BYTES = 1024
CHUNK_BYTES = 64 * 1024
_PAUSE_BETWEEN_RINGS = 0.2  # seconds


class OutOfTime(requests.ConnectionError):
    """The answer did not arrive in time."""


class TooLarge(requests.RequestException):
    """The answer is longer than the limit."""


class LimitedAdapter(HTTPAdapter):
    """Shut the connection down if the answer is not there after ``seconds``, or exceeds ``most`` bytes.

    Of a stream that succeeds, the first ``HEAD_BYTES`` are read within this time, as ``response.head``.
    The rest is left to its reader, without a limit.
    """

    #: The clock of the current request.
    _clock: _Clock

    def __init__(self, seconds: float, most: int, **options: Any) -> None:
        self._seconds, self._most = seconds, most
        self._connections = _Connections()
        self._pools = _pools_that_register(self._connections)
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def send(  # type: ignore[override]
        self, request: Any, stream: bool = False, **options: Any
    ) -> requests.Response:
        self._clock = _Clock(self._seconds, self._shut_down)
        self._clock.start()
        try:
            response: Any = super().send(request, stream=stream, **options)
            if stream and is_success(response.status_code):
                response.head = _head_of(response)
                self._connections.leave(response.raw)
            else:
                response._content = self._read(response)  # where requests looks first
        except (OSError, ValueError):  # an SSL socket that was shut down raises ValueError
            self._clock.check()  # the connection may have ended because the time did
            raise
        finally:
            self._clock.stop()
        self._clock.check()  # the end of the connection may look like the end of the headers
        answered: requests.Response = response
        return answered

    @contextlib.contextmanager
    def pausing(self) -> Iterator[None]:
        """Stop the clock during a pause between two attempts at a request."""
        self._clock.stop()
        yield
        self._clock.check()
        self._clock.start()

    def _read(self, response: requests.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(CHUNK_BYTES):
            body += chunk
            if len(body) > self._most:
                response.close()
                raise TooLarge(f"more than {self._most} bytes")
        return bytes(body)

    def _shut_down(self) -> None:
        for connection in self._connections.all():
            with contextlib.suppress(OSError, AttributeError):  # it may have no socket
                connection.sock.shutdown(socket.SHUT_RDWR)


def _head_of(response: requests.Response) -> bytes:
    head = b""
    try:
        for chunk in response.iter_content(HEAD_BYTES):
            head += chunk
            if len(head) >= HEAD_BYTES:
                break
    except BaseException:
        response.close()
        raise
    return head


class _Connections:
    """The connections that may be in use. The clock's thread reads them, too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: weakref.WeakSet[HTTPConnection] = weakref.WeakSet()

    def join(self, connection: HTTPConnection) -> None:
        with self._lock:
            self._all.add(connection)

    def leave(self, response: Any) -> None:
        """Leave the response's connection to its reader, until it sends another request."""
        with self._lock:
            if response.connection is not None:  # as long as there is more to read
                self._all.discard(response.connection)

    def all(self) -> list[HTTPConnection]:
        with self._lock:
            return [*self._all]


class _Clock:
    """A countdown that can be stopped and go on. At its end it rings until it is stopped.

    Once would not do: during the name look-up and the handshake there is no socket to shut down.
    """

    def __init__(self, seconds: float, ring: Any) -> None:
        self._seconds = self._left = seconds
        self._ring = ring
        self._is_over, self._is_stopped = threading.Event(), threading.Event()
        self._timer: threading.Timer | None = None
        self._started_at = 0.0

    def start(self) -> None:
        self._started_at = time.monotonic()
        self._is_stopped = threading.Event()
        self._timer = threading.Timer(max(self._left, 0), self._end, [self._is_stopped])
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._is_stopped.set()
            self._left -= time.monotonic() - self._started_at

    def check(self) -> None:
        """Raise ``OutOfTime`` if the time is over."""
        if self._is_over.is_set():
            raise OutOfTime(f"no answer within {self._seconds:g} seconds")

    def _end(self, is_stopped: threading.Event) -> None:
        self._is_over.set()
        self._ring()
        while not is_stopped.wait(_PAUSE_BETWEEN_RINGS):
            self._ring()


def _pools_that_register(connections: _Connections) -> dict[str, Any]:
    """Return the classes of connection pools, by scheme, whose connections add themselves."""

    def register(kind: Any) -> Any:
        class Registered(kind):  # type: ignore[misc]
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                connections.join(self)

            def putrequest(self, *args: Any, **options: Any) -> None:
                connections.join(self)  # it may have left with its last answer
                super().putrequest(*args, **options)

        return Registered

    class Plain(HTTPConnectionPool):
        ConnectionCls = register(HTTPConnection)

    class Secure(HTTPSConnectionPool):
        ConnectionCls = register(HTTPSConnection)

    return {"http": Plain, "https": Secure}
