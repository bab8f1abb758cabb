"""Send requests as cheaply as possible, because the sender shares the cores with the servers.

The sender has one thread, prepared requests and a few connections at a time, one per request.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

HOST = "127.0.0.1"
_ANSWER_TIMEOUT = 60.0


@dataclass(frozen=True)
class Delivery:
    """A prepared request, and the id by which its event is found in the database."""

    id: str
    request: bytes


@dataclass
class Outcome:
    """Result of a round. ``latencies`` are in seconds; ``cpu`` is the CPU time of the sender."""

    seconds: float = 0.0
    cpu: float = 0.0
    latencies: list[float] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds


@dataclass
class _Exchange:
    socket: socket.socket
    delivery: Delivery
    began: float
    answer: bytes = b""


class Stuck(Exception):
    """The server does not answer."""


def request_of(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """Return the bytes of a POST request."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {HOST}",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def deliver(
    port: int, deliveries: Iterable[Delivery], *, connections: int, seconds: float
) -> Outcome:
    """Send until the time is over or all are sent, and wait for all answers."""
    outcome, waiting = Outcome(), iter(deliveries)
    cpu, began = time.process_time(), time.perf_counter()
    with select.epoll() as epoll:
        open_: dict[int, _Exchange] = {}
        for _ in range(connections):
            _begin(port, waiting, epoll, open_)
        while open_:
            ready = epoll.poll(_ANSWER_TIMEOUT)
            if not ready:
                raise Stuck(f"No answer for {_ANSWER_TIMEOUT:.0f} seconds.")
            for number, _event in ready:
                if _receive(open_[number]):
                    continue
                _end(open_.pop(number), outcome)
                if time.perf_counter() - began < seconds:
                    _begin(port, waiting, epoll, open_)
    outcome.seconds = time.perf_counter() - began
    outcome.cpu = time.process_time() - cpu
    return outcome


def _begin(
    port: int, waiting: Iterator[Delivery], epoll: select.epoll, open_: dict[int, _Exchange]
) -> None:
    delivery = next(waiting, None)
    if delivery is None:
        return
    began = time.perf_counter()
    connection = socket.create_connection((HOST, port), timeout=_ANSWER_TIMEOUT)
    connection.sendall(delivery.request)
    epoll.register(connection.fileno(), select.EPOLLIN)
    open_[connection.fileno()] = _Exchange(connection, delivery, began)


def _receive(exchange: _Exchange) -> bool:
    """Read a piece of the answer. Return False at its end."""
    piece = exchange.socket.recv(65536)
    exchange.answer += piece
    return bool(piece)


def _end(exchange: _Exchange, outcome: Outcome) -> None:
    outcome.latencies.append(time.perf_counter() - exchange.began)
    exchange.socket.close()
    if exchange.answer.startswith(b"HTTP/1.1 200 "):
        outcome.accepted.append(exchange.delivery.id)
    else:
        outcome.refused.append(exchange.answer)
