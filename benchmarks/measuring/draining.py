"""Measure how fast one or several processes of the command drain a backlog of events."""

from __future__ import annotations

import datetime
import itertools
import resource
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks.measuring.databases import Database
from benchmarks.measuring.load import deliver
from benchmarks.measuring.processes import memory_of
from benchmarks.measuring.receiving import CONNECTIONS, Contestant, Templates
from benchmarks.measuring.servers import ServerFailed, environment_of, running, serving
from benchmarks.measuring.targets import BY_NAME

_TIME_LIMIT = 1800.0
_SAMPLE_SECONDS = 0.2
_STATES = "SELECT status, count(*) FROM django_altoviz_webhookevent GROUP BY status"
_SPAN = "SELECT min(settled_at), max(settled_at) FROM django_altoviz_webhookevent"
# The customers whose row does not show their last event; there must be none.
_STALE = """
    SELECT count(*) FROM django_altoviz_customer c WHERE last_event_id <>
        (SELECT max(id) FROM django_altoviz_webhookevent e WHERE e.account = c.account AND e.object_id = c.altoviz_id)
"""


@dataclass
class Drained:
    """Result of draining a backlog.

    Memory is that of the largest process, in bytes, after a tenth of the time and at the peak.
    ``inline_rate`` is measured directly before and after, on the same machine.
    """

    kind: str
    workers: int
    events: int
    rate: float
    cpu_per_event: float
    early_memory: int
    peak_memory: int
    left: int
    inline_rate: float


def store_backlog(kind: type[Database], templates: Templates, events: int) -> Database:
    """Return a database with N pending events of customers, which were delivered over HTTP."""
    target = BY_NAME["deferred"]
    database = templates.copy(target.site, kind, "backlog")
    environment = environment_of(target.site, {**database.environment, **target.settings})
    with serving(environment, templates.folder / f"backlog-{kind.kind}.log") as server:
        pool = itertools.islice(target.load(), events)
        outcome = deliver(server.port, pool, connections=CONNECTIONS, seconds=_TIME_LIMIT)
    if len(outcome.accepted) != events:
        raise ServerFailed(f"Only {len(outcome.accepted)} of {events} events were accepted.")
    return database


def drain(
    backlog: Database, templates: Templates, workers: int, inline: Contestant, seconds: float
) -> Drained:
    """Drain a copy of the backlog with that number of processes."""
    database = type(backlog)(f"drain-{workers}", templates.folder)
    database.create(backlog)
    try:
        rates = [inline.play(seconds).rate]
        cpu = _children_cpu()
        memory = _run(database, templates, workers)
        cpu = _children_cpu() - cpu
        rates.append(inline.play(seconds).rate)
        return _result(database, workers, cpu, memory, sum(rates) / 2)
    finally:
        database.drop()


def _run(database: Database, templates: Templates, workers: int) -> list[int]:
    """Run N processes of the command at once. Return samples of the largest one's memory."""
    command = [sys.executable, "-m", "django", "altoviz_process_events"]
    environment = environment_of("altoviz", database.environment)
    log = templates.folder / f"{database.name}-{database.kind}.log"
    give_up_at, memory = time.monotonic() + _TIME_LIMIT, []
    with log.open("wb") as output, ExitStack() as stack:
        processes: list[subprocess.Popen[bytes]] = [
            stack.enter_context(running(command, environment, output.fileno()))
            for _ in range(workers)
        ]
        while any(process.poll() is None for process in processes):
            memory.append(max(memory_of(process.pid) for process in processes))
            if time.monotonic() > give_up_at:
                raise ServerFailed("The processes did not drain the backlog in time.")
            time.sleep(_SAMPLE_SECONDS)
        if failed := [process.returncode for process in processes if process.returncode]:
            raise ServerFailed(f"Exit codes {failed}: {log.read_text()[-2000:]}")
    return memory


def _result(
    database: Database, workers: int, cpu: float, memory: list[int], inline_rate: float
) -> Drained:
    states = dict(database.rows(_STATES))
    if unexpected := states.keys() - {"processed", "pending", "processing"}:
        raise ServerFailed(f"Some events are unexpectedly {unexpected}.")
    left = sum(states.values()) - states["processed"]
    if not left and (stale := database.rows(_STALE)[0][0]):
        raise ServerFailed(f"{stale} customers do not show their last event.")
    first, last = map(_as_datetime, database.rows(_SPAN)[0])
    # From the first event to the last, without the start of Python.
    seconds = max((last - first).total_seconds(), 1e-3)
    return Drained(
        kind=database.kind,
        workers=workers,
        events=states["processed"],
        rate=states["processed"] / seconds,
        cpu_per_event=cpu / states["processed"],
        early_memory=memory[len(memory) // 10],
        peak_memory=max(memory),
        left=left,
        inline_rate=inline_rate,
    )


def _as_datetime(value: Any) -> datetime.datetime:
    return value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(value)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
