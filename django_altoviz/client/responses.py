"""What an answer of Altoviz's API means. No input and no output here, only interpretation."""

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

#: The most objects that Altoviz gives at once [documented].
PAGE_SIZE = 100
#: The longest pause that is believed, in seconds.
LONGEST_PAUSE = 120.0
# A pause of more than five minutes would be longer than Altoviz's window, so it must be meant in
# milliseconds, and one of up to 300 ms does no harm if it is taken for seconds.
_MOST_SECONDS = 300.0
# An error's body may be a whole page.
_LONGEST = 500

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
    """One page of a list, and the text that each of its rows was read from.

    ``page_count`` and ``record_count`` are those of the whole list, ``None`` where Altoviz does not
    tell them.
    """

    rows: list[dict[str, Any]]
    texts: list[str]
    page_count: int | None
    record_count: int | None

    def is_last(self, number: int) -> bool:
        """Whether the list ends here, where this is the page of that number."""
        if self.page_count is None:
            return len(self.rows) < PAGE_SIZE
        return number >= self.page_count


def retry_after(header: str) -> float | None:
    """The pause in seconds that a ``Retry-After`` header asks for, or ``None`` if none can be read.

    Altoviz gives it in milliseconds [observed], where HTTP means seconds; both are understood.
    """
    try:
        pause = float(header)
    except ValueError:
        return None
    if not 0 <= pause < float("inf"):
        return None
    return min(pause / 1000 if pause > _MOST_SECONDS else pause, LONGEST_PAUSE)


def is_success(status_code: int) -> bool:
    return 200 <= status_code < 300


def refusal(
    request: str, status_code: int, body: bytes, redact: Callable[[str], str] = str
) -> APIError:
    """The error that an answer is; ``redact`` takes out of its texts what they must not show."""
    by_class = {3: Redirected, 5: ServerError}.get(status_code // 100, APIError)
    kind = _ERRORS.get(status_code, by_class)
    said = _parsed(body)
    if kind is NotFound and not _is_about_an_object(said):
        kind = NoSuchRoute
    message, errors = _said(said)
    return kind(request, status_code, redact(message)[:_LONGEST], [redact(each) for each in errors])


def _parsed(body: bytes) -> Any:
    """What the body of an error says, as it is where it is not JSON."""
    try:
        return exact_json.loads(body.decode())
    except ValueError:
        return body.decode(errors="replace").strip()


def _is_about_an_object(said: Any) -> bool:
    """Whether a 404 is Altoviz's own of an object: ``errors`` and ``message`` [observed], or problem
    details [documented]. Of a path that it does not know it says nothing [observed]."""
    return isinstance(said, dict) and ({"errors", "message"} <= said.keys() or "title" in said)


def _said(said: Any) -> tuple[str, list[str]]:
    """The message and the errors of an error, of which there are several shapes."""
    if isinstance(said, str):
        return said, []
    if not isinstance(said, dict):
        return "", []
    message = said.get("message") or said.get("detail") or said.get("title") or ""
    errors = said.get("errors")
    return str(message), [str(error) for error in errors] if isinstance(errors, list) else []


def parse(request: str, body: bytes) -> Any:
    """The value of a successful answer. Raises ``UnexpectedAnswer`` where it is not JSON."""
    try:
        return exact_json.loads(body.decode("utf-8-sig"))
    except ValueError as error:
        raise UnexpectedAnswer(f"{request} was answered with what is not JSON.") from error


def parse_items(request: str, body: bytes) -> list[tuple[Any, str]]:
    """The items of a list, each with its own text. Raises as ``parse`` does."""
    try:
        return list(exact_json.loads_items(body.decode("utf-8-sig")))
    except ValueError as error:
        raise UnexpectedAnswer(f"{request} was not answered with a list in JSON.") from error


def parse_list(request: str, value: Any) -> list[dict[str, Any]]:
    """A list of objects. Raises ``UnexpectedAnswer`` where the value is none."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise UnexpectedAnswer(f"{request} was not answered with a list of objects.")
    return value


def parse_object(request: str, value: Any) -> dict[str, Any]:
    """One object. Raises ``UnexpectedAnswer`` where the value is none."""
    if not isinstance(value, dict):
        raise UnexpectedAnswer(f"{request} was not answered with an object.")
    return value


def parse_page(request: str, items: list[tuple[Any, str]], headers: Mapping[str, str]) -> Page:
    """A page of a list, with what its headers tell [observed]."""
    rows = parse_list(request, [value for value, _text in items])
    return Page(
        rows=rows,
        texts=[text for _value, text in items],
        page_count=_count(headers.get("x-page-count")),
        record_count=_count(headers.get("x-record-count")),
    )


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch("[0-9]{1,9}", text) else None
