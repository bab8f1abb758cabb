"""When a request is sent again, and after which pause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry

from django_altoviz.client.responses import LONGEST_PAUSE, retry_after

_TOO_MANY = 429


class AltovizRetry(Retry):
    """urllib3's retries, with Altoviz's idea of ``Retry-After``.

    ``before_each`` is called before a request is sent again: it counts like any other. Reads and deletions are repeated after a broken connection or an error of the server's, and
    anything after a 429: such a request was refused before it did something.
    """

    def __init__(self, total: int = 6, **options: Any) -> None:
        defaults: dict[str, Any] = {
            "allowed_methods": frozenset({"GET", "DELETE"}),
            "status_forcelist": frozenset({500, 502, 503, 504}),
            "backoff_factor": 0.5,
            "backoff_jitter": 0.5,
            "backoff_max": LONGEST_PAUSE,
            "raise_on_status": False,
            "raise_on_redirect": False,
        }
        super().__init__(total, **defaults | options)
        self.before_each: Callable[[], object] = object  # which does nothing

    def new(self, **changes: Any) -> AltovizRetry:
        again = super().new(**changes)
        again.before_each = self.before_each
        return again

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        super().sleep(response)
        self.before_each()

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        if status_code == _TOO_MANY:
            return bool(self.total)
        return super().is_retry(method, status_code, has_retry_after)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        header = response.headers.get("Retry-After")
        return None if header is None else retry_after(header)
