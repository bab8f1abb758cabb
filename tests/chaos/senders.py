"""Concurrent senders that deliver the events and log each delivery with its answer."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.chance import chance_of
from tests.chaos.deliveries import PATHS, Event

SENDERS = 4
TIMEOUT = 20
#: The most often that a sender sends an event that is not accepted, and its pause in between.
SENDINGS = 4
PAUSE = 0.3
#: The share of events that are sent once, whatever the answer, as Altoviz may do.
CARELESS = 0.2
#: Seconds over which the sending is spread at least, to leave time for disturbances.
DURATION = 6


@dataclass(frozen=True)
class Sending:
    event: Event
    sent_at: float
    answered_at: float
    #: The status of the answer, or 0 without an answer.
    status: int

    @property
    def is_accepted(self) -> bool:
        return 200 <= self.status < 300


class Senders:
    """Threads that deliver the events to the port. The next free one takes the next event."""

    def __init__(
        self, events: Sequence[Event], port: int, seed: str, hang_ups: float = 0.0
    ) -> None:
        self.port, self.seed, self.hang_ups = port, seed, hang_ups
        self.log: list[Sending] = []
        self.slowest = 0.0
        self._queue: Iterator[tuple[int, Event]] = iter(list(enumerate(events)))
        self._interval = DURATION / len(events)
        self._started = 0.0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(SENDERS)]

    def start(self) -> None:
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        for thread in self._threads:
            thread.join()

    @property
    def are_done(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while (item := self._next()) is not None:
            number, event = item
            self._wait_until_due(number)
            is_careless = chance_of(self.seed, number) < CARELESS
            for _ in range(1 if is_careless else SENDINGS):
                sending = self._send(event)
                self.log.append(sending)
                if sending.is_accepted:
                    break
                time.sleep(PAUSE)

    def _wait_until_due(self, number: int) -> None:
        time.sleep(max(0, self._started + number * self._interval - time.monotonic()))

    def _next(self) -> tuple[int, Event] | None:
        with self._lock:
            return next(self._queue, None)

    def _send(self, event: Event) -> Sending:
        sent_at = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request("POST", PATHS[event.account], event.body, event.headers)
            chance = chance_of(self.seed, "hang up", event.event_id, sent_at)
            if chance < self.hang_ups:
                time.sleep(chance)
                return Sending(event, sent_at, time.monotonic(), 0)
            response = connection.getresponse()
            response.read()
            status = response.status
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
        return Sending(event, sent_at, time.monotonic(), status)
