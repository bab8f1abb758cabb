"""Compare what a page shows with what is printed. Only times and ids may differ."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .pages import NotAsWritten

_TIMES = [
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00",
    r"\d{4}-\d\d-\d\d",
    r"\d\d/[A-Z][a-z]{2}/\d{4} \d\d:\d\d:\d\d",
    r"\d+:\d\d:\d\d",
    r"in \d+\.\d+s",
]
_ID = r"(?<![\w.-])\d{6,}(?![\w-])"
_TOKEN = re.compile(rf"(?P<time>{'|'.join(_TIMES)})|(?P<id>{_ID})|(?P<gap>\.\.\.)")


class Ids:
    """Ids of the page, each with the one that came instead of it."""

    def __init__(self) -> None:
        self._real: dict[str, str] = {}

    def put_into(self, text: str) -> str:
        """Return the text with the ids that came instead of those of the page."""
        return re.sub(_ID, lambda found: self._real.get(found[0], found[0]), text)

    def is_output(self, shown: str, output: str) -> bool:
        """Return True if the output is the one that the page shows."""
        return self._note(re.fullmatch(self._pattern(shown), tidy(output) + "\n")) is not None

    def end_in(self, shown: str, output: str) -> int | None:
        """Return where the shown lines end in a longer output, or ``None`` if they are not in it."""
        return self._note(re.search(f"^{self._pattern(shown)}", output, re.MULTILINE))

    def _note(self, found: re.Match[str] | None) -> int | None:
        if found is None:
            return None
        self._real |= {name.removeprefix("id_"): real for name, real in found.groupdict().items()}
        return found.end()

    def _pattern(self, shown: str) -> str:
        return "".join(self._patterns(tidy(shown)))

    def _patterns(self, shown: str) -> Iterator[str]:
        seen: set[str] = set()
        for line in shown.split("\n"):
            if line == "...":
                yield r"(?:.*\n)*?"
                continue
            end = 0
            for token in _TOKEN.finditer(line):
                yield re.escape(line[end : token.start()])
                yield self._pattern_of(token, seen)
                end = token.end()
            yield re.escape(line[end:]) + r"[ \t]*\n"

    def _pattern_of(self, token: re.Match[str], seen: set[str]) -> str:
        if token["gap"]:
            return ".*"
        if token["time"]:
            return next(time for time in _TIMES if re.fullmatch(time, token[0]))
        if token[0] in self._real:
            return re.escape(self._real[token[0]])
        if token[0] in seen:
            return f"(?P=id_{token[0]})"
        seen.add(token[0])
        return rf"(?P<id_{token[0]}>{_ID})"


def tidy(text: str) -> str:
    """Return the text without space at the ends of lines, and without empty lines around it."""
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def difference(what: str, shown: str, output: str) -> NotAsWritten:
    """Return the error for an output that is not the one that the page shows."""
    return NotAsWritten(f"{what}\n--- the page shows:\n{tidy(shown)}\n--- printed:\n{tidy(output)}")
