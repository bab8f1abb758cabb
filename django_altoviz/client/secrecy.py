"""Secrecy: send the API key to Altoviz's host only, and redact secrets from texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import requests
from django.core.exceptions import ImproperlyConfigured
from requests.auth import AuthBase


class Hidden:
    """The body of a request, with the secrets in it.

    It is no text, and its representation says nothing. Error reports show the variables of each function
    that an exception has passed.
    """

    def __init__(self, body: bytes, secrets: Iterable[str]) -> None:
        self.body, self.secrets = body, tuple(secrets)


class APIKeyAuth(AuthBase):
    """Authentication that adds the API key to requests to Altoviz's host, and to no others.

    Raises:
        ImproperlyConfigured: the key can't be sent in a header. Neither the error nor a report of it
            shows the key.
    """

    def __init__(self, key: str, base_url: str) -> None:
        if not (key.isascii() and key.isprintable()):
            del key
            raise ImproperlyConfigured(
                "The API key contains characters that are not printable ASCII, so it can't be sent. "
                "Check API_KEY in ALTOVIZ."
            )
        self._key, self._base_url = key, base_url

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if _origin(request) == _origin(requests.Request("GET", self._base_url).prepare()):
            request.headers["X-API-KEY"] = self._key
        return request


def _origin(request: requests.PreparedRequest) -> tuple[str, str]:
    """Return scheme, host and port as requests spells them: in lower-case ASCII."""
    split = urlsplit(request.url or "")
    return split.scheme, split.netloc


def passwords_in(url: str) -> list[str]:
    """Return the password in a URL such as ``https://user:password@host``, if there is one."""
    password = urlsplit(url).password
    return [password] if password else []


def without_password(url: str) -> str:
    """Return the URL without user and password."""
    split = urlsplit(url)
    return split._replace(netloc=split.netloc.rpartition("@")[2]).geturl()


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that replaces the secrets in a text.

    The case is ignored, because an API key is a GUID, which Altoviz may quote in either case.
    """
    # The longest first: a secret may contain another one.
    known = sorted(filter(None, secrets), key=len, reverse=True)
    if not known:
        return str
    pattern = re.compile("|".join(map(re.escape, known)), re.IGNORECASE)
    return lambda text: pattern.sub("[…]", text)
