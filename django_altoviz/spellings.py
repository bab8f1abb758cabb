"""The ways in which JSON, URLs and HTML spell a text, so that a secret is found in any of them."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import quote


def pattern_of(text: str) -> str:
    """Return a regular expression that matches the text, each character spelled in any of the ways."""
    return "".join(map(_pattern_of_character, text))


def _pattern_of_character(character: str) -> str:
    spellings = {re.escape(each) for each in _short_spellings(character)}
    units = character.encode("utf-16-be").hex()  # two of them beyond U+FFFF
    escapes = (rf"\\u{_any_case(units[i : i + 4])}" for i in range(0, len(units), 4))
    percents = (f"%{_any_case(f'{byte:02x}')}" for byte in character.encode())
    number = ord(character)
    spellings |= {"".join(escapes), "".join(percents)}
    spellings |= {f"&#0*{number};", f"&#[xX]0*{_any_case(f'{number:x}')};"}
    return f"(?:{'|'.join(sorted(spellings))})"


def _short_spellings(character: str) -> set[str]:
    as_json = json.dumps(character, ensure_ascii=False)[1:-1]
    spellings = {character, as_json, quote(character, safe=""), html.escape(character)}
    if character == "/":
        spellings.add(r"\/")  # as PHP writes it
    if character == " ":
        spellings.add("+")  # in a form
    return spellings


def _any_case(digits: str) -> str:
    return "".join(f"[{each.lower()}{each.upper()}]" for each in digits)
