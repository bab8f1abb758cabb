"""A client-side rate limit, shared by all processes of an account through Django's cache.

Altoviz answers 429 to more than about 100 requests in a rolling minute [observed]. Staying below
that is faster than being refused and waiting for the ``Retry-After``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache

from django_altoviz.exceptions import ends_task
from django_altoviz.log import log_about

# The window is counted in this many slices. More slices waste less of the limit, because a request
# counts until its whole slice has left the window, but each request then reads more keys.
_SLICES = 12
_WARNING_INTERVAL = 60 * 60  # seconds
# Counts requests while the shared cache fails, and remembers that this was logged.
_process_cache = LocMemCache("django_altoviz.rate_limit", {"OPTIONS": {"MAX_ENTRIES": 100_000}})


def _default_cache() -> BaseCache:
    return caches["default"]


@dataclass
class RateLimiter:
    """A limit of ``requests`` requests in any window of ``seconds`` seconds.

    The requests are counted in Django's default cache. Processes that share the cache (Redis,
    Memcached) share the limit. With a cache per process, and while the cache fails, each process has
    a limit of its own. A cache whose ``incr`` is not atomic (database, files) may let a few more
    through.

    ``whole`` is the limit that this one is a share of: a request counts in both. ``acquired`` is the
    number of requests that this object has allowed.
    """

    name: str
    requests: int
    seconds: float = 60.0
    cache: BaseCache = field(default_factory=_default_cache)
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    #: Called before each pause with its length in seconds. May raise, to fail instead of waiting.
    on_wait: Callable[[float], None] | None = None
    whole: RateLimiter | None = None
    acquired: int = 0

    def share(self, part: float) -> RateLimiter:
        """Return a limiter that takes at most this part of the requests, and at least one a minute."""
        requests = max(1, int(self.requests * part))
        return replace(self, name=f"{self.name} share", requests=requests, whole=self, acquired=0)

    def acquire(self) -> float:
        """Wait until the limit allows a request and count it. Return the seconds waited."""
        waited = 0.0
        for limiter in (self, self.whole):
            while limiter is not None and (pause := limiter._try_acquire()) > 0:
                if self.on_wait is not None:
                    self.on_wait(pause)
                self.sleep(pause)
                waited += pause
        self.acquired += 1
        return waited

    def _try_acquire(self) -> float:
        """Count a request and return 0, or return the seconds until one may be allowed."""
        try:
            return self._count_in(self.cache)
        except Exception as error:  # each cache backend has exceptions of its own
            if ends_task(error):
                raise
            if _process_cache.add(self._key("warned"), True, _WARNING_INTERVAL):
                log_about().warning(
                    "The cache can't count the requests to Altoviz, so each process has a rate "
                    "limit of its own: %s",
                    type(error).__name__,
                )
            return self._count_in(_process_cache)

    def _count_in(self, cache: BaseCache) -> float:
        """Count a request in ``cache``, as ``_try_acquire`` does.

        Increment first and check the sum afterwards, undoing the increment if the window is full:
        concurrent requests that checked first would all see the same free place.
        """
        current = self._slice()
        key = self._key(current)
        cache.add(key, 0, self.seconds * 2)
        own_count = cache.incr(key)
        # Up to the next slice, because other processes may have begun it meanwhile.
        keys = {self._key(number): number for number in range(current - _SLICES, current + 2)}
        counts = {keys[key]: count for key, count in cache.get_many(keys).items()}
        counts[current] = own_count
        if sum(counts.values()) <= self.requests:
            return 0.0
        with suppress(ValueError):  # the key has expired since the increment
            cache.decr(key)
        oldest = min(number for number, count in counts.items() if count > 0)
        return max((oldest + _SLICES + 1) * self._slice_seconds - self.clock(), 0.001)

    @property
    def _slice_seconds(self) -> float:
        return self.seconds / _SLICES

    def _slice(self) -> int:
        """Return the number of the current slice."""
        return int(self.clock() / self._slice_seconds)

    def _key(self, suffix: int | str) -> str:
        # Hashed, because the name may be a secret or hold characters that cache keys must not have.
        limit = sha256(f"{self.name} {self.seconds}".encode()).hexdigest()[:16]
        return f"django_altoviz.rate_limit.{limit}.{suffix}"
