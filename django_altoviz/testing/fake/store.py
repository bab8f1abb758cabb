"""Where the fake keeps its objects: as the bytes that it sends, so that a long list is quick."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

from django_altoviz import exact_json

Object = dict[str, Any]


def to_bytes(value: Any) -> bytes:
    return exact_json.dumps(value, separators=(",", ":")).encode()


class Shelf:
    """The objects of one kind by their ids, in the order in which they were made."""

    def __init__(self) -> None:
        self._rows: dict[int, bytes] = {}
        self._version = 0
        self._answers: dict[Hashable, tuple[int, list[int]]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, id: object) -> bool:
        return id in self._rows

    def put(self, value: Object) -> None:
        self._rows[value["id"]] = to_bytes(value)
        self._version += 1

    def remove(self, id: int) -> None:
        del self._rows[id]
        self._version += 1

    def raw(self, id: int) -> bytes | None:
        return self._rows.get(id)

    def get(self, id: int) -> Object | None:
        """A copy, which may be changed."""
        raw = self._rows.get(id)
        return None if raw is None else exact_json.loads(raw.decode())

    def all(self) -> Iterator[Object]:
        for raw in list(self._rows.values()):
            yield exact_json.loads(raw.decode())

    def last_id(self) -> int | None:
        return next(reversed(self._rows), None)

    def likely(self, field: str, value: str | int) -> Iterator[Object]:
        """The objects that may have that value in such a field, at any depth, and few others."""
        # Reading all objects takes seconds where they are many; to look through the bytes does not.
        pair = to_bytes({field: value})[1:-1]
        for raw in list(self._rows.values()):
            if pair in raw:
                yield exact_json.loads(raw.decode())

    def find(self, field: str, value: str | int) -> list[int]:
        """The ids of the objects whose field has the value."""
        return [row["id"] for row in self.likely(field, value) if row[field] == value]

    def ids(
        self, question: Hashable = None, matches: Callable[[Object], bool] | None = None
    ) -> list[int]:
        """The ids of all objects, or of those that match; the last answer is remembered.

        ``question`` says which those are.
        """
        version, answer = self._answers.get(question, (-1, []))
        if version == self._version:
            return answer
        if matches is None:
            answer = list(self._rows)
        else:
            rows = self._rows.items()
            answer = [id for id, raw in rows if matches(exact_json.loads(raw.decode()))]
        self._answers = {question: (self._version, answer)}
        return answer
