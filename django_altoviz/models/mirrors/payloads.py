"""Read the fields of an object as Altoviz sends it.

A missing field is the same as ``null``, because older payloads lack the newer fields [observed].
A value of another type than documented raises ``InvalidPayload`` with the path of the field. So the
event fails with an error that names the field, and no value is guessed, truncated or rounded.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from django_altoviz.exceptions import InvalidPayload
from django_altoviz.intake.envelopes import MAX_INTEGER, UNSTORABLE

#: The longest text, in characters, of a column with an index.
SHORT_TEXT = 255
#: The digits of a number that every supported database stores exactly. MySQL has the lowest limit.
INTEGER_DIGITS = 35
DECIMAL_DIGITS = 30
#: The limits of JSON that every supported database accepts: MariaDB's depth and PostgreSQL's digits.
JSON_DEPTH = 31
JSON_DIGITS = 16_000

# The way to a value: the trail of what holds it, and its key or position there.
_Trail: TypeAlias = "tuple[_Trail, str] | None"

_JSON_TYPES = {
    bool: "true or false",
    str: "a text",
    int: "an integer",
    dict: "an object",
    list: "a list",
}
_MIDNIGHT = re.compile(r"T00:00(:00(\.0+)?)?(Z|[+-]\d\d:?\d\d)?$")
# .NET's first and last year stand for a time that was never set.
_UNSET_YEARS = (datetime.MINYEAR, datetime.MAXYEAR)
# In JSON text, NULs and lone surrogates can only come from \u escapes.
_UNSTORABLE_ESCAPE = re.compile(r"\\u(?:0000|d[89a-f])", re.IGNORECASE)


def _value(data: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = data
    for depth, key in enumerate(path):
        if value is None:
            return None
        if not isinstance(value, dict):
            raise _wrong_type(path[:depth], "an object", value)
        value = value.get(key)
    return value


def _wrong_type(path: tuple[str, ...], expected: str, value: Any) -> InvalidPayload:
    found = "a number" if isinstance(value, Decimal) else _JSON_TYPES.get(type(value), "null")
    return InvalidPayload(".".join(path), f"expected {expected}, got {found}")


def text(data: Mapping[str, Any], *path: str) -> str | None:
    """Return a text of any length."""
    value = _value(data, path)
    if value is not None and not isinstance(value, str):
        raise _wrong_type(path, "a text", value)
    return value


def short_text(data: Mapping[str, Any], *path: str) -> str | None:
    """Return a text of at most ``SHORT_TEXT`` characters, which every database can index."""
    value = text(data, *path)
    if value is not None and len(value) > SHORT_TEXT:
        raise InvalidPayload(
            ".".join(path), f"{len(value)} characters, where at most {SHORT_TEXT} fit"
        )
    return value


def flag(data: Mapping[str, Any], *path: str) -> bool | None:
    """Return a boolean."""
    value = _value(data, path)
    if value is not None and not isinstance(value, bool):
        raise _wrong_type(path, "true or false", value)
    return value


def amount(data: Mapping[str, Any], *path: str) -> Decimal | None:
    """Return an exact number: of money, or of anything else that is counted or measured."""
    value = _value(data, path)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _wrong_type(path, "a number", value)
    number = Decimal(value)
    if number and (number.adjusted() >= INTEGER_DIGITS or _decimals(number) > DECIMAL_DIGITS):
        raise InvalidPayload(
            ".".join(path),
            f"a number with more than {INTEGER_DIGITS} digits before the point "
            f"or {DECIMAL_DIGITS} after it",
        )
    return plain(number)


def _decimals(number: Decimal) -> int:
    """Return the number of decimal places without trailing zeros. Negative for 100: -2."""
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # exact_json refuses NaN and the infinities
    significant = "".join(map(str, digits)).rstrip("0")
    return -exponent - (len(digits) - len(significant))


def plain(number: Decimal) -> Decimal:
    """Return the number without trailing zeros or an exponent: 20.00 and 2E+1 both become 20."""
    if not number:
        return Decimal(0)
    digits = format(number, "f")
    return Decimal(digits.rstrip("0").rstrip(".") if "." in digits else digits)


def integer(data: Mapping[str, Any], *path: str) -> int | None:
    """Return a 64-bit integer. Accept ``105279.0``, because Altoviz writes some integers so."""
    number = amount(data, *path)
    if number is None:
        return None
    if number != number.to_integral_value() or abs(number) > MAX_INTEGER:
        raise InvalidPayload(".".join(path), "expected an integer of at most 64 bits")
    return int(number)


def day(data: Mapping[str, Any], *path: str) -> datetime.date | None:
    """Return a date, ``YYYY-MM-DD`` [documented]. Accept a time at midnight as the date."""
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


def timestamp(data: Mapping[str, Any], *path: str) -> datetime.datetime | None:
    """Return a time, ``YYYY-MM-DDTHH:MM:SSZ`` [documented]. Without an offset it is UTC.

    The result has microseconds, like the columns. Further digits remain in the object's ``data``.
    A time in the first or the last year is .NET's way to say "none".
    """
    value = text(data, *path)
    if value is None:
        return None
    try:
        parsed = parse_datetime(value) if ":" in value else None
        if parsed is not None:
            return None if parsed.year in _UNSET_YEARS else _in_project_time(parsed)
    except (ValueError, OverflowError):
        pass
    raise InvalidPayload(".".join(path), "expected a time, YYYY-MM-DDTHH:MM:SSZ")


def _in_project_time(value: datetime.datetime) -> datetime.datetime:
    """Return the time as the project stores times: in UTC with ``USE_TZ``, else naive."""
    if timezone.is_naive(value):
        value = timezone.make_aware(value, datetime.timezone.utc)
    value = value.astimezone(datetime.timezone.utc)
    if settings.USE_TZ:
        return value
    return timezone.make_naive(value, timezone.get_default_timezone())


def objects(data: Mapping[str, Any], *path: str) -> list[Mapping[str, Any]]:
    """Return a list of objects. ``null`` is the empty list."""
    values = _value(data, path)
    if values is None:
        return []
    if not isinstance(values, list):
        raise _wrong_type(path, "a list", values)
    for position, value in enumerate(values):
        if not isinstance(value, Mapping):
            raise _wrong_type((*path, str(position)), "an object", value)
    return values


def refuse_unstorable(data: Any, raw: str) -> None:
    """Raise ``InvalidPayload`` if a text of ``data`` has a NUL or a lone surrogate.

    PostgreSQL accepts neither. Both can only come from an escape in ``raw``, the JSON text. One
    search in that text usually suffices, which is much faster than visiting every value.
    """
    if _UNSTORABLE_ESCAPE.search(raw):
        for trail, _depth, value in _leaves(data):
            if isinstance(value, str) and (found := UNSTORABLE.search(value)):
                problem = f"a text with U+{ord(found[0]):04X}, which databases refuse"
                raise InvalidPayload(_path(trail), problem)


def explain_refusal(data: Any) -> None:
    """Raise ``InvalidPayload`` if ``data`` has JSON that some database refuses.

    MariaDB accepts fewer than 32 levels [documented], and PostgreSQL no number with more digits than
    ``JSON_DIGITS`` [documented]. Both are so rare that this is called only after a refusal.
    """
    for trail, depth, value in _leaves(data):
        if depth + isinstance(value, (list, dict)) > JSON_DEPTH:
            # The path of the first level too many: the whole one may have a thousand parts.
            problem = f"nested deeper than {JSON_DEPTH} levels"
            raise InvalidPayload(_path(trail, JSON_DEPTH + 1), problem)
        if isinstance(value, Decimal) and value and abs(value.adjusted()) > JSON_DIGITS:
            raise InvalidPayload(_path(trail), f"a number of more than {JSON_DIGITS} digits")


def _leaves(data: Any) -> Iterator[tuple[_Trail, int, Any]]:
    """Yield the trail, the depth and the value of each key, scalar, and empty list or object.

    This takes time in proportion to the length of the JSON, however it is nested: a path is made
    only of the trail that is reported.
    """
    todo: list[tuple[_Trail, int, Any]] = [(None, 0, data)]
    while todo:
        trail, depth, value = todo.pop()
        if isinstance(value, list) and value:
            items = [((trail, str(place)), depth + 1, item) for place, item in enumerate(value)]
            todo += reversed(items)
        elif isinstance(value, dict) and value:
            for key, item in reversed(value.items()):
                todo.append(((trail, key), depth + 1, item))
                todo.append(((trail, "(a key)"), depth + 1, key))
        else:
            yield trail, depth, value


def _path(trail: _Trail, parts: int | None = None) -> str:
    """Return the path of a trail, or its first parts."""
    names: list[str] = []
    while trail is not None:
        trail, name = trail
        names.append(name)
    return ".".join(names[::-1][:parts])
