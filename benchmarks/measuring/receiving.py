"""Measure the requests per second of each target, in interleaved rounds."""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measuring.databases import Database
from benchmarks.measuring.load import Delivery, Outcome, deliver
from benchmarks.measuring.servers import (
    Server,
    ServerFailed,
    environment_of,
    free_port,
    manage,
    running,
    serving,
)
from benchmarks.measuring.targets import Target

CONNECTIONS = 4
# More than any target has accepted in a second.
_MOST_PER_SECOND = 6000


class EventsLost(Exception):
    """An event answered with 200 is not stored exactly once, so the figures are worthless."""


@dataclass
class Round:
    """Figures of a round. CPU times are in seconds: workers, database server, sender."""

    requests: int
    rate: float
    latencies: list[float]
    cpu: float
    database_cpu: float
    client_cpu: float


@dataclass
class Contestant:
    """A target on a database, with its running server."""

    target: Target
    database: Database
    server: Server
    stream: Iterator[Delivery]
    rounds: list[Round] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)

    def play(self, seconds: float) -> Outcome:
        """Send for that long. The requests are prepared first, because that takes time too."""
        expected = max((each.rate for each in self.rounds), default=_MOST_PER_SECOND / 2)
        pool = list(itertools.islice(self.stream, int(2 * seconds * expected) + 100))
        outcome = deliver(self.server.port, pool, connections=CONNECTIONS, seconds=seconds)
        # Send the rest first next time, because the events of an object must stay in order.
        sent = len(outcome.latencies)
        self.stream = itertools.chain(pool[sent:], self.stream)
        if outcome.refused:
            raise ServerFailed(f"{self.target.name}: {outcome.refused[0][:2000]!r}")
        self.accepted += outcome.accepted
        return outcome

    def measure(self, seconds: float) -> None:
        cpu, database_cpu = self.server.cpu_seconds(), self.database.cpu_seconds()
        outcome = self.play(seconds)
        self.rounds.append(
            Round(
                requests=len(outcome.latencies),
                rate=outcome.rate,
                latencies=outcome.latencies,
                cpu=self.server.cpu_seconds() - cpu,
                database_cpu=self.database.cpu_seconds() - database_cpu,
                client_cpu=outcome.cpu,
            )
        )

    def verify(self) -> None:
        """Check that exactly the events answered with 200 are stored, each once.

        Raises:
            EventsLost: they are not, or an event is not in the state that it should be in.
        """
        target, name = self.target, f"{self.target.name} on {self.database.kind}"
        if not target.stored:
            return
        stored = [id for (id,) in self.database.rows(target.stored[self.database.kind])]
        if sorted(stored) != sorted(self.accepted):
            raise EventsLost(f"{name}: {len(self.accepted)} accepted, {len(stored)} stored")
        if target.undone and (undone := self.database.rows(target.undone)[0][0]):
            raise EventsLost(f"{name}: {undone} events are not in the state they should be in")


class Templates:
    """Migrated databases, one for each site and kind. The targets get copies of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.made = folder, {}  # type: Path, dict[tuple[str, str], Database]

    def copy(self, site: str, kind: type[Database], name: str) -> Database:
        if (site, kind.kind) not in self.made:
            self.made[site, kind.kind] = self._make(site, kind(f"template-{site}", self.folder))
        database = kind(name, self.folder)
        database.create(self.made[site, kind.kind])
        return database

    def _make(self, site: str, database: Database) -> Database:
        database.create()
        environment = environment_of(site, database.environment)
        manage(environment, "migrate", "--run-syncdb", "--verbosity", "0")
        if site == "stripe":
            seed = "from benchmarks.sites.stripe.seed import seed; seed()"
            manage(environment, "shell", "--command", seed)
        return database

    def drop(self) -> None:
        for database in self.made.values():
            database.drop()


@contextmanager
def contestants(
    targets: list[Target], kinds: list[type[Database]], templates: Templates
) -> Iterator[list[Contestant]]:
    """Serve all targets on all databases at the same time. Idle servers cost nothing."""
    with ExitStack() as stack:
        settings = {}
        if any(target.site == "stripe" for target in targets):
            settings["BENCH_STRIPE_API"] = stack.enter_context(_stripe_api())
        yield [
            stack.enter_context(contestant(target, kind, templates, settings))
            for target in targets
            for kind in kinds
        ]


@contextmanager
def contestant(
    target: Target,
    kind: type[Database],
    templates: Templates,
    settings: dict[str, str] | None = None,
) -> Iterator[Contestant]:
    database = templates.copy(target.site, kind, target.name)
    try:
        wanted = {**database.environment, **target.settings, **(settings or {})}
        log = templates.folder / f"{target.name}-{kind.kind}.log"
        with serving(environment_of(target.site, wanted), log) as server:
            yield Contestant(target, database, server, target.load())
    finally:
        database.drop()


@contextmanager
def _stripe_api() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.sites.stripe.fake_api", str(port)]
    with running(command, environment_of("stripe", {}), sys.stderr.fileno()):
        yield f"http://127.0.0.1:{port}"


def play(entered: list[Contestant], *, rounds: int, seconds: float) -> None:
    """Measure all in interleaved rounds, each in another order, and verify what they stored."""
    order = random.Random(1)
    for each in entered:
        each.play(seconds)  # to warm up
    for number in range(rounds):
        print(f"  round {number + 1} of {rounds}", flush=True)
        for each in order.sample(entered, len(entered)):
            each.measure(seconds)
    for each in entered:
        each.verify()
