"""No more requests than Altoviz takes, counted together by all that run on one account.

Altoviz refuses what goes beyond about 100 requests in a rolling minute [observed]. To stay below is
faster than to be refused and to wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache

from django_altoviz.log import log_about

_SLICES = 12
# Counts where the cache does not, and remembers that this was told.
_of_this_process = LocMemCache("django_altoviz.pace", {"OPTIONS": {"MAX_ENTRIES": 100_000}})
_REMINDER = 60 * 60


def _default_cache() -> BaseCache:
    return caches["default"]


@dataclass
class Pace:
    """At most ``requests`` requests in any ``seconds`` seconds.

    The requests are counted in Django's default cache. Processes that share it (Redis, Memcached)
    share the budget; with a cache per process each has its own, and so it is while the cache fails.
    A cache whose ``incr`` is not atomic (a database, files) may let some more through.
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
        while (pause := self._take()) > 0:
            if self.on_pause is not None:
                self.on_pause(pause)
            self.sleep(pause)
            waited += pause
        return waited

    def _take(self) -> float:
        """Take room for a request and return 0, or the seconds until there may be some."""
        try:
            return self._take_from(self.cache)
        except Exception as error:  # each cache has errors of its own
            if _of_this_process.add(self._key("told"), True, _REMINDER):
                log_about().warning(
                    "The cache does not count Altoviz's quota; each process has its own: %s",
                    type(error).__name__,
                )
            return self._take_from(_of_this_process)

    def _take_from(self, cache: BaseCache) -> float:
        """Counted first and looked at then, so that of many at once no two see the same room."""
        now = self._slice()
        own = self._key(now)
        cache.add(own, 0, self.seconds * 2)
        rank = cache.incr(own)
        # Also the next slice: others may have begun it meanwhile.
        keys = {self._key(number): number for number in range(now - _SLICES, now + 2)}
        counts = {keys[key]: count for key, count in cache.get_many(keys).items()} | {now: rank}
        if sum(counts.values()) <= self.requests:
            return 0.0
        with suppress(ValueError):  # it has expired in between
            cache.decr(own)
        first = min(number for number, count in counts.items() if count > 0)
        return max((first + _SLICES + 1) * self._length - self.clock(), 0.001)

    @property
    def _length(self) -> float:
        return self.seconds / _SLICES

    def _slice(self) -> int:
        return int(self.clock() / self._length)

    def _key(self, number: int | str) -> str:
        # Hashed, for what names the budget may be a secret or hold what a cache's key must not.
        budget = sha256(f"{self.name} {self.seconds}".encode()).hexdigest()[:16]
        return f"django_altoviz.pace.{budget}.{number}"
