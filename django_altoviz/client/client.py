"""The client of Altoviz's API: one session, one key, one pace."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from types import TracebackType
from typing import Any
from urllib.parse import urljoin

import requests
from django.core.exceptions import ImproperlyConfigured
from requests.adapters import HTTPAdapter

from django_altoviz import exact_json
from django_altoviz.client import resources
from django_altoviz.client.downloads import Download
from django_altoviz.client.rate_limit import Pace
from django_altoviz.client.responses import (
    Page,
    is_success,
    parse,
    parse_items,
    parse_list,
    parse_object,
    parse_page,
    refusal,
)
from django_altoviz.client.retries import AltovizRetry
from django_altoviz.client.secrecy import APIKey, hiding
from django_altoviz.conf import DEFAULT_ACCOUNT, get_account
from django_altoviz.exceptions import ConnectionFailed, UnexpectedAnswer
from django_altoviz.log import log_about

#: Seconds to connect, and seconds between two bytes of an answer.
TIMEOUT = (5.0, 30.0)
# How often an answer that breaks off in its body is asked for again: urllib3 leaves that to us.
_READS = 4


class AltovizClient:
    """Reads what is at Altoviz, and manages webhooks there.

    ``customers``, ``contacts``, ``products``, ``invoices``, ``quotes`` and ``webhooks`` say what can
    be done with each. Objects are dictionaries as Altoviz sends them, with ``Decimal`` for numbers
    that have a point. Every method raises ``APIFailure`` or a subclass of it, in whose text neither
    the key is nor what else is to be ``hidden``.

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
        hidden: Iterable[str] = (),
    ) -> None:
        api_key = api_key.strip()  # a file that it was read from may end in a line break
        self._secrets = (api_key, *hidden)
        self._base_url = base_url.rstrip("/") + "/"
        self._timeout, self._reads = timeout, reads
        key_name = sha256(f"{self._base_url} {api_key}".encode()).hexdigest()
        self.pace = pace or Pace(key_name, requests_per_minute)
        self._session = requests.Session()
        self._session.auth = APIKey(api_key, self._base_url)
        self._session.headers["Accept"] = "application/json"
        retry = (retry or AltovizRetry()).new()  # which is this client's alone
        retry.before_each = self._wait
        adapter = HTTPAdapter(max_retries=retry)
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
            ImproperlyConfigured: it has no ``API_KEY``, or one that can't be sent.
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
            hidden=account.webhook_secrets,
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
        headers = {"Accept": "application/pdf"}
        return Download(f"GET {path}", self._ask("GET", path, stream=True, headers=headers))

    def post(
        self, path: str, value: dict[str, Any], *, hidden: Iterable[str] = ()
    ) -> dict[str, Any]:
        """Send an object. What is ``hidden`` of it is in no error, whatever Altoviz quotes."""
        headers = {"Content-Type": "application/json"}
        body = exact_json.dumps(value).encode()
        response = self._ask("POST", path, hidden, data=body, headers=headers)
        return parse_object(f"POST {path}", parse(f"POST {path}", response.content))

    def delete(self, path: str, query: Mapping[str, Any]) -> None:
        self._ask("DELETE", path, params=query)

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
        read: Callable[[str, bytes], Any] = parse,
    ) -> tuple[Any, requests.Response]:
        reads = 1
        while True:
            try:
                response = self._ask("GET", path, params=query)
                return read(f"GET {path}", response.content), response
            except (ConnectionFailed, UnexpectedAnswer):
                if reads == self._reads:
                    raise
            time.sleep(random.uniform(0, 2.0**reads / 4))
            reads += 1

    def _ask(
        self, method: str, path: str, hidden: Iterable[str] = (), **options: Any
    ) -> requests.Response:
        """Send a request, and return its answer. Raises ``APIError`` where that is a refusal."""
        response = self._send(method, path, **options)
        if not is_success(response.status_code):
            redact = hiding([*self._secrets, *hidden])
            raise refusal(f"{method} {path}", response.status_code, response.content, redact)
        return response

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request at the account's pace, and return whatever the answer is."""
        self._wait()
        try:
            # Redirects are not followed: requests would take the key along to another host.
            response = self._session.request(
                method,
                urljoin(self._base_url, path),
                timeout=self._timeout,
                allow_redirects=False,
                **options,
            )
            if not is_success(response.status_code):
                # Also of what is streamed, while a broken connection is caught.
                _ = response.content
            return response
        except (requests.RequestException, ValueError) as error:
            # Without its cause, which may quote what was sent: http.client does so with headers.
            reason = hiding(self._secrets)(f"{type(error).__name__}: {error}")
            raise ConnectionFailed(
                f"{method} {path}: {self._base_url} can't be reached, or the answer broke off "
                f"({reason}). Check the network, the proxy and BASE_URL."
            ) from None

    def _wait(self) -> None:
        if waited := self.pace.wait():
            log_about().info("Waited %.1f s for Altoviz's quota.", waited)
