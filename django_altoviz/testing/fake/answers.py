"""Requests to the fake's API and the answers to them, as plain values."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django_altoviz.testing.fake.store import compact_json

JSON = {"content-type": "application/json; charset=utf-8"}
INT32 = 2**31 - 1


@dataclass(frozen=True)
class Request:
    """A request. Names in ``query`` and ``headers`` are in lower case: Altoviz ignores their case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes

    @classmethod
    def parse(cls, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
        url = urlsplit(target)
        pairs = parse_qsl(url.query, keep_blank_values=True)
        query = {name.lower(): text for name, text in pairs}
        given = {name.lower(): text for name, text in headers.items()}
        if key := query.pop("apikey", None):
            given.setdefault("x-api-key", key)
        return cls(method=method, path=url.path, query=query, headers=given, body=body)

    @property
    def api_key(self) -> str | None:
        """Return the API key: from the header or the query, or as a Basic password [documented]."""
        scheme, _space, credentials = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return self.headers.get("x-api-key")
        try:
            user, _colon, password = base64.b64decode(credentials).decode().partition(":")
        except ValueError:
            return None
        return password if user == "apikey" else None


@dataclass(frozen=True)
class Answer:
    status: int = HTTPStatus.OK
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(value: Any, status: int = HTTPStatus.OK) -> Answer:
    return Answer(status, compact_json(value), JSON)


class Failure(Exception):
    """Answer the request with ``answer`` instead of what the handler would return."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def bad_request(message: str, *errors: str) -> Failure:
    return Failure(json_answer({"errors": [*errors], "message": message}, HTTPStatus.BAD_REQUEST))


def not_found(message: str) -> Failure:
    return Failure(json_answer({"errors": [], "message": message}, HTTPStatus.NOT_FOUND))


def parse_int32(text: str) -> int:
    """Return the int32 in a path or a query.

    Raises:
        Failure: it is not an int32.
    """
    try:
        number = int(text)
    except ValueError:
        number = INT32 + 1
    if not -INT32 <= number <= INT32:
        raise bad_request("Validation failed", f"The value '{text}' is not valid.")
    return number
