"""State that all the records of a fake company share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import date, datetime, timezone
from random import Random

from django_altoviz.event_types import EventType
from django_altoviz.testing.fake.behaviour import Behaviour
from django_altoviz.testing.fake.fake_data import FakeData
from django_altoviz.testing.fake.store import FakeRecord

Listener = Callable[[EventType, FakeRecord], None]


class Context:
    """The lock, the clock, the random numbers and the switches of one fake company.

    ``emit`` is called with each event, in order. ``behaviour`` returns the switches as they are at
    the time of the call.
    """

    def __init__(
        self,
        emit: Listener,
        behaviour: Callable[[], Behaviour],
        *,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.lock = threading.RLock()
        self.random = Random(seed)
        self.fake_data = FakeData(self.random)
        self.emit, self.behaviour, self._clock = emit, behaviour, clock
        self._last_line = 9_120_600

    def next_line_id(self) -> int:
        self._last_line += self.random.randint(1, 4)
        return self._last_line

    def today(self) -> date:
        return self._utc_now().date()

    def now(self) -> str:
        return self._utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _utc_now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), timezone.utc)
