"""JSON in which a number stays the decimal number that was written.

The standard ``json`` reads ``0.1`` as a binary fraction and knows no way to write a ``Decimal`` as a
number; amounts of money need both. What JSON does not have (NaN, infinities) is refused.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NoReturn

# Stands around a number while it is text; drawn per process, so that no string can hold it by design.
_MARK = secrets.token_hex(16)
_MARKED_NUMBER = re.compile(f'"{_MARK}([^"]*)"')
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = r"[ \t\n\r]*"
_OPENING = re.compile(rf"{_SPACE}\[{_SPACE}(\]{_SPACE}\Z)?")
_BETWEEN = re.compile(rf"{_SPACE}(?:,{_SPACE}|(\]{_SPACE}\Z))")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


class ExactJSONDecoder(json.JSONDecoder):
    """Reads each number with a fraction or an exponent as the ``Decimal`` of its text."""

    def __init__(self) -> None:
        super().__init__(parse_float=Decimal, parse_constant=_refuse_constant)


class ExactJSONEncoder(json.JSONEncoder):
    """Writes each ``Decimal`` as a number, digit for digit, and accents as themselves."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"ensure_ascii": False})

    def default(self, o: Any) -> Any:
        if isinstance(o, Decimal):
            return f"{_MARK}{o}"
        return super().default(o)

    def encode(self, o: Any) -> str:
        return _MARKED_NUMBER.sub(r"\1", super().encode(o))


_decoder = ExactJSONDecoder()


def loads(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, or a number is beyond what Python reads, or it is nested too deep.
    """
    return _refusing(_decoder.decode, text)


def loads_items(text: str) -> Iterator[tuple[Any, str]]:
    """The items of a JSON list, each with its own text. Raises ``ValueError`` as ``loads`` does."""
    mark = _OPENING.match(text)
    if mark is None:
        raise ValueError("no list")
    while not mark[1]:
        start = mark.end()
        item, end = _refusing(_decoder.raw_decode, text, start)
        yield item, text[start:end]
        mark = _BETWEEN.match(text, end)
        if mark is None:
            raise ValueError(f"neither a comma nor the end of the list at character {end}")


def _refusing(decode: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return decode(*arguments)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    except ArithmeticError as error:
        raise ValueError("a number has too large an exponent") from error


def dumps(value: Any, **options: Any) -> str:
    return json.dumps(value, cls=ExactJSONEncoder, **options)


def same(one: Any, other: Any) -> bool:
    """Whether two values say the same: ``20`` and ``20.0`` do; ``1`` and ``True``, which Python
    takes for equal, do not."""
    return bool(one == other) and _have_same_kinds(one, other)


def _have_same_kinds(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return all(_have_same_kinds(item, other[key]) for key, item in one.items())
    if isinstance(one, list):
        return all(map(_have_same_kinds, one, other))
    return isinstance(one, bool) == isinstance(other, bool)


def as_text(value: Any) -> str:
    """JSON that can be stored: a lone surrogate, which is no character, stays an escape."""
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", dumps(value))


def to_bytes(value: Any) -> bytes:
    """The same in UTF-8."""
    return as_text(value).encode()
