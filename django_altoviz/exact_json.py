"""JSON that keeps each number as the decimal number that was written.

The standard ``json`` reads ``0.1`` as a binary fraction and can't write a ``Decimal`` as a number.
Amounts of money need both. NaN and the infinities, which are not JSON, are refused.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NoReturn

# The encoder first writes a Decimal as a string that begins with this mark, then removes the quotes.
# The mark is random in each process, so that no received string can pretend to be a number.
_MARK = secrets.token_hex(16)
_MARKED_NUMBER = re.compile(f'"{_MARK}([^"]*)"')
_MAX_INTEGER_DIGITS = 4000
# Altoviz's objects have about five levels. Python can neither copy nor compare some hundreds.
MAX_DEPTH = 100
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_SPACE = r"[ \t\n\r]*"
_OPENING = re.compile(rf"{_SPACE}\[{_SPACE}(\]{_SPACE}\Z)?")
_SEPARATOR = re.compile(rf"{_SPACE}(?:,{_SPACE}|(\]{_SPACE}\Z))")


def refuse_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is not JSON", name, 0)


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _MAX_INTEGER_DIGITS else Decimal(text)


class ExactJSONDecoder(json.JSONDecoder):
    """Decode each number that has a fraction or an exponent as a ``Decimal``.

    Python refuses to read an integer of more than 4,300 digits, and PostgreSQL writes 1E+5000 as one.
    Such an integer is a ``Decimal``, too. Only if there is one is everything decoded once more, because
    a function of ours for each integer would take longer.
    """

    def __init__(self) -> None:
        options: dict[str, Any] = {"parse_float": Decimal, "parse_constant": refuse_constant}
        super().__init__(**options)
        self._with_huge_integers = json.JSONDecoder(**options, parse_int=_integer)

    def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
        try:
            return super().raw_decode(s, idx)
        except json.JSONDecodeError:
            raise
        except ValueError:  # the text is JSON up to there
            return self._with_huge_integers.raw_decode(s, idx)


class ExactJSONEncoder(json.JSONEncoder):
    """Encode each ``Decimal`` as a number, digit for digit. Do not escape non-ASCII characters."""

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
    """Parse JSON.

    Raises:
        ValueError: the text is not JSON, is nested deeper than ``MAX_DEPTH`` levels, or has a number
            that is too large.
    """
    value = _with_value_errors(_decoder.decode, text)
    _refuse_deep(value, text)
    return value


def loads_items(text: str) -> Iterator[tuple[Any, str]]:
    """Parse a JSON list. Yield each item with its own JSON text. Raise ``ValueError`` as ``loads``."""
    match = _OPENING.match(text)
    if match is None:
        raise ValueError("not a list")
    while not match[1]:
        start = match.end()
        item, end = _with_value_errors(_decoder.raw_decode, text, start)
        own_text = text[start:end]
        _refuse_deep(item, own_text)
        yield item, own_text
        match = _SEPARATOR.match(text, end)
        if match is None:
            raise ValueError(f"neither a comma nor the end of the list at character {end}")


def _with_value_errors(decode: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return decode(*arguments)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    except ArithmeticError as error:
        raise ValueError("a number has too large an exponent") from error


def _refuse_deep(value: Any, text: str) -> None:
    """Raise ``ValueError`` if the value, which ``text`` alone says, is nested too deep."""
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deep(value):
        raise ValueError(_TOO_DEEP)


def _is_deep(value: Any) -> bool:
    """Return True if lists and objects are nested deeper than ``MAX_DEPTH``."""
    level = [value]
    for _depth in range(MAX_DEPTH):
        level = [
            item
            for each in level
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return False
    return True


def has_duplicate_keys(text: str) -> bool:
    """Return True if an object has two values under one key, of which a parser keeps only the last."""
    lengths: list[bool] = []

    def compare(pairs: list[tuple[str, Any]]) -> None:
        lengths.append(len(dict(pairs)) < len(pairs))

    json.loads(text, object_pairs_hook=compare, parse_int=str, parse_float=str)
    return any(lengths)


def dumps(value: Any, **options: Any) -> str:
    """Return JSON text, which may hold lone surrogates."""
    return json.dumps(value, cls=ExactJSONEncoder, **options)


def dumps_utf8(value: Any) -> bytes:
    """Return JSON in UTF-8, with lone surrogates escaped."""
    return dumps(value).encode("utf-8", "backslashreplace")  # "\ud800" is a JSON escape, too


def dumps_storable(value: Any) -> str:
    """Return JSON text that every database can store, with lone surrogates escaped."""
    return dumps_utf8(value).decode()


def digits_of(number: Decimal) -> int:
    """Return how many digits the number has if it is written without an exponent."""
    _sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # NaN and the infinities are refused
    return max(len(digits) + exponent, 1) + max(-exponent, 0)


def same(one: Any, other: Any) -> bool:
    """Return True if two JSON values are equal.

    ``20`` equals ``20.0``, but ``1`` does not equal ``True``, although it does in Python.
    """
    return bool(one == other) and _have_same_booleans(one, other)


def _have_same_booleans(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return all(_have_same_booleans(item, other[key]) for key, item in one.items())
    if isinstance(one, list):
        return all(map(_have_same_booleans, one, other))
    return isinstance(one, bool) == isinstance(other, bool)
