"""Read a page as the steps that its reader takes: paragraphs and code blocks, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


class NotAsWritten(Exception):
    """The page can't be followed, or what happens is not what it says."""


@dataclass(frozen=True)
class Paragraph:
    line: int
    text: str


@dataclass(frozen=True)
class Block:
    line: int
    language: str
    code: str
    #: The paragraph before the block. It says what to do with it.
    intro: str
    #: The reason why nobody can follow it here, for example because it needs an account of Altoviz.
    not_followed: str = ""


def steps_of(path: Path) -> list[Paragraph | Block]:
    """Return the paragraphs and code blocks of a page.

    Raises:
        NotAsWritten: a literal block does not say what it is.
    """
    return _Reading(path.read_text(encoding="utf-8").split("\n")).steps


class _Reading:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.steps: list[Paragraph | Block] = []
        self.words: list[str] = []
        self.not_followed = ""
        number = 0
        while number < len(lines):
            number = self.take(number)
        self.end_paragraph(number)

    def take(self, number: int) -> int:
        """Read the line of this number, and return the number of the line to go on with."""
        line = self.lines[number]
        if directive := re.fullmatch(r"( *)\.\. code-block:: (\w+)", line):
            self.end_paragraph(number)
            return self.take_block(number, directive[2], len(directive[1]))
        if comment := re.fullmatch(r" *\.\. Not followed: (.+)", line):
            self.not_followed = comment[1]
        elif line.strip():
            self.words.append(line.strip())
        else:
            self.end_paragraph(number)
        return number + 1

    def take_block(self, number: int, language: str, indentation: int) -> int:
        end = number + 1
        while end < len(self.lines) and re.match(rf" {{{indentation + 1}}}|\s*$", self.lines[end]):
            end += 1
        content = [line[indentation + 3 :] for line in self.lines[number + 1 : end]]
        while re.match(r":\w+:", content[0]):
            del content[0]
        last = self.steps[-1] if self.steps else None
        intro = last.text if isinstance(last, Paragraph) else ""
        code = "\n".join(content).strip("\n")
        self.steps.append(Block(number + 1, language, code, intro, self.not_followed))
        self.not_followed = ""
        return end

    def end_paragraph(self, number: int) -> None:
        if self.words:
            if self.words[-1].endswith("::"):
                raise NotAsWritten(f"line {number}: a literal block does not say what it is")
            self.steps.append(Paragraph(number + 1 - len(self.words), " ".join(self.words)))
        self.words = []
