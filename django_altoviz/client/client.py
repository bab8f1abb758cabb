"""The client of Altoviz's API: one session, one key, one pace."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from django.core.exceptions import ImproperlyConfigured
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from django_altoviz import exact_json
from django_altoviz.client import resources
from django_altoviz.client.pacing import Pace
from django_altoviz.client.responses import (
    Page,
    check,
    parse,
    parse_items,
    parse_list,
    parse_object,
    parse_page,
)
from django_altoviz.client.retries import AltovizRetry
from django_altoviz.conf import DEFAULT_ACCOUNT, get_account
from django_altoviz.exceptions import ConnectionFailed, UnexpectedAnswer
from django_altoviz.log import log_about

#: Seconds to connect, and seconds between two bytes of an answer.
TIMEOUT = (5.0, 30.0)
# How often an answer that breaks off in its body is asked for again: urllib3 leaves that to us.
_READS = 4
_FILENAME = re.compile(r'filename="?([^";]+)"?')


class APIKey(AuthBase):
    """Adds the key to requests to Altoviz's host, and to no other."""

    def __init__(self, key: str, base_url: str) -> None:
        self._key, self._host = key, urlsplit(base_url).netloc

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if urlsplit(request.url or "").netloc == self._host:
            request.headers["X-API-KEY"] = self._key
        return request


class Download:
    """A document while it is being read: iterate over it, or ``save`` it. Close it in the end."""

    def __init__(self, request: str, response: requests.Response) -> None:
        self._request, self._response = request, response
        named = _FILENAME.search(response.headers.get("content-disposition", ""))
        #: The name that Altoviz gives it, without any folder, or "".
        self.filename = Path(named[1].replace("\\", "/")).name if named else ""

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._response.iter_content(64 * 1024)
        except requests.RequestException as error:
            raise ConnectionFailed(f"{self._request} broke off.") from error

    def save(self, path: str | Path) -> None:
        """Write it to a file; one that could not be read to its end is not left there."""
        partial = Path(f"{path}.part")
        try:
            with self, partial.open("wb") as file:
                for chunk in self:
                    file.write(chunk)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def close(self) -> None:
        self._response.close()

    def __enter__(self) -> Download:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()


class AltovizClient:
    """Reads what is at Altoviz, and manages webhooks there.

    ``customers``, ``contacts``, ``products``, ``invoices``, ``quotes`` and ``webhooks`` say what can
    be done with each. Objects are dictionaries as Altoviz sends them, with ``Decimal`` for numbers
    that have a point. Every method raises ``APIFailure`` or a subclass of it.

    A client has one session: use one per thread. Proxies and certificates are those of the
    environment, as always with requests.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = "https://api.altoviz.com",
        *,
        requests_per_minute: int = 80,
        pace: Pace | None = None,
        retry: AltovizRetry | None = None,
        timeout: tuple[float, float] = TIMEOUT,
        reads: int = _READS,
    ) -> None:
        self._base_url = base_url.rstrip("/") + "/"
        self._timeout, self._reads = timeout, reads
        key_name = sha256(f"{self._base_url} {api_key}".encode()).hexdigest()
        self.pace = pace or Pace(key_name, requests_per_minute)
        self._session = requests.Session()
        self._session.auth = APIKey(api_key, self._base_url)
        self._session.headers["Accept"] = "application/json"
        adapter = HTTPAdapter(max_retries=retry or AltovizRetry())
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self.customers = resources.Customers(self)
        self.contacts = resources.Contacts(self)
        self.products = resources.Products(self)
        self.invoices = resources.Invoices(self)
        self.quotes = resources.Quotes(self)
        self.webhooks = resources.Webhooks(self)

    @classmethod
    def for_account(cls, name: str = DEFAULT_ACCOUNT, **options: Any) -> AltovizClient:
        """The client of an account of ``ALTOVIZ``, with further options of the class.

        Raises:
            UnknownAccount: there is no such account.
            ImproperlyConfigured: it has no ``API_KEY``.
        """
        account = get_account(name)
        if not account.api_key:
            raise ImproperlyConfigured(
                f'Account "{name}" has no API_KEY in ALTOVIZ. Create one in Altoviz, under API keys.'
            )
        return cls(
            account.api_key,
            account.base_url,
            requests_per_minute=account.api_requests_per_minute,
            **options,
        )

    def hello(self) -> dict[str, Any]:
        """Whom the key belongs to: ``companyName``, ``apiKeyName``, ``serverTimestamp``."""
        return self.get_object("Hello")

    def settings(self) -> dict[str, Any]:
        """The company's settings, by group."""
        return self.get_object("v1/Settings")

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
        response = self._send("GET", path, stream=True, headers={"Accept": "application/pdf"})
        if response.status_code != requests.codes.ok:
            with response:
                check(f"GET {path}", response.status_code, response.content)
        return Download(f"GET {path}", response)

    def post(self, path: str, value: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        response = self._send("POST", path, data=exact_json.dumps(value).encode(), headers=headers)
        answer = parse(f"POST {path}", response.status_code, response.content)
        return parse_object(f"POST {path}", answer)

    def delete(self, path: str, query: Mapping[str, Any]) -> None:
        response = self._send("DELETE", path, params=query)
        check(f"DELETE {path}", response.status_code, response.content)

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> AltovizClient:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def _get(
        self,
        path: str,
        query: Mapping[str, Any] | None,
        read: Callable[[str, int, bytes], Any] = parse,
    ) -> tuple[Any, requests.Response]:
        reads = 1
        while True:
            try:
                response = self._send("GET", path, params=query)
                return read(f"GET {path}", response.status_code, response.content), response
            except (ConnectionFailed, UnexpectedAnswer):
                if reads == self._reads:
                    raise
            time.sleep(random.uniform(0, 2.0**reads / 4))
            reads += 1

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request at the account's pace, and return whatever the answer is."""
        if waited := self.pace.wait():
            log_about().info("Waited %.1f s for Altoviz's quota.", waited)
        try:
            # Redirects are not followed: requests would take the key along to another host.
            return self._session.request(
                method,
                urljoin(self._base_url, path),
                timeout=self._timeout,
                allow_redirects=False,
                **options,
            )
        except requests.RequestException as error:
            raise ConnectionFailed(
                f"{method} {path}: {self._base_url} can't be reached, or the answer broke off "
                f"({type(error).__name__}). Check the network, the proxy and BASE_URL."
            ) from error
