"""Mutants that no test can kill, each with the reason.

An entry names the module, the source lines that the mutant touches (white space counts as one
space), what they become (``None``: whatever is done to them), and why nobody can observe it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.mutation.operators import Mutant


@dataclass(frozen=True)
class Entry:
    """A mutant that behaves as the original does, on all databases or on all but those of ``seen_on``."""

    module: str
    before: str
    after: str | None
    reason: str
    seen_on: tuple[str, ...] = ()

    def is_about(self, mutant: Mutant) -> bool:
        same = mutant.module.endswith(f"/{self.module}") and mutant.before == self.before
        return same and self.after in (None, mutant.after)


EQUIVALENT: list[Entry] = []


def reason_of(mutant: Mutant, database: str) -> str | None:
    """Return why the mutant can't be observed on this database, or ``None``."""
    for entry in EQUIVALENT:
        if entry.is_about(mutant) and database not in entry.seen_on:
            return entry.reason
    return None
