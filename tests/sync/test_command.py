from __future__ import annotations

import io
import json
import os
import re
import signal
import threading

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import connection

from django_altoviz.event_types import Entity
from django_altoviz.management import progress
from django_altoviz.management.commands import altoviz_sync
from django_altoviz.models import Customer, Invoice, SyncRun
from django_altoviz.signals import customer_created
from django_altoviz.sync import sync
from tests.client.scripted import Answer
from tests.sync.lists import customer, invoice

pytestmark = pytest.mark.django_db


def run(*args, error_output=None, **options):
    """Return what the command writes to standard output and error, and its exit code."""
    out, err = io.StringIO(), error_output or io.StringIO()
    code = 0
    try:
        call_command("altoviz_sync", *args, stdout=out, stderr=err, no_color=True, **options)
    except SystemExit as exit:
        code = exit.code
    except CommandError as error:
        code = 1
        err.write(str(error))
    return out.getvalue(), err.getvalue(), code


@pytest.fixture
def filled(altoviz):
    altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 251)))
    altoviz.add(Entity.INVOICE, invoice(1))
    return altoviz


def test_every_kind_of_object_is_synced_and_counted(filled):
    out, err, code = run()
    rows = [line.split() for line in out.splitlines()]
    assert rows == [
        ["seen", "new", "changed", "deleted", "unchanged", "failed"],
        ["customers", "250", "250", "0", "0", "0", "0"],
        ["contacts", "0", "0", "0", "0", "0", "0"],
        ["products", "0", "0", "0", "0", "0", "0"],
        ["invoices", "1", "1", "0", "0", "0", "0"],
        ["quotes", "0", "0", "0", "0", "0", "0"],
        ["credits", "0", "0", "0", "0", "0", "0"],
    ]
    assert len({len(line) for line in out.splitlines()}) == 1
    assert err.splitlines()[:2] == ["customers: reading.", "contacts: reading."]
    assert code == 0
    assert Customer.objects.count() == 250


def test_only_the_given_kinds_are_synced(filled):
    out, _, code = run("invoices", "customers")
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["customers", "invoices"]
    assert code == 0


def test_an_unknown_kind_is_refused(altoviz):
    with pytest.raises(
        CommandError, match="'receipts' is not a kind of object: choose from customers, "
    ):
        call_command("altoviz_sync", "receipts")


def test_json_is_the_whole_standard_output(filled):
    out, _, _ = run("customers", "--format=json")
    assert json.loads(out) == {
        "customers": {
            "seen": 250,
            "new": 250,
            "changed": 0,
            "deleted": 0,
            "unchanged": 0,
            "failed": 0,
            "import": True,
            "finished": True,
            "error": "",
        }
    }


def test_no_progress_is_printed_at_verbosity_0(filled):
    assert run("customers", "--verbosity=0")[1] == ""


def test_a_dry_run_exits_with_3_if_something_differs(filled):
    assert run("customers", "--dry-run")[2] == altoviz_sync.DRIFTED
    assert not Customer.objects.exists()
    run("customers")
    assert run("customers", "--dry-run")[2] == 0


def test_the_first_sync_calls_receivers_with_signals(filled):
    calls = []

    def receive(**kwargs):
        calls.append(kwargs)

    customer_created.connect(receive)
    try:
        run("customers", "--signals")
    finally:
        customer_created.disconnect(receive)
    assert len(calls) == 250


def test_a_suspicious_key_is_reported_with_the_option_that_accepts_it(filled):
    run()
    filled.objects[Entity.CUSTOMER] = {}
    _out, err, code = run("customers")
    assert code == 1
    assert "another company's" in err
    assert "--all-gone" in err
    assert Customer.objects.count() == 250
    assert run("customers", "--all-gone")[2] == 0
    assert not Customer.objects.exists()


def test_the_given_account_is_synced(filled):
    run("invoices", "--account=acme")
    assert Invoice.objects.get().account == "acme"


