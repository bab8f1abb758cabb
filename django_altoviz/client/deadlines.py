"""A time limit for a whole request.

The timeouts of requests limit the time until the connection and between two bytes, so an answer that
comes byte by byte may take for ever.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class DeadlineAdapter(HTTPAdapter):
    """Shut the connection down if the answer is not there after ``seconds``.

    The request then fails as if the server had closed the connection.
    """

    def __init__(self, seconds: float, **options: Any) -> None:
        self._seconds = seconds
        # Of one thread, because a session is.
        self._connections: weakref.WeakSet[HTTPConnection] = weakref.WeakSet()
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
        is_over = threading.Event()
        timer = threading.Timer(self._seconds, self._shut_down, [is_over])
        timer.daemon = True
        timer.start()
        try:
            response = super().send(request, stream=stream, **options)
            if not stream:
                _ = response.content  # read now, while the time runs
        finally:
            timer.cancel()
        if is_over.is_set():
            # The end of the connection may look like the end of the headers.
            raise requests.ConnectionError(f"no answer within {self._seconds:g} seconds")
        return response

    def _shut_down(self, is_over: threading.Event) -> None:
        is_over.set()
        for connection in [*self._connections]:
            with contextlib.suppress(OSError, AttributeError):  # it may have no socket any more
                connection.sock.shutdown(socket.SHUT_RDWR)


def _pools_that_register(connections: weakref.WeakSet[HTTPConnection]) -> dict[str, Any]:
    """Return the classes of connection pools, by scheme, whose connections add themselves."""

    def register(kind: Any) -> Any:
        class Registered(kind):  # type: ignore[misc]
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                connections.add(self)

        return Registered

    class Plain(HTTPConnectionPool):
        ConnectionCls = register(HTTPConnection)

    class Secure(HTTPSConnectionPool):
        ConnectionCls = register(HTTPSConnection)

    return {"http": Plain, "https": Secure}
