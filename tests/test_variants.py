"""The journey of an event in projects with other settings."""

from __future__ import annotations

import os
import sys

import pytest

from tests.processes import run
from tests.settings import _NAME


@pytest.mark.parametrize("variant", ["no_time_zones", "events_elsewhere", "lagging_replica"])
def test_the_journey_of_an_event(variant):
    # The admin reads from the replica.
    chosen = ["-k", "not admin"] if variant == "lagging_replica" else []
    # The migrations differ from those of the suite only if a router places them.
    chosen += [] if variant == "events_elsewhere" else ["--nomigrations"]
    run_tests(f"tests.variants.{variant}", "tests/test_journey.py", *chosen)


@pytest.mark.parametrize(
    "files",
    [
        ["test_events.py", "test_processing.py", "test_retries.py"],
        ["test_refetching.py", "test_retention.py"],
        ["test_forgetting.py::TestTraces", "test_forgetting.py::TestErasedStaysErased"],
        [
            *(f"sync/test_sync.py::{name}" for name in ("TestEventsDuringTheSync", "TestLines")),
            *(f"sync/test_sync.py::{name}" for name in ("TestInterrupted", "TestOldRuns")),
            *(f"sync/test_sync.py::{name}" for name in ("TestTheRightKey", "TestDryRun")),
        ],
    ],
    ids=["processing", "retention", "privacy", "sync"],
)
def test_whoever_writes_does_not_read_from_a_replica(files):
    """Every query whose result decides what is written names its database."""
    own_connection = "not (coroutines or ReopenedWhilePruning or half_pruned or locks_the_mirror)"
    run_tests(
        "tests.variants.hidden_tables",
        *(f"tests/{path}" for path in files),
        *("--nomigrations", "-p", "tests.variants.all_databases", "-k", own_connection),
    )


def test_the_versions_of_a_row():
    run_tests("tests.versions.settings", "tests/versions/journey.py", "--nomigrations")


def run_tests(settings, *arguments):
    """Run tests in a process of their own, on a database of their own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    name = f"{_NAME}_{settings.split('.')[-1]}{worker}"
    journey = run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cov", "-p", "no:xdist"),
            *(f"--ds={settings}", *arguments),
        ],
        env=os.environ | {"DATABASE_NAME": name},
        timeout=600,
    )
    assert journey.returncode == 0, journey.stdout + journey.stderr
