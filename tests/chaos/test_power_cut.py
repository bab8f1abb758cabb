"""A power cut of the database's machine loses no event answered with 200, and repeats no effect."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from glob import glob

import pytest

from tests.chaos import servers
from tests.chaos.scenario import manage
from tests.processes import Process

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif("CHAOS" not in os.environ, reason="CHAOS is neither small nor full"),
    pytest.mark.skipif(
        not glob("/usr/lib/postgresql/*/bin/initdb") or os.geteuid() != 0,
        reason="the test starts its own PostgreSQL server, which needs root and the server's programs",
    ),
]


class OwnServer:
    """PostgreSQL server to crash. It keeps WAL that no commit has flushed in memory for long."""

    def __init__(self, directory):
        self.directory, self.port = directory, servers.free_port()
        self.programs = os.path.dirname(max(glob("/usr/lib/postgresql/*/bin/initdb")))

    def run(self, program, *arguments):
        command = ["runuser", "-u", "postgres", "--", f"{self.programs}/{program}", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def make(self):
        self.directory.mkdir()
        shutil.chown(self.directory, "postgres")
        self.run("initdb", "-D", str(self.directory), "-A", "trust")

    def start(self):
        options = f"-p {self.port} -k {self.directory} -c wal_writer_delay=10s -c wal_buffers=16MB"
        log = str(self.directory / "log")
        self.run("pg_ctl", "-D", str(self.directory), "-l", log, "-o", options, "-w", "start")

    def crash(self):
        """Stop the server immediately, without flushing anything."""
        self.run("pg_ctl", "-D", str(self.directory), "-m", "immediate", "-w", "stop")


@pytest.fixture
def server(tmp_path_factory):
    # Outside of pytest's folders, which the user postgres must not enter.
    server = OwnServer(tmp_path_factory.getbasetemp().parents[1] / f"altoviz_power_{os.getpid()}")
    server.make()
    server.start()
    yield server
    with contextlib.suppress(subprocess.CalledProcessError):
        server.crash()
    shutil.rmtree(server.directory)


def environment_of(server):
    return {
        "PYTHONPATH": str(servers.ROOT),
        "DJANGO_SETTINGS_MODULE": "tests.chaos.project.settings",
        "CHAOS_ENGINE": "postgres",
        "CHAOS_DATABASE": "postgres",
        "CHAOS_DISPATCHER": "inline",
        "CHAOS_FAILURES": "0",
        "CHAOS_SEED": "of the power cut",
        "PGHOST": servers.HOST,
        "PGPORT": str(server.port),
        "PGUSER": "postgres",
    }


def ids_answered_before_the_crash(server, environment):
    """Crash the server during deliveries. Return the ids of the events answered with 200."""
    command = [sys.executable, "-m", "django", "deliver_on"]
    with Process(
        command,
        cwd=servers.ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ) as process:
        answered = [process.stdout.readline().strip() for _ in range(60)]
        server.crash()
        return [*answered, *process.stdout.read().split()]


@pytest.mark.parametrize("receivers", ["with", "without"])
def test_events_answered_with_200_are_not_lost_or_repeated(server, receivers):
    environment = environment_of(server) | {"CHAOS_RECEIVERS": receivers}
    manage(environment, "migrate", "--run-syncdb", "--verbosity=0")
    answered = ids_answered_before_the_crash(server, environment)
    server.start()
    time.sleep(2.1)  # longer than the lease
    manage(environment, "altoviz_process_events")
    evidence = json.loads(manage(environment, "evidence"))
    events = evidence["events"]
    ids = [event["event_id"] for event in events]
    assert len(ids) == len({*ids})
    assert {*answered} <= {*ids}
    assert {event["status"] for event in events} == {"processed"}
    effects = [tuple(effect) for effect in evidence["effects"]]
    expected = [(e["pk"], name) for e in events for name in ("first", "second")]
    assert sorted(effects) == (sorted(expected) if receivers == "with" else [])
    last = {(event["account"], event["object_id"]): event["pk"] for event in events}
    shown = {
        (row["account"], row["altoviz_id"]): row["last_event_id"] for row in evidence["mirrors"]
    }
    assert shown == last
