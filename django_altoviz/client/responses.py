"""Parsing of Altoviz's answers: pages, objects, errors and ``Retry-After``. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django_altoviz import exact_json
from django_altoviz.exceptions import (
    APIError,
    Conflict,
    InvalidRequest,
    NoSuchRoute,
    NotAuthorized,
    NotFound,
    RateLimited,
    Redirected,
    ServerError,
    UnexpectedAnswer,
)
from django_altoviz.log import on_one_line

#: The largest page size that Altoviz allows [documented].
PAGE_SIZE = 100
#: The longest pause before a retry, in seconds. Longer ``Retry-After`` headers are cut to this.
MAX_PAUSE = 120.0
# A ``Retry-After`` above this is in milliseconds: as seconds it would exceed five minutes, and
# Altoviz's rate limit has a window of one.
_MILLISECONDS_ABOVE = 300.0
# The shortest pause, in seconds.
_MIN_PAUSE = 1.0
# Cut the message of an error, because its body may be a whole HTML page.
_MAX_MESSAGE_LENGTH = 500
_MAX_ERRORS = 20

_ERRORS: dict[int, type[APIError]] = {
    HTTPStatus.BAD_REQUEST: InvalidRequest,
    HTTPStatus.UNAUTHORIZED: NotAuthorized,
    HTTPStatus.FORBIDDEN: NotAuthorized,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.TOO_MANY_REQUESTS: RateLimited,
}


@dataclass(frozen=True)
class Page:
    """A page of a list. ``raw_rows`` has the JSON text of each of ``rows``.

    ``page_count`` and ``record_count`` count the whole list. They are ``None`` if Altoviz did not
    send them.
    """

    rows: list[dict[str, Any]]
    raw_rows: list[str]
    page_count: int | None
    record_count: int | None

    def is_last(self, number: int) -> bool:
        """Return True if the list ends with this page, which has that number."""
        if self.page_count is None:
            return len(self.rows) < PAGE_SIZE
        return number >= self.page_count


def retry_after(header: str, *, in_seconds: bool = False) -> float | None:
    """Return the pause in seconds that a ``Retry-After`` header asks for, ``None`` if unreadable.

    Altoviz gives ``Retry-After`` in milliseconds [observed], although HTTP defines seconds. A small
    number is taken for seconds only if ``in_seconds``: because the request was refused once more after
    the pause in milliseconds.
    """
    try:
        pause = float(header)
    except ValueError:
        return None
    if not 0 <= pause < float("inf"):
        return None
    if pause > _MILLISECONDS_ABOVE or not in_seconds:
        pause = max(pause / 1000, _MIN_PAUSE)
    return min(pause, MAX_PAUSE)


def is_success(status_code: int) -> bool:
    return 200 <= status_code < 300


def api_error(
    request: str, status_code: int, body: bytes, redact: Callable[[str], str] = str
) -> APIError:
    """Return the exception for a refused request. ``redact`` removes secrets from its texts."""
    by_class = {3: Redirected, 5: ServerError}.get(status_code // 100, APIError)
    error_class = _ERRORS.get(status_code, by_class)
    content = _error_content(body)
    if error_class is NotFound and not _is_about_an_object(content):
        error_class = NoSuchRoute
    message, errors = _message_and_errors(content)
    # Redact before the cut, which could leave a part of a secret.
    message, *errors = (
        on_one_line(redact(text))[:_MAX_MESSAGE_LENGTH] for text in (message, *errors[:_MAX_ERRORS])
    )
    return error_class(request, status_code, message, errors)


def _error_content(body: bytes) -> Any:
    """Return the parsed body of an error, or its text if the body is not JSON."""
    try:
        return exact_json.loads(body.decode())
    except ValueError:
        return body.decode(errors="replace").strip()


def _is_about_an_object(content: Any) -> bool:
    """Return True if a 404 says that Altoviz has no such object.

    Altoviz says so with ``errors`` and ``message`` [observed], or with problem details
    [documented]. Its 404 for an unknown path has neither [observed].
    """
    if not isinstance(content, dict):
        return False
    return {"errors", "message"} <= content.keys() or "title" in content


def _message_and_errors(content: Any) -> tuple[str, list[str]]:
    """Return the message and the errors of an error's body, which has several shapes."""
    if isinstance(content, str):
        return content, []
    if not isinstance(content, dict):
        return "", []
    message = content.get("message") or content.get("detail") or content.get("title") or ""
    errors = content.get("errors")
    return str(message), [str(error) for error in errors] if isinstance(errors, list) else []


def parse(request: str, body: bytes) -> Any:
    """Parse the body of a success. Raise ``UnexpectedAnswer`` if it is not JSON."""
    try:
        return exact_json.loads(body.decode("utf-8-sig"))
    except ValueError as error:
        raise UnexpectedAnswer(
            f"{request} was answered with something that is not JSON."
        ) from error


def parse_items(request: str, body: bytes) -> list[tuple[Any, str]]:
    """Parse a list into its items, each with its own text. Raise ``UnexpectedAnswer`` if it fails."""
    try:
        return list(exact_json.loads_items(body.decode("utf-8-sig")))
    except ValueError as error:
        raise UnexpectedAnswer(f"{request} was not answered with a list in JSON.") from error


def parse_list(request: str, value: Any) -> list[dict[str, Any]]:
    """Return ``value``. Raise ``UnexpectedAnswer`` if it is not a list of objects."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise UnexpectedAnswer(f"{request} was not answered with a list of objects.")
    return value


def parse_object(request: str, value: Any) -> dict[str, Any]:
    """Return ``value``. Raise ``UnexpectedAnswer`` if it is not an object."""
    if not isinstance(value, dict):
        raise UnexpectedAnswer(f"{request} was not answered with an object.")
    return value


def parse_page(request: str, items: list[tuple[Any, str]], headers: Mapping[str, str]) -> Page:
    """Return a page with the items, and the totals from its headers [observed]."""
    return Page(
        rows=parse_list(request, [value for value, _raw in items]),
        raw_rows=[raw for _value, raw in items],
        page_count=_count(headers.get("x-page-count")),
        record_count=_count(headers.get("x-record-count")),
    )


def _count(header: str | None) -> int | None:
    return int(header) if header is not None and re.fullmatch("[0-9]{1,9}", header) else None
