"""An hour of a watch: each business signal comes once, within two rounds, and costs few requests.

``WATCH=full`` has 3,000 invoices, of which 200 are open, and 500 changes.
"""

from __future__ import annotations

import os
from random import Random

import pytest
from django.utils import timezone

from django_altoviz.client import AltovizClient, RateLimiter
from django_altoviz.signals import BY_BUSINESS_SIGNAL
from django_altoviz.sync import sync
from tests.sync.changes import drift
from tests.watch.hour import START, Clock, Hour

pytestmark = pytest.mark.django_db

IS_FULL = os.environ.get("WATCH") == "full"
INVOICES, OPEN, CHANGES = (3000, 200, 500) if IS_FULL else (240, 120, 90)
#: The requests a minute that this Altoviz accepts.
QUOTA = 60
A_MONTH = 30 * 24 * 3600
TROUBLE = {"drop": 0.3, "duplicate": 0.3, "reorder": 0.3}


@pytest.fixture
def begin(connect, monkeypatch):
    """Return a function that begins an hour, with the mirror in step and all open invoices due today."""
    receivers = []

    def begin(seed, **switches):
        clock = Clock(START - A_MONTH)
        altoviz = connect(clock=clock, seed=seed, requests=QUOTA, **switches)
        altoviz.populate(customers=60, products=60, invoices=INVOICES, quotes=120)
        settle(altoviz.invoices, INVOICES - OPEN)
        clock.now = START
        monkeypatch.setattr(timezone, "now", clock.datetime)
        with AltovizClient.for_account(rate_limiter=RateLimiter("import", 10**6)) as client:
            sync(client=client)
        altoviz.behave(quota=QUOTA)
        altoviz.requests.clear()
        hour = Hour(altoviz, clock, Random(seed), QUOTA)
        receivers.extend(hour.connected(BY_BUSINESS_SIGNAL))
        return hour

    yield begin
    for signal, receive in receivers:
        signal.disconnect(receive)


def settle(invoices, number):
    """Pay the first invoices, as if that had happened long ago."""
    for id in invoices.store.ids()[:number]:
        if invoices.get(id)["isDraft"]:
            invoices.store.put(invoices.finalized(invoices.get(id)))
        invoices.pay(id)


def check(hour):
    """Check that each signal that the changes have caused was sent once, and none else, and in time."""
    deadlines = {key: hour.deadline(moment) for key, moment in hour.busy.expected.items()}
    sent = {key: times for key, times in hour.sent_at.items() if key[0] != "invoice_overdue"}
    # If a round first sees an invoice when it is cancelled, the payment is not shown any more.
    unshown = {
        ("invoice_paid", id)
        for id, moment in hour.busy.cancelled.items()
        if moment <= deadlines.get(("invoice_paid", id), 0)
    }
    assert sent.keys() <= deadlines.keys()
    assert deadlines.keys() - unshown <= sent.keys()
    assert {key: times for key, times in sent.items() if times[0] > deadlines[key]} == {}
    assert {len(times) for times in hour.sent_at.values()} == {1}


def check_overdue(hour):
    periods = hour.busy.overdue()
    sent = {
        id: times for (signal, id), times in hour.sent_at.items() if signal == "invoice_overdue"
    }
    certain = {
        id for id, (since, until) in periods.items() if until > hour.deadline(since, rounds=1)
    }
    assert len(certain) > OPEN / 3
    assert certain <= sent.keys() <= periods.keys()
    assert all(times[0] <= hour.deadline(periods[id][0]) for id, times in sent.items())


def run(hour, changes=CHANGES):
    hour.schedule(changes, hour.busy.change)
    hour.run()
    assert hour.busy.made == changes
    assert sum(each.requests for each in hour.rounds) == len(hour.altoviz.requests)
    print([each.as_json() for each in hour.rounds], f"waited {hour.clock.waited:.0f} s")
    check(hour)
    check_overdue(hour)


SEEDS = pytest.mark.parametrize("seed", range(2 if IS_FULL else 1))


@SEEDS
def test_each_signal_comes_once_and_costs_few_requests(begin, seed):
    hour = begin(seed)
    run(hour)
    first, *busy, last = hour.rounds
    assert last.counts["new"] + last.counts["changed"] + last.counts["deleted"] == 0
    # A page of each of six kinds, the rest of the quotes, and three lists of invoices.
    assert first.requests <= 13
    for each in busy:
        found = each.counts["new"] + each.counts["changed"] + each.counts["deleted"]
        assert each.requests <= 15 + found
    assert hour.clock.waited == 0.0


@SEEDS
def test_lost_doubled_and_late_deliveries_change_nothing_about_that(begin, seed):
    hour = begin(seed, has_webhook=True, **TROUBLE)
    # Deliveries are late by up to some minutes.
    hour.schedule(20, hour.altoviz.wait)
    run(hour)
    hour.altoviz.wait()
    assert {len(times) for times in hour.sent_at.values()} == {1}
    with AltovizClient.for_account(rate_limiter=hour.limiter) as client:
        sync(client=client)
    assert drift(hour.altoviz) == []


@pytest.mark.parametrize("status_filter", ["ignored", "refused"])
def test_without_the_filter_of_open_invoices(begin, status_filter):
    run(begin(7, status_filter=status_filter))


def test_changes_while_a_round_waits_for_its_share(begin, settings):
    """Rounds of three requests a minute take minutes, and the company changes meanwhile."""
    hour = begin(3)
    settings.ALTOVIZ = settings.ALTOVIZ | {"WATCH_SHARE": 3 / QUOTA}
    run(hour, CHANGES // 3)
    assert hour.clock.waited > 600
