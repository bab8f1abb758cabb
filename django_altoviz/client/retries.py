"""Retries: which requests are repeated, and after which pause."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry

from django_altoviz.client.responses import MAX_PAUSE, retry_after

_TOO_MANY_REQUESTS = 429
_CONNECTION_ATTEMPTS = 5


class AltovizRetry(Retry):
    """urllib3's ``Retry`` with exponential backoff and jitter, and Altoviz's ``Retry-After``.

    Repeats GET and DELETE after a broken connection or a server error. Repeats any method after a
    429, because Altoviz refused that request before it did anything.

    ``pause`` is called with the seconds before each repetition, and ``before_retry`` afterwards, so
    that repetitions count in the rate limit.
    """

    def __init__(self, total: int = 6, **options: Any) -> None:
        defaults: dict[str, Any] = {
            # A host that can't be reached is told within ten seconds.
            "connect": min(total, _CONNECTION_ATTEMPTS - 1),
            "allowed_methods": frozenset({"GET", "DELETE"}),
            "status_forcelist": frozenset({500, 502, 503, 504}),
            "backoff_factor": 0.5,
            "backoff_jitter": 0.5,
            "backoff_max": MAX_PAUSE,
            "raise_on_status": False,
            "raise_on_redirect": False,
        }
        super().__init__(total, **defaults | options)
        self.pause: Callable[[float], object] = time.sleep
        self.before_retry: Callable[[], object] = object  # calling it does nothing

    def new(self, **changes: Any) -> AltovizRetry:
        # urllib3 makes a new object for each attempt, from the options that it knows.
        copy = super().new(**changes)
        copy.pause, copy.before_retry = self.pause, self.before_retry
        return copy

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        asked = None if response is None else self.get_retry_after(response)
        if seconds := asked or self.get_backoff_time():
            self.pause(seconds)
        self.before_retry()

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        if status_code == _TOO_MANY_REQUESTS:
            return bool(self.total)
        return super().is_retry(method, status_code, has_retry_after)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        header = response.headers.get("Retry-After")
        is_refused_again = [each.status for each in self.history[-2:]] == [_TOO_MANY_REQUESTS] * 2
        return None if header is None else retry_after(header, in_seconds=is_refused_again)
