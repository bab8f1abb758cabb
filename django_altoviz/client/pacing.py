"""No more requests than Altoviz takes, counted together by all that run on one account.

Altoviz refuses what goes beyond about 100 requests in a rolling minute [observed]. To stay below is
faster than to be refused and to wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache

_SLICES = 12


def _default_cache() -> BaseCache:
    return caches["default"]


@dataclass
class Pace:
    """At most ``requests`` requests in any ``seconds`` seconds.

    The requests are counted in Django's default cache. Processes that share it (Redis, Memcached, a
    database) share the budget; with a cache per process each has its own.
    """

    name: str
    requests: int
    seconds: float = 60.0
    cache: BaseCache = field(default_factory=_default_cache)
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    #: Called with the seconds of each pause, before it.
    on_pause: Callable[[float], None] | None = None

    def wait(self) -> float:
        """Wait until there is room for a request, and take it. Return the seconds waited."""
        waited = 0.0
        while (pause := self._pause()) > 0:
            if self.on_pause is not None:
                self.on_pause(pause)
            self.sleep(pause)
            waited += pause
        self._count()
        return waited

    def _pause(self) -> float:
        """The seconds until the oldest requests leave the window, if it is full."""
        now = self._slice()
        keys = {self._key(number): number for number in range(now - _SLICES, now + 1)}
        counts = {keys[key]: count for key, count in self.cache.get_many(keys).items()}
        if sum(counts.values()) < self.requests:
            return 0.0
        leaves = (min(counts) + _SLICES + 1) * self._length
        return max(leaves - self.clock(), 0.001)

    def _count(self) -> None:
        key = self._key(self._slice())
        if not self.cache.add(key, 1, self.seconds * 2):
            try:
                self.cache.incr(key)
            except ValueError:  # it has expired in between
                self.cache.set(key, 1, self.seconds * 2)

    @property
    def _length(self) -> float:
        return self.seconds / _SLICES

    def _slice(self) -> int:
        return int(self.clock() / self._length)

    def _key(self, number: int) -> str:
        # Hashed, for what names the budget may be a secret or hold what a cache's key must not.
        budget = sha256(f"{self.name} {self.seconds}".encode()).hexdigest()[:16]
        return f"django_altoviz.pace.{budget}.{number}"
