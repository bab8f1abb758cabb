"""Measure if a request takes longer the more events are stored.

The same load goes in turn to a database that is filled and to one that stays small, so that other
work on the machine disturbs both alike.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

from benchmarks.measuring import deliveries
from benchmarks.measuring.databases import Database
from benchmarks.measuring.load import Delivery
from benchmarks.measuring.receiving import Contestant, EventsLost, Templates
from benchmarks.measuring.servers import environment_of, serving
from benchmarks.measuring.targets import BY_NAME

_TABLE = "django_altoviz_webhookevent"
# The stored events belong to this many objects, which include the objects of the load.
_FILLED_OBJECTS = 20_000
_BATCH = 50_000
_FIRST_IDS = {"deferred": 1000, "inline": 1000 + deliveries.OBJECTS}
_KEY = {"sqlite": "printf('%032x', n)", "postgres": "lpad(to_hex(n), 32, '0')::uuid"}
_COLUMNS = {
    "sqlite": f"SELECT name FROM pragma_table_info('{_TABLE}')",
    "postgres": f"SELECT column_name FROM information_schema.columns WHERE table_name = '{_TABLE}'",
}


@dataclass
class Grown:
    """Median time of a request in seconds with N stored events.

    ``ratio`` compares it, round by round, with the small database.
    """

    kind: str
    target: str
    stored: int
    p50: float
    small_p50: float
    ratio: float


def grow(
    kind: type[Database], templates: Templates, sizes: list[int], *, rounds: int, seconds: float
) -> list[Grown]:
    """Measure with each of the sizes."""
    with ExitStack() as stack:
        growing, small = (
            templates.copy("altoviz", kind, name) for name in ("growing", "staying-small")
        )
        stack.callback(growing.drop)
        stack.callback(small.drop)
        pairs = {
            name: [_serve(stack, name, database, templates) for database in (growing, small)]
            for name in _FIRST_IDS
        }
        everyone = [each for pair in pairs.values() for each in pair]
        for each in everyone:
            each.play(seconds)
        figures, filled = [], 0
        for size in sizes:
            fill(growing, filled, size)
            filled = size
            print(f"  {kind.kind}: {size:,} events are stored", flush=True)
            _measure(everyone, rounds, seconds)
            for pair in pairs.values():
                figures.append(_figure(size, *pair))
                print(f"  {figures[-1]}", flush=True)
        _verify(growing, [pair[0] for pair in pairs.values()])
        return figures


def _serve(stack: ExitStack, name: str, database: Database, templates: Templates) -> Contestant:
    target = replace(BY_NAME[name], deliveries=_Load(_FIRST_IDS[name]))
    environment = environment_of("altoviz", {**database.environment, **target.settings})
    server = stack.enter_context(serving(environment, templates.folder / f"{database.name}.log"))
    return Contestant(target, database, server, target.load())


@dataclass(frozen=True)
class _Load:
    """Load of customers. Targets share a database, so each gets ids of its own."""

    first_id: int

    def __call__(self, path: str) -> Iterator[Delivery]:
        return deliveries.customers(path, self.first_id)


def _measure(everyone: list[Contestant], rounds: int, seconds: float) -> None:
    order = random.Random(1)
    for each in everyone:
        each.play(seconds)  # bring back the pages that the filling has evicted from the cache
        each.rounds.clear()
    for _ in range(rounds):
        for each in order.sample(everyone, len(everyone)):
            each.measure(seconds)


def _figure(size: int, big: Contestant, small: Contestant) -> Grown:
    medians = [[statistics.median(r.latencies) for r in each.rounds] for each in (big, small)]
    return Grown(
        kind=big.database.kind,
        target=big.target.name,
        stored=size,
        p50=statistics.median(medians[0]),
        small_p50=statistics.median(medians[1]),
        ratio=statistics.median(a / b for a, b in zip(*medians, strict=True)),
    )


def _verify(database: Database, contestants: list[Contestant]) -> None:
    ids = database.rows(f"SELECT event_id FROM {_TABLE} WHERE event_id NOT LIKE 'fill-%'")
    accepted = sorted(id for each in contestants for id in each.accepted)
    if sorted(id for (id,) in ids) != accepted:
        raise EventsLost(f"{len(accepted)} accepted, {len(ids)} stored")


def fill(database: Database, start: int, end: int) -> None:
    """Store copies of a processed event, each with its own ids."""
    columns = [name for (name,) in database.rows(_COLUMNS[database.kind]) if name != "id"]
    values = {
        "event_id": "'fill-' || n",
        "dedupe_key": _KEY[database.kind],
        "object_id": f"{min(_FIRST_IDS.values())} + n % {_FILLED_OBJECTS}",
    }
    selected = ", ".join(values.get(name, f"{name}") for name in columns)
    for first in range(start, end, _BATCH):
        last = min(first + _BATCH, end) - 1
        database.execute(
            f"WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL "
            f"SELECT n + 1 FROM numbers WHERE n < {last}) "
            f"INSERT INTO {_TABLE} ({', '.join(columns)}) SELECT {selected} FROM numbers, "
            f"(SELECT * FROM {_TABLE} WHERE status = 'processed' ORDER BY id LIMIT 1) AS model"
        )
    database.settle_down()
