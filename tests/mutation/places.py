"""Places of nodes in the source of a module, in bytes."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """A replacement in the source, and the operator that makes it."""

    operator: str
    start: int
    end: int
    text: str


class Places:
    """The source of a module, in which nodes are found."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def of(self, node: ast.AST) -> tuple[int, int]:
        start = self.starts[node.lineno - 1] + node.col_offset
        return start, self.starts[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.AST) -> str:
        start, end = self.of(node)
        return self.source[start:end].decode()

    def replace(self, operator: str, node: ast.AST, text: str) -> Edit:
        return Edit(operator, *self.of(node), text)

    def replace_between(
        self, operator: str, left: ast.AST, right: ast.AST, old: str, new: str
    ) -> Edit:
        """Replace what stands between two operands."""
        start, end = self.of(left)[1], self.of(right)[0]
        between = " ".join(self.source[start:end].decode().split())
        return Edit(operator, start, end, f" {between.replace(old, new, 1)} ")

    def drop_item(self, operator: str, items: list[tuple[int, int]], index: int) -> Edit:
        """Drop one of several items that commas separate. Of two, the one that is left keeps one."""
        start, end = items[index]
        if index + 1 < len(items):
            return Edit(operator, start, items[index + 1][0], "")
        return Edit(operator, items[index - 1][1] if index else start, end, "," if index else "")

    def line_of(self, position: int) -> int:
        return self.source.count(b"\n", 0, position) + 1

    def around(self, edit: Edit, text: str) -> str:
        """Return the lines that an edit touches as one line, with this text in its place."""
        before = self.source.rfind(b"\n", 0, edit.start) + 1
        after = self.source.find(b"\n", edit.end)
        whole = self.source[before : edit.start] + text.encode() + self.source[edit.end : after]
        return " ".join(whole.decode().split())

    def apply(self, edit: Edit) -> bytes:
        return self.source[: edit.start] + edit.text.encode() + self.source[edit.end :]
