"""Alterations that usually befall a body between its sender and the webhook, and how to undo them."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from django.utils.translation import gettext_lazy as _

from django_altoviz import exact_json

_BOM = codecs.BOM_UTF8
_HTML_OR_NOT_ASCII = re.compile("[^\x00-\x7f]|[<>&'+`]")
_NOT_ASCII = re.compile("[^\x00-\x7f]")


def originals(body: bytes) -> Iterator[tuple[Any, bytes]]:
    """Yield the bodies from which usual alterations make this one, each after what was done to it."""
    for what, undone in _SIMPLE:
        with suppress(ValueError, RecursionError):
            yield from ((what, original) for original in undone(body) if original != body)
    for original in _other_encodings_of(body):
        yield _("the JSON was read and written again"), original
        for end in (b"\n", b"\r\n"):
            yield (
                _("the JSON was read and written again, without the last line break"),
                original + end,
            )
        yield _("the JSON was read and written again, without its BOM"), _BOM + original


def is_cut_short(body: bytes) -> bool:
    """Return True if the body is the beginning of JSON."""
    text = body.decode(errors="ignore").strip()
    if not text.startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        # What is wrong in the middle was spoilt otherwise. An open string is reported at its beginning.
        return error.pos >= len(text) - 1 or error.msg.startswith("Unterminated string")
    except (ValueError, RecursionError):
        return False
    return False


def _without_rest(body: bytes) -> Iterator[bytes]:
    text = body.decode()
    _value, end = json.JSONDecoder().raw_decode(text)
    yield text[:end].encode()


def _from_json_string(body: bytes) -> Iterator[bytes]:
    value = json.loads(body)
    if isinstance(value, str):
        yield value.encode()


#: Each alteration with a function that yields the originals. They may raise ``ValueError``.
_SIMPLE: list[tuple[Any, Callable[[bytes], Iterator[bytes] | list[bytes]]]] = [
    (_("a BOM was added"), lambda body: [body.removeprefix(_BOM)]),
    (_("its BOM was removed"), lambda body: [_BOM + body]),
    (
        _("line breaks or spaces were added around it"),
        lambda body: [body.rstrip(b"\r\n"), body.removesuffix(b"\n"), body.strip()],
    ),
    (
        _("its last line break was removed"),
        lambda body: [body + b"\n", body + b"\r\n", body + b"\n\n"],
    ),
    (
        _("its line breaks were changed"),
        lambda body: [body.replace(b"\r\n", b"\n"), body.replace(b"\n", b"\r\n")],
    ),
    (_("its last brackets were cut off"), lambda body: [body + b"}", body + b"}}", body + b"]}}"]),
    (_("something was added behind it"), _without_rest),
    (_("it was encoded as a JSON string"), _from_json_string),
    (_("its UTF-8 was read as Latin-1"), lambda body: [body.decode().encode("latin-1")]),
    (_("its UTF-8 was read as Windows-1252"), lambda body: [body.decode().encode("cp1252")]),
    (_("it was written in Latin-1"), lambda body: [body.decode("latin-1").encode()]),
]


def _other_encodings_of(body: bytes) -> Iterator[bytes]:
    """Yield the same JSON with other whitespace and other escapes, in the order of its keys."""
    try:
        value = exact_json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return
    for options in _LAYOUTS:
        text = exact_json.dumps(value, **options)
        for escape in _WAYS_TO_ESCAPE:
            escaped = escape(text)
            yield escaped.encode(errors="surrogatepass")
            if "\n" in escaped:
                yield escaped.replace("\n", "\r\n").encode(errors="surrogatepass")


_LAYOUTS: list[dict[str, Any]] = [
    {"separators": (",", ":")},
    {"separators": (", ", ": ")},
    {"indent": 2},
    {"indent": 4},
    {"indent": "\t"},
]


def _units_of(character: str) -> list[str]:
    """Return the four hexadecimal digits of each UTF-16 unit."""
    digits = character.encode("utf-16-be", "surrogatepass").hex()
    return [digits[i : i + 4] for i in range(0, len(digits), 4)]


def _lower(match: re.Match[str]) -> str:
    return "".join(f"\\u{unit}" for unit in _units_of(match[0]))


def _upper(match: re.Match[str]) -> str:
    return "".join(f"\\u{unit.upper()}" for unit in _units_of(match[0]))


_WAYS_TO_ESCAPE: list[Callable[[str], str]] = [
    lambda text: text,
    lambda text: _NOT_ASCII.sub(_lower, text),
    lambda text: _NOT_ASCII.sub(_upper, text),
    # As System.Text.Json of .NET does by default, which also writes a quotation mark as \u0022.
    lambda text: _HTML_OR_NOT_ASCII.sub(_upper, text.replace('\\"', "\\u0022")),
    lambda text: text.replace("/", "\\/"),
    lambda text: _NOT_ASCII.sub(_lower, text.replace("/", "\\/")),
]