def test_a_failed_object_makes_the_command_fail(altoviz):
    altoviz.add(Entity.CUSTOMER, customer(1, active="maybe"), customer(2))
    out, err, code = run("customers")
    assert out.splitlines()[1].split() == ["customers", "2", "1", "0", "0", "0", "1"]
    assert err.endswith("1 object failed. See its event in the admin, or the log.")
    assert code == 1


def test_an_api_error_is_reported_after_the_counts(filled):
    filled.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 701)))
    filled.before[6] = lambda: Answer(401)
    out, err, code = run("customers", "--format=json")
    assert json.loads(out)["customers"]["new"] == 500
    assert "does not accept the API key" in err
    assert code == 1


def test_every_list_that_fails_is_reported(filled):
    filled.answers["/v1/Customers"] = Answer(400)
    filled.answers["/v1/Products"] = Answer(400)
    _, err, code = run()
    assert "v1/Customers was answered 400" in err
    assert "v1/Products was answered 400" in err
    assert code == 1


def test_without_an_api_key_the_command_fails_at_once(altoviz, settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": ""}
    out, err, code = run()
    assert "has no API_KEY" in err
    assert out == ""
    assert code == 1


@pytest.mark.parametrize("how", ["SIGTERM", "Ctrl-C"])
def test_an_interrupted_sync_prints_its_counts_and_is_resumed(filled, how):
    def interrupt():
        if how == "Ctrl-C":
            raise KeyboardInterrupt
        os.kill(os.getpid(), signal.SIGTERM)

    filled.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 701)))
    filled.after[6] = interrupt
    former = signal.getsignal(signal.SIGTERM)
    out, err, code = run("customers")
    assert out.splitlines()[1].split()[:3] == ["customers", "500", "500"]
    assert err.splitlines()[-1] == "Interrupted. Run it again to resume."
    assert code == 130
    assert signal.getsignal(signal.SIGTERM) == former
    out, err, code = run("customers")
    assert out.splitlines()[1].split()[:3] == ["customers", "700", "700"]
    assert err.splitlines()[0] == "customers: resuming after 500."
    assert code == 0


def test_a_sync_that_is_taken_over_ends_with_an_error(filled):
    filled.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 701)))
    filled.after[6] = lambda: sync(entities=[Entity.CUSTOMER]) if len(filled.requests) == 6 else 0
    _, err, code = run("customers")
    assert err.endswith("Another altoviz_sync has taken over this sync.")
    assert code == 1
    assert SyncRun.objects.get().seen == 700


@pytest.mark.django_db(transaction=True)
def test_the_command_runs_outside_the_main_thread(filled):
    answers = []

    def in_thread():
        answers.append(run("invoices"))
        connection.close()

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert answers[0][2] == 0


def test_progress_is_printed_in_lines(filled, monkeypatch):
    monkeypatch.setattr(progress, "_INTERVAL", 0.0)
    filled.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 701)))
    _, err, _ = run("customers")
    assert err.splitlines() == [
        "customers: reading.",
        "customers: 500 of 700.",
        "customers: 700 of 700.",
    ]


def test_progress_on_a_terminal_is_not_red():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    output = OutputWrapper(Terminal())
    output.style_func = lambda text: f"red: {text}"
    progress.Progress(output, is_quiet=False).paused(5.2)
    assert output.getvalue().startswith("Waiting 5 s: ")


def test_a_pause_before_another_attempt_is_told():
    output = io.StringIO()
    progress.Progress(OutputWrapper(output), is_quiet=False).retrying(9.4)
    assert output.getvalue().startswith("Waiting 9 s to try again: ")


def test_a_pause_for_the_rate_limit_is_explained(filled, settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"API_REQUESTS_PER_MINUTE": 2}
    output = io.StringIO()
    write = output.write

    def interrupt_at_pause(text):
        write(text)
        if text.startswith("Waiting"):
            raise KeyboardInterrupt

    output.write = interrupt_at_pause
    _, err, code = run("customers", error_output=output)
    assert re.search(r"Waiting \d+ s: Altoviz accepts about 100 requests a minute", err)
    assert code == 130
