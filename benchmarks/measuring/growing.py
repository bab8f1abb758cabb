"""Whether a request takes longer the more events are stored.

The same load goes to a database that is being filled and to one that stays small, in turns: the
machine's moods are the same for both.
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
# The events that are stored already are those of so many objects, the ones of the load among them.
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
    """The median of a request's time in seconds beside so many stored events, and its ratio, round
    by round, to that of the small database."""

    kind: str
    target: str
    stored: int
    p50: float
    small_p50: float
    ratio: float


def grow(
    kind: type[Database], templates: Templates, sizes: list[int], *, rounds: int, seconds: float
) -> list[Grown]:
    """Measure at each of the sizes."""
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
        everybody = [each for pair in pairs.values() for each in pair]
        for each in everybody:
            each.play(seconds)
        figures, filled = [], 0
        for size in sizes:
            fill(growing, filled, size)
            filled = size
            print(f"  {kind.kind}: {size:,} events are stored", flush=True)
            _measure(everybody, rounds, seconds)
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
    """Customers of other ids for each target, for they share a database."""

    first_id: int

    def __call__(self, path: str) -> Iterator[Delivery]:
        return deliveries.customers(path, self.first_id)


def _measure(everybody: list[Contestant], rounds: int, seconds: float) -> None:
    order = random.Random(1)
    for each in everybody:
        each.play(seconds)  # pages that the filling has pushed out come back
        each.rounds.clear()
    for _ in range(rounds):
        for each in order.sample(everybody, len(everybody)):
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
    """Store copies of a processed event, each under ids of its own."""
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
