"""Secrecy: send the API key to Altoviz's host only, and redact secrets from texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote, urlsplit

import requests
from django.core.exceptions import ImproperlyConfigured
from requests.auth import AuthBase

from django_altoviz.spellings import pattern_of

# A shorter value in a query is a page's number or a language, and no secret.
_MIN_LENGTH = 6


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
    """Return what may be a secret in a URL: its user and password, and the values of its query.

    The URL need not be valid. A password with ``/``, ``?`` or ``#`` should be percent-encoded, but
    a wrong URL must not show it either.
    """
    userinfo, _host, query = _parts(url)
    user, _colon, password = userinfo.partition(":")
    values = (pair.rpartition("=")[2] for pair in re.split("[&;?#]", query))
    found = {password or user, *(value for value in values if len(value) >= _MIN_LENGTH)}
    return sorted(filter(None, found | {*map(unquote, found)}))


def without_password(url: str) -> str:
    """Return the URL without user, password and query. The URL need not be valid."""
    scheme, separator, _rest = url.partition("://")
    _userinfo, host, _query = _parts(url)
    return f"{scheme}{separator}{host}" if separator else host


def _parts(url: str) -> tuple[str, str, str]:
    """Return user and password, the host with the path, and the query of a URL."""
    _scheme, separator, rest = url.partition("://")
    userinfo, _at, host = (rest if separator else url).rpartition("@")
    path = re.split("[?#]", host, maxsplit=1)
    return userinfo, path[0], "".join(path[1:])


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that replaces the secrets in a text, however they are spelled there.

    The case is ignored, because an API key is a GUID, which Altoviz may quote in either case.
    """
    # The longest first: a secret may contain another one.
    known = sorted({*filter(None, secrets)}, key=len, reverse=True)
    patterns = [re.compile(pattern_of(secret), re.IGNORECASE) for secret in known]

    def redact(text: str) -> str:
        for pattern in patterns:
            text = pattern.sub("[…]", text)
        return text

    return redact
