"""A crash between any two SQL statements loses nothing and repeats nothing."""

from __future__ import annotations

import json
import os

import pytest

from tests.chaos import databases, servers
from tests.chaos.scenario import manage

DATABASES = {
    "sqlite": databases.sqlite,
    "postgres": databases.postgres,
    "mariadb": databases.mariadb,
}
#: SQLite, and the database that the suite runs on.
CHOSEN = sorted({"sqlite", os.environ.get("DATABASE", "sqlite")})


#: A crash at every third statement of a round, or at fewer.
STEP = 3 if os.environ.get("WATCH") == "full" else 7


@pytest.fixture(params=CHOSEN)
def crash(request, tmp_path):
    """Return a function that runs a command in the project of the chaos suite."""
    with DATABASES[request.param](tmp_path) as database:
        environment = database.environment | {
            "PYTHONPATH": str(servers.ROOT),
            "DJANGO_SETTINGS_MODULE": "tests.chaos.project.settings",
            "CHAOS_DISPATCHER": "inline",
            # Receivers fail as well.
            "CHAOS_FAILURES": "0.2",
            "CHAOS_SEED": "of the crashes",
        }
        manage(environment, "migrate", "--run-syncdb", "--verbosity=0")
        yield lambda *command, **more: json.loads(manage(environment | more, *command))


def test_each_crash_leaves_exactly_one_effect(crash):
    *crashed, last = reports = crash("crash_everywhere")
    assert len(crashed) >= 15
    assert not last["has_crashed"]
    for number, report in enumerate(reports, 1):
        assert report["statuses"] == ["processed"] * 2, number
        assert sorted(report["effects"]) == [
            "first of 1",
            "first of 2",
            "second of 1",
            "second of 2",
        ], number
        assert [effect[-1] for effect in report["effects"]] == ["1", "1", "2", "2"], number
        assert report["runs"] == 4, number
        assert report["mirror"] == ["2", 4], number
    # Some attempts crashed or failed, and were retried.
    assert any(max(report["attempts"]) > 1 for report in crashed)


def test_each_crash_of_a_watch_leaves_each_business_signal_once(crash):
    reports = crash("crash_watching", f"--step={STEP}", CHAOS_RECEIVERS="without")
    *crashed, last = reports
    assert len(crashed) >= 50 / STEP
    assert not last["has_crashed"]
    for number, report in enumerate(reports, 1):
        assert len(report["heard"]) == 7, (number, report)
        assert {*report["heard"].values()} == {1}, (number, report)
