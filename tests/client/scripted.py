"""An HTTP server on loopback with scripted answers, including network faults."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Answer:
    """An answer. ``fault`` may "reset" the connection, "break off" or "drip" the body bytewise, but for its
    ``prompt`` first bytes."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    prompt: int = 0


@dataclass
class Received:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    peer: tuple[str, int]


def json_answer(data, status=200, **headers):
    """Return an answer in JSON. Header names are written with underscores for dashes."""
    values = {name.replace("_", "-"): str(text) for name, text in headers.items()}
    return Answer(status, json.dumps(data).encode(), values)


class ScriptedServer:
    """A server that sends the answers in turn and repeats the last. An answer may be a function."""

    def __init__(self, *answers: Answer | Callable[[Received], Answer]) -> None:
        self.answers = list(answers)
        self.received: list[Received] = []
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"scripted": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=[0.01])
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc_info):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, received):
        with self.lock:
            self.received.append(received)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(received) if callable(answer) else answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body are two writes. With Nagle's algorithm the second one waits 40 ms for the
    # client's delayed ACK.
    disable_nagle_algorithm = True
    scripted: ScriptedServer

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def do_any(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(parse_qsl(url.query))
        received = Received(
            self.command, url.path, query, dict(self.headers), body, self.client_address
        )
        self.send(self.scripted.answer(received))

    do_GET = do_POST = do_DELETE = do_any

    def send(self, answer):
        if answer.fault == "reset":
            # With a linger time of 0, close() sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, text in answer.headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.fault == "break off":
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.close_connection = True
        elif answer.fault == "drip":
            self.wfile.write(answer.body[: answer.prompt])
            for byte in answer.body[answer.prompt :]:
                self.wfile.write(bytes([byte]))
                time.sleep(0.001)
        else:
            self.wfile.write(answer.body)

    def log_message(self, *args):
        pass
