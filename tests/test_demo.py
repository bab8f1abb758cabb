"""The demonstration, run as a newcomer runs it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.processes import run

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.demo


@pytest.fixture
def run_demo(tmp_path):
    def run_demo(**environment):
        inherited = {name: os.environ[name] for name in os.environ if name[:7] != "ALTOVIZ"}
        path = tmp_path / "demo.sqlite3"
        return run(
            [sys.executable, "-W", "error", "example_project/demo.py", "--database", path],
            cwd=ROOT,
            env=inherited | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"} | environment,
            timeout=600,
        )

    return run_demo


def test_all_checks_of_the_demonstration_pass(run_demo):
    demo = run_demo()

    assert demo.returncode == 0, demo.stdout + demo.stderr
    lines = [" ".join(line.split()) for line in demo.stdout.splitlines()]
    for line in [
        "Webhook unchanged by the second run True yes",
        "... and turned into an invoice InvoiceCreated, QuoteUpdated yes",
        "Its price changes; the event comes twice 2 × ProductUpdated yes",
        "The product's price changes; the event is lost nothing yes",
        "Sync events types: the lost events InvoiceDeleted, ProductUpdated, QuoteCreated yes",
        "Sync events types: never sent CreditCreated yes",
        "Invoices equal to Altoviz, extra 5, 0 yes",
        "Credits equal to Altoviz, extra 1, 0 yes",
        "Sales states paid, deleted, cancelled, deleted yes",
        "InvoiceCreated lowercase hex, before its customer 200, stored yes",
        "InvoiceUpdated url safe base64, repeated 200, known yes",
        "<ping/> lowercase hex, not JSON 400, malformed yes",
        "InvoiceUpdated signature of another body 401, invalid signature yes",
        "Invoice FA001043 of 2026-10-15 for Fonderie Brûlé & Fils",
        "Net 2555.90, tax 500.71, total 3056.61, balance 3056.61",
        "all of them most runs for one event 1 yes",
        "Sale 531884 client__name, total, state Fonderie Brûlé & Fils, 3056.61, open yes",
    ]:
        assert line in lines
    passed, _of, total, *_ = lines[-1].split()
    assert passed == total
    assert not [line for line in demo.stdout.splitlines() if len(line) > 100]


def test_a_server_with_another_secret_fails_the_demonstration(run_demo):
    demo = run_demo(ALTOVIZ_WEBHOOK_SECRET="not-the-one-that-it-signs-with")

    assert demo.returncode == 1, demo.stdout + demo.stderr
    assert "Failed checks" in demo.stdout
    assert (
        "- CustomerCreated, uppercase hex: expected 200, stored, found 401, invalid signature"
        in demo.stdout.splitlines()
    )


def test_a_project_that_refuses_the_deliveries_fails_the_demonstration(run_demo, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'runserver' in getattr(sys, 'orig_argv', []):\n"
        "    os.environ['ALTOVIZ_WEBHOOK_SECRET'] = 'not the one that was registered'\n"
    )
    demo = run_demo(PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]))

    assert demo.returncode == 1, demo.stdout + demo.stderr
    lines = [" ".join(line.split()) for line in demo.stdout.splitlines()]
    assert any(line.startswith("... and moves CustomerUpdated 401") for line in lines)
    failed = " ".join(demo.stdout.partition("Failed checks")[2].split())
    assert re.search(r"- Webhook events, stored, processed: expected \d+, \d+, found 0, 0", failed)
    # The sync has mirrored the objects nevertheless.
    assert "Quotes equal to Altoviz, extra 4, 0 yes" in lines


def test_a_project_that_does_not_start_fails_the_demonstration(run_demo, tmp_path):
    # Every Python process runs this at its start; only the server must fail.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'runserver' in getattr(sys, 'orig_argv', []):\n"
        "    raise SystemExit('broken')\n"
    )
    demo = run_demo(PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]))

    assert demo.returncode == 1, demo.stdout + demo.stderr
    assert "The server exited with code" in demo.stderr
    assert "checks passed" not in demo.stdout
