"""Run a scenario: start all processes, send, disturb, wait until all is settled, and judge."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import processes
from tests.chaos import databases, servers
from tests.chaos.deliveries import plan
from tests.chaos.killers import Killer
from tests.chaos.senders import Senders, Sending
from tests.chaos.verdict import judge

#: Seconds that the undisturbed system may take to settle all events.
REST = 300
FAILURES = float(os.environ.get("CHAOS_FAILURES", "0.1"))


@dataclass(frozen=True)
class Variant:
    """Combination of a database and a dispatcher."""

    database: Callable[[Path], AbstractContextManager[Any]]
    dispatcher: str
    #: The number of deliveries of a small run and of a full one.
    small: int
    full: int
    #: Serve under ASGI, with receivers that are coroutines and clients that hang up.
    is_asgi: bool = False

    def servers(self, log: Path, environment: dict[str, str]) -> list[servers.Server]:
        net = servers.safety_net(log, environment)
        serve = servers.uvicorn if self.is_asgi else servers.gunicorn
        web = serve(int(environment["CHAOS_PORT"]), log, environment)
        if self.dispatcher == "celery":
            broker = servers.redis(int(environment["CHAOS_BROKER"].split(":")[-1][:-2]), log)
            workers = [servers.celery(number, log, environment) for number in (1, 2)]
            return [broker, *workers, net, web]
        if self.dispatcher == "django_tasks":
            workers = [servers.db_worker(number, log, environment) for number in (1, 2)]
            return [*workers, net, web]
        return [net, web]


VARIANTS = {
    "celery-postgres": Variant(databases.postgres, "celery", 800, 10_000),
    "tasks-postgres": Variant(databases.postgres, "django_tasks", 200, 10_000),
    "inline-sqlite": Variant(databases.sqlite, "inline", 200, 2000),
    "inline-mariadb": Variant(databases.mariadb, "inline", 200, 2000),
    "asgi-postgres": Variant(databases.postgres, "inline", 200, 2000, is_asgi=True),
}


@dataclass
class Outcome:
    seed: str
    log: list[Sending]
    disturbances: Counter[str]
    evidence: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        return judge(self.log, self.evidence)

    def __str__(self) -> str:
        statuses = Counter(sending.status or "no answer" for sending in self.log)
        attempts = Counter(event["attempts"] for event in self.evidence["events"])
        lines = [
            f"seed {self.seed}",
            f"deliveries by answer: {dict(statuses)}",
            f"slowest answer: {max(s.answered_at - s.sent_at for s in self.log):.1f} s",
            f"events by attempts: {dict(sorted(attempts.items()))}",
            f"disturbances: {dict(sorted(self.disturbances.items()))}",
            f"seconds: { {name: round(value, 1) for name, value in self.seconds.items()} }",
        ]
        return "\n".join(lines)


def run(variant: Variant, deliveries: int, seed: str, directory: Path) -> Outcome:
    marks = directory / "marks"
    marks.mkdir()
    with variant.database(directory) as database:
        environment = database.environment | {
            "PYTHONPATH": str(servers.ROOT),
            "DJANGO_SETTINGS_MODULE": "tests.chaos.project.settings",
            "CHAOS_DISPATCHER": variant.dispatcher,
            "CHAOS_FAILURES": str(FAILURES),
            "CHAOS_SEED": seed,
            "CHAOS_PORT": str(servers.free_port()),
            "CHAOS_MARKS": str(marks),
            "CHAOS_RECEIVERS": "async" if variant.is_asgi else "",
        }
        if variant.dispatcher == "celery":
            environment["CHAOS_BROKER"] = f"redis://{servers.HOST}:{servers.free_port()}/0"
        return _run(variant, database, deliveries, seed, directory, environment)


def _run(
    variant: Variant,
    database: Any,
    deliveries: int,
    seed: str,
    directory: Path,
    environment: dict[str, str],
) -> Outcome:
    manage(environment, "migrate", "--run-syncdb", "--verbosity=0")
    system = variant.servers(directory, environment)
    port = int(environment["CHAOS_PORT"])
    events = plan(deliveries, max(1, deliveries // 20), random.Random(seed))
    senders = Senders(events, port, seed, hang_ups=0.1 if variant.is_asgi else 0.0)
    started = time.monotonic()
    with servers.Supervisor(system):
        servers.wait_for_port(port)
        sending = time.monotonic()
        with Killer(system, database, seed) as killer:
            senders.start()
            senders.wait()
        settling = time.monotonic()
        manage(environment, "rest", f"--seconds={REST}")
    settled = time.monotonic()
    evidence = json.loads(manage(environment, "evidence"))
    outcome = Outcome(seed, senders.log, killer.done, evidence)
    write_history(directory, sending, senders, killer)
    outcome.seconds = {
        "starting": sending - started,
        "sending": settling - sending,
        "settling": settled - settling,
        "all": time.monotonic() - started,
    }
    return outcome


def write_history(directory: Path, began: float, senders: Senders, killer: Killer) -> None:
    """Write all deliveries and disturbances with their times to a file beside the logs."""
    history = [*killer.history]
    history += [
        (
            each.sent_at,
            f"{each.event.event_id}: {each.status} {each.answered_at - each.sent_at:.2f}",
        )
        for each in senders.log
    ]
    lines = [f"{at - began:8.2f} {what}" for at, what in sorted(history)]
    (directory / "history.log").write_text("\n".join(lines))


def manage(environment: dict[str, str], *arguments: str) -> str:
    done = processes.run(
        [sys.executable, "-m", "django", *arguments],
        cwd=servers.ROOT,
        env=os.environ | environment,
        stderr=None,
        check=True,
        encoding="utf-8",
        timeout=REST + 60,
    )
    output: str = done.stdout
    return output
