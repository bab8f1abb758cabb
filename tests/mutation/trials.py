"""Try mutants: run the tests that execute them, in a copy of the repository."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.operators import Mutant
from tests.processes import Process

_NOT_COPIED = shutil.ignore_patterns(
    *(".git", ".venv*", ".tox", ".*_cache", ".hypothesis", "node_modules", "__pycache__"),
    *("*.sqlite3*", "*.egg-info", "build", "dist", "results", "screenshots"),
)
#: Seconds that a run takes to start, at most, and how often slower than recorded its tests may be.
_START, _FACTOR = 40, 5
OPTIONS = ["-q", "-rfE", "--nomigrations", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist"]


@contextmanager
def copied(root: Path) -> Iterator[Path]:
    """Copy the repository into a temporary directory, so that no mutant is ever left in it."""
    with tempfile.TemporaryDirectory(prefix="mutants_") as directory:
        copy = Path(directory) / "repository"
        shutil.copytree(root, copy, ignore=_NOT_COPIED)
        (Path(directory) / "tmp").mkdir()
        yield copy


@dataclass(frozen=True)
class Outcome:
    """The outcome of a mutant: "killed", "timeout" or "survived", and the test that killed it."""

    name: str
    killer: str = ""


class Trial:
    """Runs of the tests in a copy."""

    def __init__(self, copy: Path) -> None:
        self.copy = copy
        self._output = copy.parent / "output"
        self._number = 0

    def outcome(self, mutant: Mutant, tests: list[str], seconds: float) -> Outcome:
        """Try the mutant. The copy is as it was after that."""
        with self._mutated(self.copy / mutant.module, mutant.source):
            code = self.run(tests, seconds, "-x")
        if code in (None, 0):
            return Outcome("timeout" if code is None else "survived")
        failed = self.failed()
        if not failed and self.run(tests, seconds, "-x") != 0:
            raise RuntimeError(f"The tests do not run without a mutant either: {tests[0]}, ...")
        return Outcome("killed", failed[0] if failed else "")

    @contextmanager
    def _mutated(self, path: Path, source: bytes) -> Iterator[None]:
        original, times = path.read_bytes(), path.stat()
        path.write_bytes(source)
        # Python takes a .pyc file for current if it has the size and the second of the source, so no
        # two mutants have the same second.
        self._number += 1
        os.utime(path, (self._number, self._number))
        try:
            yield
        finally:
            path.write_bytes(original)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def failed(self) -> list[str]:
        """Return the tests that failed in the last run."""
        found = re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", self._output.read_text(), re.M)
        return [each for each in found if "::" in each]

    def run(self, tests: list[str], seconds: float, *options: str) -> int | None:
        """Run the tests, and return the exit code, or ``None`` if they took too long."""
        arguments = self.copy.parent / "arguments"
        arguments.write_text("\n".join(tests))
        with (
            self._output.open("w") as output,
            Process(
                [sys.executable, "-m", "pytest", *OPTIONS, *options, f"@{arguments}"],
                cwd=self.copy,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                return process.wait(_START + _FACTOR * seconds)
            except subprocess.TimeoutExpired:
                return None

    @property
    def environment(self) -> dict[str, str]:
        temporary = str(self.copy.parent / "tmp")
        return os.environ | {"PYTHONPATH": str(self.copy), "TMPDIR": temporary}


class Results:
    """The outcomes of former runs, in a file of JSON lines, by database and text of the module."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Outcome] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                record = json.loads(line)
                self._known[record["id"]] = Outcome(record["outcome"], record["killer"])

    def get(self, mutant: Mutant) -> Outcome | None:
        return self._known.get(_id_of(mutant))

    def add(self, mutant: Mutant, outcome: Outcome, left: int) -> None:
        """Keep an outcome, with the number of slower tests that were left out."""
        self._known[_id_of(mutant)] = outcome
        record = {
            "id": _id_of(mutant),
            "outcome": outcome.name,
            "killer": outcome.killer,
            "left": left,
            "module": mutant.module,
            "line": mutant.line,
            "operator": mutant.operator,
            "before": mutant.before,
            "after": mutant.after,
        }
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")


def _id_of(mutant: Mutant) -> str:
    database = os.environ.get("DATABASE", "sqlite")
    return hashlib.sha256(f"{database}\n{mutant.key}\n".encode() + mutant.source).hexdigest()
