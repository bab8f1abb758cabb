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


def test_the_versions_of_a_row():
    run_tests("tests.versions.settings", "tests/versions/journey.py", "--nomigrations")


def run_tests(settings, *arguments):
    """Run tests in a process of their own, on a database of their own."""
    journey = run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cov", "-p", "no:xdist"),
            *(f"--ds={settings}", *arguments),
        ],
        env=os.environ | {"DATABASE_NAME": f"{_NAME}_{settings.split('.')[-1]}"},
        timeout=600,
    )
    assert journey.returncode == 0, journey.stdout + journey.stderr
