"""``invoice_overdue``: a due date passes, and nothing happens at Altoviz."""

from __future__ import annotations

import datetime

import pytest
from django.test import override_settings
from django.utils import timezone

from django_altoviz.days import project_date
from django_altoviz.models import Invoice, ReceiverRun, Source, Status, WebhookEvent
from django_altoviz.processing import Replay, process, process_again
from django_altoviz.signals import invoice_overdue, invoice_updated
from django_altoviz.sync import overdue, signal_overdue, sync, watch_round
from tests.conftest import body_of

pytestmark = pytest.mark.django_db

UTC = datetime.timezone.utc
#: In Paris it is the same day.
NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=UTC)
YESTERDAY, TODAY, TOMORROW = "2026-03-09", "2026-03-10", "2026-03-11"
OPEN = {"id": 1, "isDraft": False, "isPaid": False, "isCancelled": False, "isProforma": False}


@pytest.fixture(autouse=True)
def now(monkeypatch):
    """Set the time, and return a function that changes it."""

    def set_time(moment):
        monkeypatch.setattr(timezone, "now", lambda: moment)

    set_time(NOON)
    return set_time


@pytest.fixture
def heard():
    """Record the due dates that were signalled, and connect a receiver of updates."""
    dates = []

    def hear(sender, instance, data, changes, event, **kwargs):
        assert (sender, data["id"], event.source) == (Invoice, instance.altoviz_id, Source.CALENDAR)
        dates.append(str(changes["awaited_due_date"][0]))

    def hear_of_updates(event, **kwargs):
        assert event.source != Source.CALENDAR

    invoice_overdue.connect(hear)
    invoice_updated.connect(hear_of_updates)
    yield dates
    invoice_overdue.disconnect(hear)
    invoice_updated.disconnect(hear_of_updates)


def commitment(date, due="10.0", amount="10.0"):
    return {
        "id": 1,
        "date": date,
        "amount": float(amount),
        "dueAmount": due and float(due),
        "thirdId": 1,
    }


def deliver(*commitments, balance=10.0, **data):
    fields = OPEN | {"balance": balance, "commitments": [*commitments]} | data
    event = WebhookEvent.from_delivery(body_of("InvoiceUpdated", **fields), "default", {})
    WebhookEvent.objects.store(event)
    process(event)
    assert event.status == Status.PROCESSED, event.error
    return Invoice.objects.get()


def test_is_sent_once_on_the_day_after_the_due_date(heard, now):
    deliver(commitment(TODAY))
    assert signal_overdue("default", None) == 0
    now(NOON + datetime.timedelta(days=1))
    assert signal_overdue("default", None) == 1
    assert signal_overdue("default", None) == 0
    assert heard == [TODAY]
    row = Invoice.objects.get()
    assert (row.awaited_due_date, row.overdue_dates) == (None, [TODAY])
    assert "invoice_overdue" in row.business_signals


def test_is_an_event_of_the_calendar(heard):
    row = deliver(commitment(YESTERDAY))
    signal_overdue("default", None)
    event = WebhookEvent.objects.get(source=Source.CALENDAR)
    assert (event.type, event.object_id, event.status) == ("InvoiceUpdated", 1, Status.PROCESSED)
    assert event.business_signals == ["invoice_overdue"]
    assert event.envelope.data == row.data
    assert event.arrival == {"due_date": YESTERDAY}
    assert ReceiverRun.objects.get(event=event).receiver.endswith("@invoice_overdue")
    # The row shows what the delivery showed.
    assert Invoice.objects.get().last_event_id == row.last_event_id


def test_is_not_sent_with_a_delivery(heard):
    """A late delivery may show an invoice as unpaid that was paid long ago."""
    deliver(commitment(YESTERDAY))
    assert heard == []


@pytest.mark.parametrize(
    ("commitments", "data", "dates"),
    [
        ([commitment(YESTERDAY, due="4.5")], {}, [YESTERDAY]),  # paid in part
        ([commitment(YESTERDAY, due="0.0"), commitment(TOMORROW)], {}, []),
        (
            [commitment(YESTERDAY, due=None)],
            {},
            [YESTERDAY],
        ),  # only the balance says that it is due
        ([commitment(YESTERDAY), commitment("2026-02-01")], {}, ["2026-02-01", YESTERDAY]),
        ([commitment(YESTERDAY), commitment(YESTERDAY)], {}, [YESTERDAY]),
        ([commitment(YESTERDAY)], {"isDraft": True}, []),
        ([commitment(YESTERDAY)], {"isProforma": True}, []),
        ([commitment(YESTERDAY)], {"isPaid": True}, []),
        ([commitment(YESTERDAY)], {"isCancelled": True}, []),
        ([commitment(YESTERDAY)], {"balance": 0.0}, []),
        ([commitment(YESTERDAY)], {"balance": None}, []),
        ([commitment(None)], {}, []),
        ([commitment("soon")], {}, []),
        ([], {}, []),
    ],
)
def test_is_sent_for_each_due_date_whose_amount_is_not_paid(heard, commitments, data, dates):
    deliver(*commitments, **data)
    assert signal_overdue("default", None) == len(dates)
    assert heard == dates


def test_is_not_sent_for_a_deleted_invoice(heard):
    deliver(commitment(YESTERDAY))
    event = WebhookEvent.from_delivery(body_of("InvoiceDeleted", id=1), "default", {})
    process(WebhookEvent.objects.store(event))
    assert signal_overdue("default", None) == 0
    assert heard == []


