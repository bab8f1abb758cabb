"""Reading the fields of an object as Altoviz sends it.

A field that is missing is the same as ``null``: older payloads lack the newer fields [observed].
A value of another kind than documented raises ``InvalidPayload`` with the field's path, so that an
event fails by name and nothing is guessed, cut or rounded.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from django_altoviz.exceptions import InvalidPayload

#: The longest text of a column that is looked up by its value, in characters.
SHORT_TEXT = 255
#: What every supported database keeps of a number exactly (MySQL's is the narrowest).
INTEGER_DIGITS = 35
DECIMAL_DIGITS = 30
MAX_INTEGER = 2**63 - 1
#: What every supported database takes as JSON: MariaDB's depth, and PostgreSQL's digits.
JSON_DEPTH = 31
JSON_DIGITS = 16_000

_KINDS = {
    bool: "true or false",
    str: "a text",
    int: "an integer",
    dict: "an object",
    list: "a list",
}
_MIDNIGHT = re.compile(r"T00:00(:00(\.0+)?)?(Z|[+-]\d\d:?\d\d)?$")
# In the text of a body, whatever can become NUL or a lone surrogate is an escape.
_MAY_BE_UNSTORABLE = re.compile(r"\\u(?:0000|d[89a-f])", re.IGNORECASE)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _value(data: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = data
    for depth, key in enumerate(path):
        if value is None:
            return None
        if not isinstance(value, dict):
            raise InvalidPayload(".".join(path[:depth]), f"expected an object, got {_kind(value)}")
        value = value.get(key)
    return value


def _kind(value: Any) -> str:
    return "a number" if isinstance(value, Decimal) else _KINDS.get(type(value), "null")


def _wrong(path: tuple[str, ...], expected: str, value: Any) -> InvalidPayload:
    return InvalidPayload(".".join(path), f"expected {expected}, got {_kind(value)}")


def text(data: Mapping[str, Any], *path: str) -> str | None:
    """A text of any length."""
    value = _value(data, path)
    if value is not None and not isinstance(value, str):
        raise _wrong(path, "a text", value)
    return value


def short_text(data: Mapping[str, Any], *path: str) -> str | None:
    """A text of at most ``SHORT_TEXT`` characters, which an index of every database takes."""
    value = text(data, *path)
    if value is not None and len(value) > SHORT_TEXT:
        raise InvalidPayload(
            ".".join(path), f"{len(value)} characters, where at most {SHORT_TEXT} fit"
        )
    return value


def flag(data: Mapping[str, Any], *path: str) -> bool | None:
    """True or false."""
    value = _value(data, path)
    if value is not None and not isinstance(value, bool):
        raise _wrong(path, "true or false", value)
    return value


def amount(data: Mapping[str, Any], *path: str) -> Decimal | None:
    """The exact number, of money or of anything else that is counted or measured."""
    value = _value(data, path)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _wrong(path, "a number", value)
    number = Decimal(value)
    if number and (number.adjusted() >= INTEGER_DIGITS or _decimals(number) > DECIMAL_DIGITS):
        raise InvalidPayload(
            ".".join(path),
            f"a number with more than {INTEGER_DIGITS} digits before the point "
            f"or {DECIMAL_DIGITS} after it",
        )
    return plain(number)


def _decimals(number: Decimal) -> int:
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # exact_json refuses NaN and the infinities
    significant = "".join(map(str, digits)).rstrip("0")
    return -exponent - (len(digits) - len(significant))


def plain(number: Decimal) -> Decimal:
    """The same number without trailing zeros or an exponent: 20.00 and 2E+1 are both 20."""
    if not number:
        return Decimal(0)
    digits = format(number, "f")
    return Decimal(digits.rstrip("0").rstrip(".") if "." in digits else digits)


def integer(data: Mapping[str, Any], *path: str) -> int | None:
    """A 64-bit integer; it may be written ``105279.0``, as Altoviz writes some."""
    number = amount(data, *path)
    if number is None:
        return None
    if number != number.to_integral_value() or abs(number) > MAX_INTEGER:
        raise InvalidPayload(".".join(path), "expected an integer of at most 64 bits")
    return int(number)


def day(data: Mapping[str, Any], *path: str) -> datetime.date | None:
    """A date, ``YYYY-MM-DD`` [documented]; midnight of the day is taken for the day."""
    value = text(data, *path)
    if value is None:
        return None
    try:
        parsed = parse_date(_MIDNIGHT.sub("", value))
    except ValueError:
        parsed = None
    if parsed is None:
        raise InvalidPayload(".".join(path), "expected a date, YYYY-MM-DD")
    return parsed


def moment(data: Mapping[str, Any], *path: str) -> datetime.datetime | None:
    """A time, ``YYYY-MM-DDTHH:MM:SSZ`` [documented]; without an offset it is taken for UTC.

    A column holds microseconds; what a payload tells beyond them stays in the object's ``data``.
    """
    value = text(data, *path)
    if value is None:
        return None
    try:
        parsed = parse_datetime(value) if ":" in value else None
        if parsed is not None:
            return _in_project_time(parsed)
    except (ValueError, OverflowError):
        pass
    raise InvalidPayload(".".join(path), "expected a time, YYYY-MM-DDTHH:MM:SSZ")


def _in_project_time(value: datetime.datetime) -> datetime.datetime:
    if timezone.is_naive(value):
        value = timezone.make_aware(value, datetime.timezone.utc)
    value = value.astimezone(datetime.timezone.utc)
    if settings.USE_TZ:
        return value
    return timezone.make_naive(value, timezone.get_default_timezone())


def objects(data: Mapping[str, Any], *path: str) -> list[Mapping[str, Any]]:
    """A list of objects; ``null`` is the empty one."""
    values = _value(data, path)
    if values is None:
        return []
    if not isinstance(values, list):
        raise _wrong(path, "a list", values)
    for position, value in enumerate(values):
        if not isinstance(value, Mapping):
            raise _wrong((*path, str(position)), "an object", value)
    return values


def refuse_unstorable(data: Any, body: str) -> None:
    """Raise ``InvalidPayload`` where a text of ``data`` has NUL or a lone surrogate.

    PostgreSQL takes neither. They can only have come from an escape in the body's text, so as good
    as every body is cleared by one look at that text.
    """
    if _MAY_BE_UNSTORABLE.search(body):
        for path, value in _leaves(data):
            if isinstance(value, str) and (found := _UNSTORABLE.search(value)):
                problem = f"a text with U+{ord(found[0]):04X}, which databases refuse"
                raise InvalidPayload(".".join(path), problem)


def explain_refusal(data: Any) -> None:
    """Raise ``InvalidPayload`` for what some databases refuse as JSON, once one has refused it.

    That is too rare to look for beforehand: MariaDB takes no more than 32 levels [documented], and
    PostgreSQL no number with so many digits [documented].
    """
    for path, value in _leaves(data):
        if len(path) + isinstance(value, (list, dict)) > JSON_DEPTH:
            raise InvalidPayload(".".join(path), f"nested deeper than {JSON_DEPTH} levels")
        if isinstance(value, Decimal) and value and abs(value.adjusted()) > JSON_DIGITS:
            raise InvalidPayload(".".join(path), f"a number of more than {JSON_DIGITS} digits")


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each value that holds no others, keys and empty ones among them, with its path."""
    if isinstance(value, list) and value:
        for position, item in enumerate(value):
            yield from _leaves(item, (*path, str(position)))
    elif isinstance(value, dict) and value:
        for key, item in value.items():
            yield (*path, "(a key)"), key
            yield from _leaves(item, (*path, key))
    else:
        yield path, value
