"""The API key is sent to Altoviz's host, and shown nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import requests
from django.core.exceptions import ImproperlyConfigured
from requests.auth import AuthBase


class APIKey(AuthBase):
    """Adds the key to requests to Altoviz's host, and to no other.

    Raises:
        ImproperlyConfigured: it can't be sent in a header. The error does not show it.
    """

    def __init__(self, key: str, base_url: str) -> None:
        if not (key.isascii() and key.isprintable()):
            raise ImproperlyConfigured(
                "The API key has characters that can't be sent: a key is of printable ASCII. Check "
                "API_KEY in ALTOVIZ."
            )
        self._key, self._base_url = key, base_url

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if _host(request) == _host(requests.Request("GET", self._base_url).prepare()):
            request.headers["X-API-KEY"] = self._key
        return request


def _host(request: requests.PreparedRequest) -> tuple[str, str]:
    """In the spelling of requests: in lower case, and with no letters but those of ASCII."""
    split = urlsplit(request.url or "")
    return split.scheme, split.netloc


def hiding(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that takes the secrets out of a text, in whatever case: a key is a GUID."""
    known = sorted(filter(None, secrets), key=len, reverse=True)
    if not known:
        return str
    pattern = re.compile("|".join(map(re.escape, known)), re.IGNORECASE)
    return lambda text: pattern.sub("[…]", text)
