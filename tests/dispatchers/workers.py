"""Start workers in separate processes, and wait for their work."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

from django.db import connection

from tests.processes import Process

ROOT = Path(__file__).resolve().parents[2]
CELERY = ["-m", "celery", "-A", "tests.dispatchers.project", "worker", "--loglevel=INFO"]
CELERY += ["--concurrency=2", "--without-gossip", "--without-mingle", "--without-heartbeat"]
DB_WORKER = ["-m", "django", "db_worker", "--interval=0.1", "--no-startup-delay", "--no-reload"]


@contextlib.contextmanager
def working(command, directory, **environment):
    """Start a worker, yield its process, and stop it at the end."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "tests.dispatchers.settings",
        "WORKER_DATABASE": str(connection.settings_dict["NAME"]),
        "WORKER_TRAP": str(directory / "trap"),
    } | environment
    with open(directory / "worker.log", "w+") as log:
        with Process(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=log,
            stderr=log,
        ) as process:
            yield process


def eventually(condition, seconds=120):
    """Wait until the condition is true. Return its last value, which is false after the timeout."""
    give_up_at = time.monotonic() + seconds
    while not (result := condition()) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    return result
