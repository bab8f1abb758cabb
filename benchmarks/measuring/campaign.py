"""Run the four parts of the benchmark. Each returns a list of figures."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import environment
from benchmarks.measuring.databases import KINDS, Database, NoServer
from benchmarks.measuring.draining import Drained, drain, store_backlog
from benchmarks.measuring.figures import Row, rows_of
from benchmarks.measuring.growing import Grown, grow
from benchmarks.measuring.processes import about_machine
from benchmarks.measuring.receiving import Templates, contestant, contestants, play
from benchmarks.measuring.servers import ServerFailed, environment_of
from benchmarks.measuring.targets import BY_NAME, TARGETS, Target


@dataclass(frozen=True)
class Length:
    """Size of a benchmark.

    ``seconds`` are those of a round. ``backlog`` events are drained by each number of ``workers``.
    Requests are timed with each of ``sizes`` events stored; ``requests`` of them are profiled.
    """

    rounds: int
    seconds: float
    backlog: int
    workers: tuple[int, ...]
    sizes: tuple[int, ...]
    requests: int


LENGTHS = {
    "tiny": Length(1, 0.2, 20, (1,), (0, 100), 10),
    "short": Length(3, 0.5, 1_000, (1, 2, 4), (0, 10_000), 200),
    "normal": Length(8, 1.5, 20_000, (1, 2, 4), (0, 100_000, 1_000_000), 500),
    "long": Length(16, 3.0, 20_000, (1, 2, 4), (0, 100_000, 1_000_000), 2_000),
}


@dataclass
class Campaign:
    """Benchmark of targets on kinds of databases, with a folder for its temporary files."""

    kinds: list[type[Database]]
    targets: list[Target]
    length: Length
    folder: Path

    def __post_init__(self) -> None:
        self.templates = Templates(self.folder)

    def about(self) -> dict[str, str]:
        """Describe what the figures depend on: the machine, the versions, the settings."""
        versions = ", ".join(f"{name} {known}" for name, known in environment.versions().items())
        servers = {kind.kind: kind("about", self.folder).about() for kind in self.kinds}
        return {
            "date": time.strftime("%Y-%m-%d"),
            "machine": about_machine(),
            "versions": versions,
            **servers,
            "length": f"{self.length.rounds} rounds of {self.length.seconds} s each",
        }

    def receiving(self) -> list[Row]:
        length = self.length
        with contestants(self.targets, self.kinds, self.templates) as entered:
            play(entered, rounds=length.rounds, seconds=length.seconds)
            return rows_of(entered)

    def steps(self) -> list[dict[str, Any]]:
        return [
            self._steps(target, kind)
            for kind in self.kinds
            for target in self.targets
            if target.site in ("floors", "altoviz")
        ]

    def _steps(self, target: Target, kind: type[Database]) -> dict[str, Any]:
        database = self.templates.copy(target.site, kind, "steps")
        module = ["-m", "benchmarks.measuring.steps", target.name, str(self.length.requests)]
        try:
            done = subprocess.run(
                [sys.executable, *module],
                env=environment_of(target.site, {**database.environment, **target.settings}),
                capture_output=True,
                encoding="utf-8",
            )
        finally:
            database.drop()
        if done.returncode:
            raise ServerFailed(done.stderr)
        figures: dict[str, Any] = json.loads(done.stdout)
        return {"kind": kind.kind, "target": target.name, **figures}

    def draining(self) -> list[Drained]:
        return [figure for kind in self.kinds for figure in self._draining(kind)]

    def _draining(self, kind: type[Database]) -> list[Drained]:
        length, inline = self.length, BY_NAME["inline"]
        backlog = store_backlog(kind, self.templates, length.backlog)
        print(f"  {kind.kind}: {length.backlog:,} events are waiting", flush=True)
        try:
            with contestant(inline, kind, self.templates) as reference:
                figures = []
                for workers in length.workers:
                    figures.append(
                        drain(backlog, self.templates, workers, reference, 2 * length.seconds)
                    )
                    print(f"  {figures[-1]}", flush=True)
                return figures
        finally:
            backlog.drop()

    def growing(self) -> list[Grown]:
        length = self.length
        return [
            figure
            for kind in self.kinds
            for figure in grow(
                kind,
                self.templates,
                list(length.sizes),
                rounds=length.rounds,
                seconds=length.seconds / 2,
            )
        ]


def available_kinds(names: list[str], folder: Path) -> list[type[Database]]:
    """Return the kinds of databases with those names that are available here."""
    found = []
    for name in names:
        try:
            KINDS[name]("about", folder).about()
        except NoServer as error:
            print(f"Skipping {name}: {error}", file=sys.stderr)
        else:
            found.append(KINDS[name])
    return found


def available_targets(names: list[str]) -> list[Target]:
    """Return the targets with those names or prefixes whose packages are installed here."""
    found = []
    for target in TARGETS:
        if not any(target.name.startswith(name) for name in names):
            continue
        if environment.installed(target.package):
            found.append(target)
        else:
            print(f"Skipping {target.name}: {target.package} is not installed", file=sys.stderr)
    return found
