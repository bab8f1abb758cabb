"""A real error tracker looks at every exception, and must not change what becomes of events."""

from __future__ import annotations

import json
import os
import sys

from tests.dispatchers.workers import ROOT
from tests.processes import run


def test_what_sentry_captures_changes_nothing(tmp_path):
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE": "sqlite",
        "DATABASE_NAME": "error_tracker",
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    done = run(
        [sys.executable, "-m", "tests.servers.error_tracker"],
        cwd=ROOT,
        env=os.environ | environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    captured = result.pop("captured")
    assert result == {
        "answers": [200],
        "statuses": ["dead", "failed"],
        "told": True,
        "handled": True,
        "secret": False,
    }
    assert captured > 20
