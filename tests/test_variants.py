"""The journey of an event in projects with other settings."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.settings import _NAME


@pytest.mark.parametrize("variant", ["no_time_zones", "events_elsewhere", "lagging_replica"])
def test_the_journey_of_an_event(variant):
    chosen = (
        ["-k", "not admin"] if variant == "lagging_replica" else []
    )  # because the admin reads from the replica
    journey = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cov", "-p", "no:xdist"),
            *(f"--ds=tests.variants.{variant}", "tests/test_journey.py", *chosen),
        ],
        env=os.environ | {"DATABASE_NAME": f"{_NAME}_{variant}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert journey.returncode == 0, journey.stdout + journey.stderr
