"""The ways in which JSON, URLs and HTML spell a text, so that a secret is found in any of them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote


def pattern_of(text: str) -> str:
    """Return a regular expression that matches the text, each character spelled in any of the ways."""
    return "".join(map(_pattern_of_character, text))


def _pattern_of_character(character: str) -> str:
    plain = {character, quote(character, safe=""), html.escape(character)}
    if character == " ":
        plain.add("+")  # in a form
    units = character.encode("utf-16-be").hex()  # two of them beyond U+FFFF
    percents = (f"%{_any_case(f'{byte:02x}')}" for byte in character.encode())
    number = ord(character)
    spellings = {
        *map(re.escape, plain),
        *_json_escapes(character, [units[i : i + 4] for i in range(0, len(units), 4)]),
        "".join(percents),
        f"&#0*{number};",
        f"&#[xX]0*{_any_case(f'{number:x}')};",
    }
    return f"(?:{'|'.join(sorted(spellings))})"


def _json_escapes(character: str, units: list[str]) -> Iterator[str]:
    """Yield patterns of the escapes. JSON in a text of JSON has several backslashes before each."""
    yield "".join(rf"\\+u{_any_case(unit)}" for unit in units)
    as_json = json.dumps(character, ensure_ascii=False)[1:-1]
    if as_json != character:
        yield rf"\\+{re.escape(as_json[1:])}"
    if character == "/":
        yield r"\\+/"  # as PHP writes it


def _any_case(digits: str) -> str:
    return "".join(f"[{each.lower()}{each.upper()}]" for each in digits)
