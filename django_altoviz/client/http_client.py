"""HTTP access to Altoviz's API: the key, the rate limit, retries, and errors that show no secret."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urljoin

import requests
from urllib3.exceptions import MaxRetryError

from django_altoviz.client.downloads import Download
from django_altoviz.client.limits import LimitedAdapter, OutOfTime, TooLarge
from django_altoviz.client.rate_limit import RateLimiter
from django_altoviz.client.responses import (
    Page,
    api_error,
    is_success,
    parse,
    parse_items,
    parse_list,
    parse_object,
    parse_page,
)
from django_altoviz.client.retries import AltovizRetry
from django_altoviz.client.secrecy import (
    APIKeyAuth,
    Hidden,
    passwords_in,
    redactor,
    without_password,
)
from django_altoviz.exceptions import (
    AnswerTooLarge,
    ConnectionFailed,
    UnexpectedAnswer,
    Unreachable,
)
from django_altoviz.log import log_about

#: The connect timeout and the read timeout (between two bytes of an answer), in seconds.
TIMEOUT = (5.0, 30.0)
#: The limit of a whole request, in seconds, without the pauses between its repetitions.
TIME_LIMIT = 120.0
#: The limit of an answer, in bytes. A page of a hundred invoices with many lines has a few million.
MAX_ANSWER_BYTES = 50 * 2**20
#: Longer pauses are reported to ``on_pause``, in seconds.
_UNNOTICED = 2.0
_JSON = {"Content-Type": "application/json"}
# Requests for an answer whose body breaks off or isn't JSON. urllib3 retries connections and
# statuses, but leaves the body to its caller.
_READ_ATTEMPTS = 4


class HTTPClient:
    """Requests to the API of one Altoviz account, in one session.

    Every method raises ``APIFailure`` or a subclass of it. The text of the error shows neither the
    API key nor any of ``secrets``. Proxies and certificates come from the environment, as always
    with requests.

    ``timeout`` are the seconds until the connection and between two bytes, ``time_limit`` those of a
    request with its repetitions, but without the pauses between them. An answer that broke off is read
    up to ``read_attempts`` times, each within the limit; a PDF is read without one. An answer of more
    than ``max_answer_bytes`` is given up.
    """

    #: Called with the seconds before each longer pause between two attempts at a request.
    on_pause: Callable[[float], None] | None = None

    def __init__(
        self,
        api_key: str,
        base_url: str = "https://api.altoviz.com",
        *,
        requests_per_minute: int = 80,
        rate_limiter: RateLimiter | None = None,
        retry: AltovizRetry | None = None,
        timeout: tuple[float, float] = TIMEOUT,
        time_limit: float = TIME_LIMIT,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        read_attempts: int = _READ_ATTEMPTS,
        secrets: Iterable[str] = (),
    ) -> None:
        # A file that holds the key may end in a line break.
        self._secrets = (api_key.strip(), *secrets, *passwords_in(base_url))
        del api_key, secrets  # an error report shows the variables of this function
        self._base_url = base_url.rstrip("/") + "/"
        self._timeout, self._read_attempts = timeout, read_attempts
        # The same for all clients with this key, so that they share one count of requests.
        key_name = sha256(f"{self._base_url} {self._secrets[0]}".encode()).hexdigest()
        self.rate_limiter = rate_limiter or RateLimiter(key_name, requests_per_minute)
        self._session = requests.Session()
        self._session.auth = APIKeyAuth(self._secrets[0], self._base_url)
        self._session.headers["Accept"] = "application/json"
        retry = (retry or AltovizRetry()).new()  # a copy, as before_retry belongs to this client
        retry.pause, retry.before_retry = self._pause, self._wait_before_retry
        self._adapter = LimitedAdapter(time_limit, max_answer_bytes, max_retries=retry)
        self._session.mount("https://", self._adapter)
        self._session.mount("http://", self._adapter)

    def get_object(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        value, _ = self._get(path, query)
        return parse_object(f"GET {path}", value)

    def get_list(self, path: str, query: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        value, _ = self._get(path, query)
        return parse_list(f"GET {path}", value)

    def get_page(self, path: str, query: Mapping[str, Any]) -> Page:
        items, response = self._get(path, query, parse_items)
        return parse_page(f"GET {path}", items, response.headers)

    def download(self, path: str) -> Download:
        headers = {"Accept": "application/pdf"}
        return Download(f"GET {path}", self._request("GET", path, stream=True, headers=headers))

    def post(self, path: str, hidden: Hidden) -> dict[str, Any]:
        """Send a body in JSON. Errors don't show its secrets, even if Altoviz quotes them."""
        response = self._request("POST", path, hidden)
        return parse_object(f"POST {path}", parse(f"POST {path}", response.content))

    def delete(self, path: str, query: Mapping[str, Any]) -> None:
        self._request("DELETE", path, params=query)

    def close(self) -> None:
        self._session.close()

    def _get(
        self,
        path: str,
        query: Mapping[str, Any] | None,
        read: Callable[[str, bytes], Any] = parse,
    ) -> tuple[Any, requests.Response]:
        """Return what ``read`` makes of the body, and the response.

        Repeat the request with exponential backoff and jitter if the body can't be read.
        """
        attempts = 1
        while True:
            try:
                response = self._request("GET", path, params=query)
                return read(f"GET {path}", response.content), response
            except (ConnectionFailed, UnexpectedAnswer) as error:
                # If there was no connection, urllib3 has tried often enough. A long answer stays so.
                is_final = isinstance(error, (Unreachable, AnswerTooLarge))
                if attempts == self._read_attempts or is_final:
                    raise
            time.sleep(random.uniform(0, 2.0**attempts / 4))  # nosec B311  # jitter
            attempts += 1

    def _request(
        self, method: str, path: str, hidden: Hidden | None = None, **options: Any
    ) -> requests.Response:
        """Send a request and return the response. Raise ``APIError`` if Altoviz refused it."""
        response = self._send(method, path, hidden, **options)
        if not is_success(response.status_code):
            redact = redactor([*self._secrets, *(hidden.secrets if hidden else ())])
            raise api_error(f"{method} {path}", response.status_code, response.content, redact)
        return response

    def _send(
        self, method: str, path: str, hidden: Hidden | None = None, **options: Any
    ) -> requests.Response:
        """Send a request within the rate limit and return the response, whatever its status."""
        self._wait_for_rate_limit()
        try:
            # Don't follow redirects: requests would take the key along to another host.
            return self._session.request(
                method,
                urljoin(self._base_url, path),
                data=hidden.body if hidden else None,
                headers=options.pop("headers", _JSON if hidden else None),
                timeout=self._timeout,
                allow_redirects=False,
                **options,
            )
        except BaseException as error:
            failure = self._failure_of(f"{method} {path}", error)
        # Not within the "except": an error report shows what was caught there as the context, with
        # the frames of requests, in which the key stands.
        raise failure

    def _failure_of(self, request: str, error: BaseException) -> BaseException:
        """Return the exception that tells what ended a request, without anything that was sent."""
        if isinstance(error, TooLarge):
            return AnswerTooLarge(f"{request} was answered with {error}.")
        if isinstance(error, (requests.RequestException, ValueError)):
            # http.client quotes headers in its messages.
            reason = redactor(self._secrets)(f"{type(error).__name__}: {error}")
            failure = Unreachable if _was_retried(error) else ConnectionFailed
            return failure(
                f"{request}: {without_password(self._base_url)} can't be reached, or the answer "
                f"broke off ({reason}). Check the network, the proxy and BASE_URL."
            )
        # A time limit or Control-C.
        error.__cause__ = error.__context__ = None
        return error.with_traceback(None)

    def _pause(self, seconds: float) -> None:
        """Sleep before a request is repeated."""
        if self.on_pause is not None and seconds > _UNNOTICED:
            self.on_pause(seconds)
        with self._adapter.pausing():
            time.sleep(seconds)

    def _wait_before_retry(self) -> None:
        with self._adapter.pausing():
            self._wait_for_rate_limit()

    def _wait_for_rate_limit(self) -> None:
        if waited := self.rate_limiter.acquire():
            log_about().info("Waited %.1f s to stay within Altoviz's rate limit.", waited)


def _was_retried(error: Exception) -> bool:
    """Return True if the connection failed as often as urllib3 tries, or for as long as allowed."""
    if isinstance(error, OutOfTime):
        return True
    reason = error.args[0] if error.args else None
    return isinstance(error, requests.ConnectionError) and isinstance(reason, MaxRetryError)