def test_is_not_sent_again_if_a_payment_is_undone(heard):
    deliver(commitment(YESTERDAY))
    signal_overdue("default", None)
    deliver(commitment(YESTERDAY, due="0.0"), balance=0.0, isPaid=True)
    deliver(commitment(YESTERDAY))
    assert signal_overdue("default", None) == 0
    assert heard == [YESTERDAY]


def test_is_sent_again_if_the_due_date_was_postponed_and_passes(heard, now):
    deliver(commitment(YESTERDAY))
    signal_overdue("default", None)
    deliver(commitment(TODAY))
    assert signal_overdue("default", None) == 0
    now(NOON + datetime.timedelta(days=1))
    assert signal_overdue("default", None) == 1
    assert heard == [YESTERDAY, TODAY]


def test_leaves_another_account_alone(heard):
    deliver(commitment(YESTERDAY))
    assert signal_overdue("acme", None) == 0


@pytest.mark.parametrize(
    ("zone", "date"), [("Europe/Paris", "2026-03-11"), ("America/New_York", TODAY)]
)
def test_the_day_is_that_of_the_project(now, zone, date):
    now(datetime.datetime(2026, 3, 10, 23, 30, tzinfo=UTC))
    with override_settings(TIME_ZONE=zone), timezone.override("Asia/Tokyo"):
        assert str(project_date()) == date


def test_the_day_of_a_project_without_time_zones(now):
    now(datetime.datetime(2026, 3, 10, 23, 30))
    with override_settings(USE_TZ=False):
        assert str(project_date()) == TODAY


class TestEventsOfTheCalendar:
    def stored(self):
        """Store an event as a process does that dies before it processes it."""
        row = Invoice.objects.get()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(overdue, "process", lambda event: None)
            overdue._signal(row, None)
        return WebhookEvent.objects.get(source=Source.CALENDAR)

    def given_up(self):
        WebhookEvent.objects.filter(pk=self.stored().pk).update(status=Status.DEAD)
        return WebhookEvent.objects.get(source=Source.CALENDAR)

    def test_of_a_process_that_died_are_processed_by_the_next(self, heard):
        deliver(commitment(YESTERDAY))
        event = self.stored()
        assert signal_overdue("default", None) == 1
        assert heard == [YESTERDAY]
        assert WebhookEvent.objects.get(source=Source.CALENDAR) == event

    def test_are_ignored_if_the_invoice_was_paid_before_their_turn(self, heard):
        deliver(commitment(YESTERDAY))
        event = self.given_up()
        deliver(commitment(YESTERDAY), isPaid=True)
        assert process_again(event) == Replay.IGNORED
        assert heard == []
        assert event.error == "The due date is paid, postponed or signalled already."

    def test_of_two_processes_signal_once(self, heard):
        row = deliver(commitment(YESTERDAY))
        late = self.given_up()
        signal_overdue("default", None)
        assert process_again(late) == Replay.IGNORED
        assert heard == [YESTERDAY]
        assert row.overdue_dates == []

    def test_are_ignored_if_the_row_is_gone(self, heard):
        deliver(commitment(YESTERDAY))
        event = self.stored()
        Invoice.with_deleted.all().delete()
        process(event)
        assert (event.status, heard) == (Status.IGNORED, [])

    def test_can_be_replayed(self, heard):
        deliver(commitment(YESTERDAY))
        signal_overdue("default", None)
        event = WebhookEvent.objects.get(source=Source.CALENDAR)
        assert process_again(event, from_scratch=True) == Replay.PROCESSED
        assert heard == [YESTERDAY] * 2

    def test_do_not_hide_a_failing_receiver(self):
        def fail(**kwargs):
            raise RuntimeError("mail server down")

        invoice_overdue.connect(fail)
        try:
            deliver(commitment(YESTERDAY))
            assert signal_overdue("default", None) == 1
            assert signal_overdue("default", None) == 0
        finally:
            invoice_overdue.disconnect(fail)
        assert WebhookEvent.objects.get(source=Source.CALENDAR).status == Status.FAILED


class TestAtAltoviz:
    @pytest.fixture
    def altoviz(self, connect, now):
        altoviz = connect(clock=NOON.timestamp)
        altoviz.populate(customers=1)
        self.ids = [self.overdue_invoice(altoviz) for _ in range(2)]
        return altoviz

    def overdue_invoice(self, altoviz):
        """Create an invoice that was due on March 3."""
        id = altoviz.invoices.create(date="2026-02-01")["id"]
        altoviz.invoices.finalize(id)
        return id

    def test_an_import_signals_nothing(self, altoviz, heard):
        sync()
        assert heard == []
        assert {tuple(row.overdue_dates) for row in Invoice.objects.all()} == {("2026-03-03",)}

    def test_a_sync_signals_what_is_new(self, altoviz, heard, sent):
        sync()
        id = self.overdue_invoice(altoviz)
        sync(dry_run=True)
        assert heard == []
        sync()
        assert (heard, sent["invoice_overdue", id]) == (["2026-03-03"], 1)

    def test_a_round_signals_without_a_request(self, altoviz, heard, now):
        sync()
        id = altoviz.invoices.create()["id"]
        altoviz.invoices.finalize(id)
        watch_round()
        now(NOON + datetime.timedelta(days=31))
        result = watch_round()
        assert (result.overdue, heard) == (1, ["2026-04-09"])
        assert result.requests == watch_round().requests

    def test_a_round_sees_first_if_the_invoice_is_paid(self, altoviz, heard, now):
        sync()
        id = altoviz.invoices.create()["id"]
        altoviz.invoices.finalize(id)
        watch_round()
        altoviz.invoices.pay(id)
        now(NOON + datetime.timedelta(days=31))
        assert watch_round().overdue == 0
