"""Calculate medians and ratios from rounds. A ratio above 1 is always better."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.measuring.receiving import Contestant, Round

#: Targets that the others are compared with.
REFERENCES = ["floor-insert", "floor-upsert", "djstripe", "github-app"]

Quartiles = tuple[float, float, float]


@dataclass
class Ratio:
    """Speed relative to a reference, taken round by round.

    ``rate`` compares requests per second; ``cpu`` compares the CPU time of workers and database,
    which a busy machine disturbs less.
    """

    reference: str
    rate: Quartiles
    cpu: Quartiles


@dataclass
class Row:
    """Figures of a target on a database. Times are in seconds, CPU times per request."""

    kind: str
    target: str
    what: str
    rate: Quartiles
    p50: float
    p99: float
    cpu: float
    database_cpu: float
    client_cpu: float
    requests: int
    ratios: list[Ratio] = field(default_factory=list)

    def ratio_to(self, reference: str) -> Ratio | None:
        return next((ratio for ratio in self.ratios if ratio.reference == reference), None)


def quartiles(values: Sequence[float]) -> Quartiles:
    if len(values) < 2:
        return (values[0],) * 3
    first, median, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, median, third


def rows_of(contestants: list[Contestant]) -> list[Row]:
    return [_row(each, contestants) for each in contestants]


def _row(each: Contestant, contestants: list[Contestant]) -> Row:
    latencies = sorted(latency for round in each.rounds for latency in round.latencies)
    requests = len(latencies)
    return Row(
        kind=each.database.kind,
        target=each.target.name,
        what=each.target.what,
        rate=quartiles([round.rate for round in each.rounds]),
        p50=statistics.median(latencies),
        p99=latencies[int(0.99 * (requests - 1))],
        cpu=sum(round.cpu for round in each.rounds) / requests,
        database_cpu=sum(round.database_cpu for round in each.rounds) / requests,
        client_cpu=sum(round.client_cpu for round in each.rounds) / requests,
        requests=requests,
        ratios=[
            Ratio(
                other.target.name,
                _ratios(each.rounds, other.rounds, lambda round: round.rate),
                _ratios(each.rounds, other.rounds, _requests_per_cpu_second),
            )
            for name in REFERENCES
            for other in contestants
            if other.target.name == name
            and other.database.kind == each.database.kind
            and other is not each
        ],
    )


def _ratios(
    rounds: list[Round], references: list[Round], figure: Callable[[Round], float]
) -> Quartiles:
    return quartiles([figure(a) / figure(b) for a, b in zip(rounds, references, strict=True)])


def _requests_per_cpu_second(round: Round) -> float:
    # The kernel counts CPU time in hundredths of a second, so a very short round may have used none.
    return round.requests / max(round.cpu + round.database_cpu, 0.01)
