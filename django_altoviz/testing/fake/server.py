"""Serve the fake over HTTP on loopback, with faults of the network."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from django_altoviz.testing.fake.answers import Answer, Request

HOST = "127.0.0.1"
_HOSTS = {HOST, "localhost"}
#: Faults of the network: see ``FakeAltoviz.fail_next``.
RESET, BREAK_OFF, DRIP = "reset", "break off", "drip"
_DRIPS = 40
# The longest that the server takes to notice that it must stop, in seconds.
_POLL = 0.01


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Each answer is one write, so delaying small packets gains nothing.
    disable_nagle_algorithm = True
    server: Server

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def answer(self) -> None:
        length = self.headers.get("Content-Length") or "0"
        if not re.fullmatch("[0-9]{1,9}", length):
            self._refuse(400, "The Content-Length is not a number.")
            return
        if not self._is_from_a_program():
            self._refuse(403, "The fake is for programs on this machine, not for web pages.")
            return
        body = self.rfile.read(int(length))
        request = Request.parse(self.command, self.path, dict(self.headers), body)
        answer, fault = self.server.answer(request)
        if fault == RESET:
            # With a linger time of zero, close() sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        self._send(self._head(answer), answer.body, fault)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

    def _is_from_a_program(self) -> bool:
        """Return False for a web page, which may be anybody's: by its origin, or by a host that was
        bound to this address."""
        host = urlsplit(f"//{self.headers.get('Host') or HOST}").hostname
        is_cross_site = self.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
        return host in _HOSTS and "Origin" not in self.headers and not is_cross_site

    def _refuse(self, status: int, text: str) -> None:
        self.close_connection = True  # the body, if there is one, is not read
        headers = {"content-type": "text/plain", "connection": "close"}
        answer = Answer(status, text.encode(), headers)
        self.wfile.write(self._head(answer) + answer.body)

    def _head(self, answer: Answer) -> bytes:
        phrase = HTTPStatus(answer.status).phrase
        headers = {
            "date": self.date_time_string(),
            "content-length": str(len(answer.body)),
            "strict-transport-security": "max-age=2592000",
            **answer.headers,
        }
        lines = [f"HTTP/1.1 {answer.status:d} {phrase}"]
        lines += [f"{name}: {text}" for name, text in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")

    def _send(self, head: bytes, body: bytes, fault: str | None) -> None:
        if fault == BREAK_OFF:
            self.wfile.write(head + body[: len(body) // 2])
            self.close_connection = True
        elif fault == DRIP:
            self.wfile.write(head)
            step = len(body) // _DRIPS + 1
            for start in range(0, len(body), step):
                self.wfile.write(body[start : start + step])
                time.sleep(0.002)
        else:
            self.wfile.write(head + body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the query may contain the API key."""


class Server(ThreadingHTTPServer):
    """HTTP server that answers each request in a thread of its own, by calling ``answer``."""

    daemon_threads = True
    # The default of 5 refuses connections when many clients connect at once.
    request_queue_size = 128

    def __init__(
        self, answer: Callable[[Request], tuple[Answer, str | None]], port: int = 0
    ) -> None:
        super().__init__((HOST, port), _Handler)
        self.answer = answer
        self._thread = threading.Thread(
            target=self.serve_forever, args=[_POLL], name="fake Altoviz's API", daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop the server and free its port, even if it was never started."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()
