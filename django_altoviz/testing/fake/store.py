"""Storage for the fake's objects. It keeps the serialized bytes, so long lists are quick."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

from django_altoviz import exact_json

FakeRecord = dict[str, Any]


def compact_json(value: Any) -> bytes:
    return exact_json.dumps(value, separators=(",", ":")).encode()


class Store:
    """Objects of one kind by id, in the order of their creation."""

    def __init__(self) -> None:
        self._rows: dict[int, bytes] = {}
        self._version = 0
        self._answers: dict[Hashable, tuple[int, list[int]]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, id: object) -> bool:
        return id in self._rows

    def put(self, value: FakeRecord) -> None:
        self._rows[value["id"]] = compact_json(value)
        self._version += 1

    def remove(self, id: int) -> None:
        del self._rows[id]
        self._version += 1

    def raw(self, id: int) -> bytes | None:
        return self._rows.get(id)

    def get(self, id: int) -> FakeRecord | None:
        """Return a copy, which the caller may change."""
        raw = self._rows.get(id)
        return None if raw is None else exact_json.loads(raw.decode())

    def all(self) -> Iterator[FakeRecord]:
        for raw in list(self._rows.values()):
            yield exact_json.loads(raw.decode())

    def last_id(self) -> int | None:
        return next(reversed(self._rows), None)

    def candidates(self, field: str, value: str | int) -> Iterator[FakeRecord]:
        """Yield every object that has the value in such a field at any depth, and maybe some others."""
        # Searching the bytes is much faster than parsing every object, which takes seconds if there
        # are many.
        pair = compact_json({field: value})[1:-1]
        for raw in list(self._rows.values()):
            if pair in raw:
                yield exact_json.loads(raw.decode())

    def find(self, field: str, value: str | int) -> list[int]:
        """Return the ids of the objects whose field has the value."""
        return [row["id"] for row in self.candidates(field, value) if row[field] == value]

    def ids(
        self, key: Hashable = None, matches: Callable[[FakeRecord], bool] | None = None
    ) -> list[int]:
        """Return the ids of all objects, or of those that match.

        The last answer is cached until an object changes. ``key`` identifies the filter.
        """
        version, answer = self._answers.get(key, (-1, []))
        if version == self._version:
            return answer
        if matches is None:
            answer = list(self._rows)
        else:
            rows = self._rows.items()
            answer = [id for id, raw in rows if matches(exact_json.loads(raw.decode()))]
        self._answers = {key: (self._version, answer)}
        return answer
