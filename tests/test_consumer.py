"""The project in ``tests/consumer`` uses the app as a user's project does, with types.

Here its tests run. ``make types`` checks its types, against the installed package.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.processes import run

ROOT = Path(__file__).parents[1]
CONSUMER = ROOT / "tests" / "consumer"


def test_the_tests_of_the_project_pass():
    environment = {name: text for name, text in os.environ.items() if not name.startswith("DJANGO")}
    done = run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cov", "-p", "no:xdist"],
        cwd=CONSUMER,
        env=environment | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
