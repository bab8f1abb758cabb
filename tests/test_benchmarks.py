"""The benchmark runs, and notices lost events. Its figures are not tested."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("benchmarks", reason="the sdist has no benchmarks; run this in a checkout")

from benchmarks.measuring import deliveries
from benchmarks.measuring.databases import SQLite
from benchmarks.measuring.figures import rows_of
from benchmarks.measuring.receiving import Contestant, EventsLost, Round
from benchmarks.measuring.report import report, table
from benchmarks.measuring.targets import BY_NAME
from tests.processes import run

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark reads /proc")


def contestant(name, *rates, database=None):
    rounds = [Round(100, rate, [1 / rate] * 100, 100 / rate, 0.0, 0.01) for rate in rates]
    return Contestant(BY_NAME[name], database or SimpleNamespace(kind="sqlite"), None, None, rounds)


def test_a_round_measures_the_bare_views_and_this_app(tmp_path):
    inherited = {name: value for name, value in os.environ.items() if name[:7] != "DJANGO_"}
    command = [sys.executable, "-m", "benchmarks.measuring", "--length", "tiny"]
    command += ["--databases", "sqlite", "--targets", "floor,deferred,inline"]
    command += ["--parts", "receiving", "--results", tmp_path]
    done = run(command, cwd=ROOT, env=inherited, timeout=600)

    assert done.returncode == 0, done.stdout + done.stderr
    (saved,) = tmp_path.glob("*.json")
    rows = json.loads(saved.read_text())["receiving"]
    assert [row["target"] for row in rows] == [
        name for name in BY_NAME if name.startswith(("floor", "deferred", "inline"))
    ]
    assert all(row["requests"] > 0 and row["rate"][1] > 0 for row in rows)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".rst"}


def test_each_step_is_measured_on_a_growing_table(tmp_path):
    inherited = {name: value for name, value in os.environ.items() if name[:7] != "DJANGO_"}
    command = [sys.executable, "benchmarks/growth.py", "--sizes", "0", "60", "--drain", "3"]
    done = run(
        [*command, "--format", "json"],
        cwd=ROOT,
        env=inherited | {"TMPDIR": str(tmp_path)},
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(done.stdout)
    assert [*measured] == ["0", "60"]
    for figures in measured.values():
        assert len(figures) == 7
        assert all(milliseconds > 0 for milliseconds in figures.values())


def test_the_sync_is_measured_beside_a_bare_bulk_create(tmp_path):
    inherited = {name: value for name, value in os.environ.items() if name[:7] != "DJANGO_"}
    command = [sys.executable, "benchmarks/sync.py", "--customers", "3", "--invoices", "2"]
    command += ["--format", "json"]
    done = run(command, cwd=ROOT, env=inherited | {"TMPDIR": str(tmp_path)}, timeout=600)

    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(done.stdout)
    assert [*measured] == ["customer", "invoice"]
    for results in measured.values():
        assert [*results] == ["bare bulk_create", "first sync", "second sync"]


class TestVerification:
    @pytest.fixture
    def stored(self, tmp_path):
        database = SQLite("stored", tmp_path)
        database.execute("CREATE TABLE django_altoviz_webhookevent (event_id, status)")
        return contestant("inline", 100.0, database=database)

    def keep(self, stored, *events):
        for event in events:
            stored.database.execute(f"INSERT INTO django_altoviz_webhookevent VALUES {event}")

    def test_verification_passes_if_each_event_is_stored_once(self, stored):
        stored.accepted = ["evt_1", "evt_2"]
        self.keep(stored, ("evt_2", "processed"), ("evt_1", "processed"))
        stored.verify()

    @pytest.mark.parametrize("events", [["evt_1"], ["evt_1", "evt_1"], ["evt_1", "evt_2", "evt_3"]])
    def test_verification_notices_lost_duplicate_and_foreign_events(self, stored, events):
        stored.accepted = ["evt_1", "evt_2"]
        self.keep(stored, *((event, "processed") for event in events))
        with pytest.raises(EventsLost, match="accepted"):
            stored.verify()

    def test_verification_notices_events_that_are_stored_but_not_processed(self, stored):
        stored.accepted = ["evt_1"]
        self.keep(stored, ("evt_1", "pending"))
        with pytest.raises(EventsLost, match="state"):
            stored.verify()


def test_ratios_are_taken_round_by_round():
    # The machine got twice as fast meanwhile, but in each round the ratio is one half.
    deferred, floor = contestant("deferred", 100, 200), contestant("floor-insert", 200, 400)
    row, _ = rows_of([deferred, floor])
    assert row.ratio_to("floor-insert").rate == (0.5, 0.5, 0.5)
    assert row.ratio_to("floor-insert").cpu == (0.5, 0.5, 0.5)
    assert row.ratio_to("djstripe") is None


def test_the_report_marks_an_aim_that_is_missed():
    text = report(
        {"receiving": rows_of([contestant("deferred", 80), contestant("floor-insert", 100)])}
    )
    (aim,) = [line.split() for line in text.splitlines() if line.startswith("deferred / floor")]
    assert aim == ["deferred", "/", "floor-insert", "sqlite", "0.9", "0.80", "0.80", "missed"]


def test_tables_are_valid_restructuredtext():
    core = pytest.importorskip("docutils.core", reason="docutils is not installed")
    tree = core.publish_doctree(table(["name", "n"], [["one", "1"], ["eleven", "11"]]))
    assert "eleven" in tree.astext()


@pytest.mark.parametrize(
    "load",
    [
        deliveries.customers,
        deliveries.stripe_customers,
        deliveries.stripe_payment_methods,
        deliveries.github_issues,
    ],
)
def test_events_are_of_similar_size(load):
    _head, _, body = next(load("/path/")).request.partition(b"\r\n\r\n")
    assert 2000 <= len(body) <= 2500


def test_each_page_of_the_admin_is_measured(tmp_path):
    inherited = {name: value for name, value in os.environ.items() if name[:7] != "DJANGO_"}
    command = [sys.executable, "benchmarks/admin.py", "--events", "500", "--scale", "0.001"]
    done = run(
        [*command, "--runs", "1", "--format", "json"],
        cwd=ROOT,
        env=inherited | {"TMPDIR": str(tmp_path)},
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(done.stdout)
    assert len(measured) > 90
    assert {page["status"] for page in measured.values()} <= {200, 302}
    # The overview counts each status by itself, and its numbers are not in the cache yet.
    most = {"overview": 14}
    assert all(page["ms"] > 0 for page in measured.values())
    assert all(0 < page["queries"] <= most.get(name, 12) for name, page in measured.items())
