"""The demonstration, run as anybody would run it."""

from __future__ import annotations

import os
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
            encoding="utf-8",
            timeout=180,
        )

    return run_demo


def test_the_demonstration_meets_all_of_its_expectations(run_demo):
    demo = run_demo()

    assert demo.returncode == 0, demo.stdout + demo.stderr
    lines = [" ".join(line.split()) for line in demo.stdout.splitlines()]
    for line in [
        "... again the same one True yes",
        "... becomes an invoice InvoiceCreated, QuoteUpdated yes",
        "... gets dearer; all comes twice 2 × ProductUpdated yes",
        "The product gets dearer; that is lost nothing yes",
        "... of it what was lost InvoiceDeleted, ProductUpdated, QuoteCreated yes",
        "Invoices as at Altoviz, others 5, 0 yes",
        "Sales states paid, deleted, cancelled, deleted yes",
        "InvoiceCreated hex lower, before its customer 200, stored yes",
        "InvoiceUpdated base64 url, delivered again 200, known yes",
        "<ping/> hex lower, not JSON 400, malformed yes",
        "InvoiceUpdated the signature of another body 401, invalid signature yes",
        "Invoice FA001043 of 2026-10-15 for Fonderie Brûlé & Fils",
        "Without tax 2555.90, tax 500.71, with tax 3056.61, to be paid 3056.61",
        "any of them most runs for one event 1 yes",
        "Sale 531884 client__name, total, state Fonderie Brûlé & Fils, 3056.61, open yes",
    ]:
        assert line in lines
    met, _of, expected, *_ = lines[-1].split()
    assert met == expected
    assert not [line for line in demo.stdout.splitlines() if len(line) > 100]


def test_a_server_with_another_secret_fails_the_demonstration(run_demo):
    demo = run_demo(ALTOVIZ_WEBHOOK_SECRET="not-the-one-that-it-signs-with")

    assert demo.returncode == 1, demo.stdout + demo.stderr
    assert "What is wrong" in demo.stdout
    assert (
        "- CustomerCreated, hex upper: found 401, invalid signature, but it must be 200, stored"
        in demo.stdout.splitlines()
    )


def test_a_project_that_does_not_take_what_altoviz_sends_fails_the_demonstration(
    run_demo, tmp_path
):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'runserver' in getattr(sys, 'orig_argv', []):\n"
        "    os.environ['ALTOVIZ_WEBHOOK_SECRET'] = 'not the one that was registered'\n"
    )
    demo = run_demo(PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]))

    assert demo.returncode == 1, demo.stdout + demo.stderr
    assert "... has moved                                CustomerUpdated 401" in demo.stdout
    wrong = " ".join(demo.stdout.partition("What is wrong")[2].split())
    assert "- Events, delivered, processed: found 0, 0, but it must be" in wrong
    # Even so the sync has brought in what is at Altoviz.
    assert "Quotes     as at Altoviz, others    4, 0" in demo.stdout


def test_a_project_that_does_not_start_fails_the_demonstration(run_demo, tmp_path):
    # Python runs this at each start; only the server is to fail.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'runserver' in getattr(sys, 'orig_argv', []):\n"
        "    raise SystemExit('broken')\n"
    )
    demo = run_demo(PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]))

    assert demo.returncode == 1, demo.stdout + demo.stderr
    assert "The server ended with exit code" in demo.stderr
    assert "expectations are met" not in demo.stdout
