"""``altoviz_sync --watch``."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest
from django.db import connection

from django_altoviz.models import Customer, Invoice, SyncRun, Watch
from django_altoviz.signals import product_created
from django_altoviz.sync import claim_watch
from tests.sync.test_command import run

# The command closes connections between rounds, which ends a transaction of the test.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def altoviz(connect):
    altoviz = connect()
    altoviz.populate(customers=2, invoices=3)
    return altoviz


class Naps:
    """The pauses between rounds: functions to call, and after the last one Control-C."""

    def __init__(self):
        self.between, self.seconds = [], []

    def __call__(self, pause):
        if pause < 5:
            return  # the client repeats a request
        self.seconds.append(pause)
        if not self.between:
            raise KeyboardInterrupt
        self.between.pop(0)()


@pytest.fixture
def naps(monkeypatch):
    naps = Naps()
    monkeypatch.setattr(time, "sleep", naps)
    return naps


def test_makes_rounds_until_it_is_interrupted(altoviz, naps, sent):
    ids = []
    naps.between += [lambda: ids.append(altoviz.customers.create()["id"]), lambda: None]
    out, err, code = run("--watch", "--interval=20")
    assert sent["customer_created", ids[0]] == 1
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[1:7]] == [
        "customers", "contacts", "products", "invoices", "quotes", "credits",
    ]  # fmt: skip
    rest = [line.split(": ", 1)[1] for line in lines[7:]]
    numbers = "0 changed, 0 deleted, 0 failed, 0 overdue"
    assert rest == [
        f"0 new, {numbers}; 6 requests.",
        f"2 new, {numbers}; 6 requests.",
        f"0 new, {numbers}; 6 requests.",
    ]
    assert err.splitlines()[-1] == "Interrupted. Run it again to resume."
    assert code == 130
    assert len(naps.seconds) == 3
    assert all(10 < pause <= 20 for pause in naps.seconds)


def test_prints_an_object_for_each_round(altoviz, naps):
    naps.between += [lambda: None]
    out, _, _ = run("--watch", "--format=json", "--verbosity=0")
    first, second = map(json.loads, out.splitlines())
    assert [*first["syncs"]] == [
        *("customers", "contacts", "products", "invoices", "quotes", "credits")
    ]
    assert second == {
        "new": 0, "changed": 0, "deleted": 0, "failed": 0, "overdue": 0, "requests": 6, "syncs": {},
    }  # fmt: skip


def test_prints_nothing_at_verbosity_0(altoviz, naps):
    out, err, _ = run("--watch", "--verbosity=0")
    assert (out, err.splitlines()) == ("", ["Interrupted. Run it again to resume."])


def test_syncs_as_a_whole_in_between(altoviz, naps):
    naps.between += [lambda: None]
    run("--watch", "--full-every=0")
    assert SyncRun.objects.filter(is_import=False).count() == 6


def test_calls_receivers_in_the_import_with_signals(altoviz, naps, sent):
    run("--watch", "--signals")
    assert len([name for name, _id in sent if name == "invoice_created"]) == 3


def test_works_without_time_zones(altoviz, naps, settings):
    settings.USE_TZ = False
    assert "requests." in run("--watch")[0]


@pytest.mark.parametrize("fault", [429, "reset", 500])
def test_goes_on_after_trouble(altoviz, naps, fault):
    def break_the_next_round():
        altoviz.customers.create()
        altoviz.fail_next(*[fault] * 400)

    naps.between += [break_the_next_round, altoviz.fail_next]
    _, err, code = run("--watch", "--interval=200")
    assert code == 130
    assert Customer.objects.count() == 3
    assert "Altoviz" in err


@pytest.mark.parametrize(
    ("fault", "words"), [(401, "does not accept the API key"), ("gone", "another company's")]
)
def test_ends_if_waiting_does_not_help(altoviz, naps, fault, words):
    def spoil():
        if fault == "gone":
            altoviz.customers.store._rows.clear()
            altoviz.contacts.store._rows.clear()
            altoviz.invoices.store._rows.clear()
        else:
            altoviz.fail_next(fault)

    naps.between += [spoil]
    _, err, code = run("--watch")
    assert code == 1
    assert words in err
    assert Customer.objects.count() == 2


def test_without_an_api_key_it_ends_at_once(altoviz, naps, settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": ""}
    _, err, code = run("--watch")
    assert (code, "has no API_KEY" in err) == (1, True)


def test_ends_if_another_watch_takes_over(altoviz, naps):
    naps.between += [claim_watch]
    _, err, code = run("--watch")
    assert err.endswith("Another altoviz_sync has taken over this sync.")
    assert code == 1


@pytest.mark.parametrize("moment", ["in a round", "between rounds"])
def test_sigterm_ends_it_like_control_c(altoviz, naps, moment):
    def terminate(**kwargs):
        os.kill(os.getpid(), signal.SIGTERM)

    former = signal.getsignal(signal.SIGTERM)
    naps.between += [altoviz.products.create if moment == "in a round" else terminate]
    product_created.connect(terminate)
    try:
        _, err, code = run("--watch")
    finally:
        product_created.disconnect(terminate)
    assert len(naps.seconds) == 1
    assert (code, err.splitlines()[-1]) == (130, "Interrupted. Run it again to resume.")
    assert signal.getsignal(signal.SIGTERM) == former


@pytest.mark.parametrize("option", ["customers", "--dry-run", "--all-gone"])
def test_refuses_options_that_make_no_sense(altoviz, option):
    _, err, code = run("--watch", option)
    assert (code, err) == (1, "--watch can't be combined with KIND, --dry-run or --all-gone.")


def test_watches_the_given_account(altoviz, naps, settings):
    acme = settings.ALTOVIZ["ACCOUNTS"]["acme"] | altoviz.settings
    settings.ALTOVIZ = settings.ALTOVIZ | {"ACCOUNTS": {"acme": acme}}
    run("--watch", "--account=acme")
    assert Watch.objects.get().account == "acme"
    assert str(Watch.objects.get()) == "acme"
    assert {*Invoice.objects.values_list("account", flat=True)} == {"acme"}


def test_runs_outside_the_main_thread(altoviz, naps):
    codes = []

    def in_thread():
        codes.append(run("--watch")[2])
        connection.close()

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert codes == [130]
