"""The sender: as cheap as can be, for it shares the cores with what is measured.

One thread, ready-made requests, a few connections at a time, one for each request.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

HOST = "127.0.0.1"
_PATIENCE = 60.0


@dataclass(frozen=True)
class Delivery:
    """One request, ready to be sent, and the id by which its event is known again."""

    id: str
    request: bytes


@dataclass
class Outcome:
    """What became of a round. ``latencies`` are in seconds, ``cpu`` is the sender's own."""

    seconds: float = 0.0
    cpu: float = 0.0
    latencies: list[float] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests a second."""
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
    """The bytes of a POST."""
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
    """Send until the time is over or there is nothing left, and wait for all answers."""
    outcome, waiting = Outcome(), iter(deliveries)
    cpu, began = time.process_time(), time.perf_counter()
    with select.epoll() as epoll:
        open_: dict[int, _Exchange] = {}
        for _ in range(connections):
            _begin(port, waiting, epoll, open_)
        while open_:
            ready = epoll.poll(_PATIENCE)
            if not ready:
                raise Stuck(f"No answer for {_PATIENCE:.0f} seconds.")
            for number, _event in ready:
                if _goes_on(open_[number]):
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
    connection = socket.create_connection((HOST, port), timeout=_PATIENCE)
    connection.sendall(delivery.request)
    epoll.register(connection.fileno(), select.EPOLLIN)
    open_[connection.fileno()] = _Exchange(connection, delivery, began)


def _goes_on(exchange: _Exchange) -> bool:
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
