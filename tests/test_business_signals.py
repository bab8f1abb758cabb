"""Business signals: what a change of an invoice or a quote means, told once."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_altoviz.event_types import EventType
from django_altoviz.models import Invoice, Quote, ReceiverRun, Source, Status, WebhookEvent
from django_altoviz.processing import process, process_again
from django_altoviz.signals import BY_BUSINESS_SIGNAL, invoice_paid, invoice_updated
from tests.conftest import body_of, examples

pytestmark = pytest.mark.django_db

NEW = {
    "isDraft": True,
    "isPaid": False,
    "isCancelled": False,
    "sentAt": None,
    "cancellationCreditId": None,
    "status": "Pending",
    "acceptedAt": None,
    "refusedAt": None,
}
THEN = "2026-11-25T08:30:00Z"


def store(event_type, source=Source.WEBHOOK, **data):
    body = body_of(event_type, **NEW | {"id": 1} | data)
    return WebhookEvent.objects.store(WebhookEvent.from_delivery(body, "default", {}, source))


def tell(event_type, source=Source.WEBHOOK, **data):
    event = store(event_type, source, **data)
    process(event)
    assert event.status == Status.PROCESSED, event.error
    return event


@pytest.fixture
def heard():
    """The names of the business signals that were sent, in order."""
    names, receivers = [], []
    for name, signal in BY_BUSINESS_SIGNAL.items():

        def receive(name=name, **kwargs):
            names.append(name)

        signal.connect(receive)
        receivers.append((signal, receive))
    yield names
    for signal, receive in receivers:
        signal.disconnect(receive)


@pytest.mark.parametrize(
    ("kind", "change", "signals"),
    [
        ("Invoice", {"isDraft": False}, ["invoice_finalized"]),
        ("Invoice", {"sentAt": THEN}, ["invoice_sent"]),
        ("Invoice", {"isDraft": False, "isPaid": True}, ["invoice_finalized", "invoice_paid"]),
        ("Invoice", {"isPaid": True}, []),  # a draft of 0
        ("Invoice", {"isCancelled": True}, ["invoice_cancelled"]),
        ("Invoice", {"isCancelled": True, "isPaid": True}, ["invoice_cancelled"]),  # by the credit
        ("Invoice", {"cancellationCreditId": 5}, ["invoice_cancelled"]),
        ("Invoice", {"subject": "a typo"}, []),
        ("Quote", {"status": "Sent"}, ["quote_sent"]),
        ("Quote", {"sentAt": THEN}, ["quote_sent"]),
        ("Quote", {"status": "Accepted"}, ["quote_accepted"]),
        ("Quote", {"acceptedAt": THEN}, ["quote_accepted"]),
        ("Quote", {"status": "Refused"}, ["quote_refused"]),
        ("Quote", {"refusedAt": THEN}, ["quote_refused"]),
        ("Quote", {"status": "Invoiced"}, ["quote_invoiced"]),
        ("Quote", {"status": "Closed"}, []),
        ("Quote", {"status": "WhatComesNext"}, []),
    ],
)
@pytest.mark.parametrize("source", Source)
def test_what_changed_is_signalled_whichever_way_it_came_in(heard, kind, change, signals, source):
    tell(f"{kind}Created")
    assert heard == []
    tell(f"{kind}Updated", source, **change)
    assert heard == signals
    tell(f"{kind}Updated", source, **change, headerNotes="something else")
    assert heard == signals


def test_of_an_invoice_first_seen_already_paid_all_that_it_shows_is_signalled(heard):
    tell("InvoiceUpdated", isDraft=False, isPaid=True, sentAt=THEN)
    assert heard == ["invoice_finalized", "invoice_sent", "invoice_paid"]


def test_a_draft_of_zero_is_paid_when_it_is_finalised(heard):
    tell("InvoiceCreated", isPaid=True)
    assert heard == []
    tell("InvoiceUpdated", isPaid=True, isDraft=False)
    assert heard == ["invoice_finalized", "invoice_paid"]


class TestUndone:
    PAID = {"isDraft": False, "isPaid": True}
    UNPAID = {"isDraft": False, "isPaid": False}

    def test_as_no_more_than_a_delivery_says_it_may_be_late_and_nothing_is_told_twice(self, heard):
        for change in (self.PAID, self.UNPAID, self.PAID):
            tell("InvoiceUpdated", **change)
        assert heard.count("invoice_paid") == 1

    def test_as_seen_at_the_api_it_is_paid_anew_the_next_time(self, heard):
        tell("InvoiceUpdated", **self.PAID)
        tell("InvoiceUpdated", Source.SYNC, **self.UNPAID)
        assert Invoice.objects.get().business_signals == ["invoice_finalized"]
        tell("InvoiceUpdated", **self.PAID)
        assert heard.count("invoice_paid") == 2
        assert heard.count("invoice_finalized") == 1

    @pytest.mark.parametrize(
        ("kind", "reached", "undone", "signal"),
        [
            ("Invoice", {"isDraft": False}, {"isDraft": True}, "invoice_finalized"),
            ("Invoice", {"sentAt": THEN}, {}, "invoice_sent"),
            ("Invoice", PAID, {"isDraft": True, "isPaid": True}, "invoice_paid"),
            ("Invoice", {"isCancelled": True}, {}, "invoice_cancelled"),
            ("Quote", {"status": "Sent"}, {}, "quote_sent"),
            ("Quote", {"status": "Accepted"}, {"status": "Sent"}, "quote_accepted"),
            ("Quote", {"status": "Accepted"}, {"status": "Refused"}, "quote_accepted"),
            ("Quote", {"status": "Refused"}, {}, "quote_refused"),
            ("Quote", {"status": "Refused"}, {"status": "Accepted"}, "quote_refused"),
            ("Quote", {"status": "Invoiced"}, {"status": "Accepted"}, "quote_invoiced"),
        ],
    )
    def test_at_the_api_is_what_the_document_was_before(self, heard, kind, reached, undone, signal):
        for source, change in (
            (Source.WEBHOOK, reached), (Source.SYNC, undone), (Source.WEBHOOK, reached),
        ):  # fmt: skip
            tell(f"{kind}Updated", source, **change)
        assert heard.count(signal) == 2


class TestMovedOn:
    """What a document has passed is no longer shown by it, and was not undone."""

    PAID = {"isDraft": False, "isPaid": True}

    @pytest.mark.parametrize(
        ("kind", "reached", "since", "signal"),
        [
            ("Invoice", PAID, PAID | {"isCancelled": True}, "invoice_paid"),
            ("Invoice", PAID, PAID | {"isPaid": False, "isCancelled": True}, "invoice_paid"),
            ("Quote", {"status": "Sent"}, {"status": "Accepted"}, "quote_sent"),
            ("Quote", {"status": "Sent"}, {"status": "Refused"}, "quote_sent"),
            ("Quote", {"status": "Accepted"}, {"status": "Invoiced"}, "quote_accepted"),
            ("Quote", {"status": "Invoiced"}, {"status": "Closed"}, "quote_invoiced"),
            ("Quote", {"status": "Refused"}, {"status": "WhatComesNext"}, "quote_refused"),
        ],
    )
    def test_is_not_signalled_again_by_a_delivery_that_is_late(
        self, heard, kind, reached, since, signal
    ):
        tell(f"{kind}Updated", **reached)
        tell(f"{kind}Updated", Source.SYNC, **since)
        tell(f"{kind}Updated", **reached, headerNotes="sent before, and late")
        assert heard.count(signal) == 1

    def test_an_object_without_the_fields_proves_nothing_undone(self, heard):
        tell("InvoiceUpdated", **self.PAID, sentAt=THEN, isCancelled=True)
        missing = {"isDraft": None, "isPaid": None, "isCancelled": None}
        tell("InvoiceUpdated", Source.SYNC, **missing, sentAt=THEN)
        assert Invoice.objects.get().business_signals == [
            "invoice_finalized", "invoice_sent", "invoice_cancelled",
        ]  # fmt: skip


LIVES = {
    "Invoice": [
        {},
        {"isDraft": False},
        {"isDraft": False, "sentAt": THEN},
        {"isDraft": False, "sentAt": THEN, "isPaid": True},
        {"isDraft": False, "sentAt": THEN, "isPaid": True, "isCancelled": True},
    ],
    "Quote": [{}, *({"status": each} for each in ("Sent", "Accepted", "Invoiced", "Closed"))],
}


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from([*LIVES]), data=st.data())
def test_each_step_of_a_life_is_signalled_once_however_late_it_is_told(heard, kind, data):
    """The API shows a document as it is, deliveries as it is or was."""
    now, life = 0, LIVES[kind]
    heard.clear()
    with transaction.atomic():
        for _ in range(data.draw(st.integers(1, 8))):
            now = data.draw(st.integers(now, len(life) - 1))
            if data.draw(st.booleans()):
                tell(f"{kind}Updated", Source.SYNC, **life[now])
            else:
                tell(f"{kind}Updated", **life[data.draw(st.integers(0, now))])
        tell(f"{kind}Updated", Source.SYNC, **life[now])
        model = Invoice if kind == "Invoice" else Quote
        row = model.objects.get()
        shown = {name for name, each in model.BUSINESS_SIGNALS.items() if each.is_reached(row)}
        assert shown <= {*heard}
        assert len(heard) == len({*heard})
        transaction.set_rollback(True)


@pytest.mark.parametrize("model", [Invoice, Quote])
@given(data=st.data())
def test_what_is_reached_is_never_undone(model, data):
    flags = st.none() | st.booleans()
    moments = st.none() | st.just(timezone.now())
    statuses = ["Pending", "Sent", "Accepted", "Refused", "Invoiced", "Closed", "New", None]
    choices = {
        "is_draft": flags,
        "is_paid": flags,
        "is_cancelled": flags,
        "cancellation_credit_id": st.none() | st.just(5),
        "status": st.sampled_from(statuses),
        "sent_at": moments,
        "accepted_at": moments,
        "refused_at": moments,
    }
    columns = {name: choices[name] for name in choices.keys() & model.columns_from({}).keys()}
    row = model(**data.draw(st.fixed_dictionaries(columns)))
    for business_signal in model.BUSINESS_SIGNALS.values():
        assert not (business_signal.is_reached(row) and business_signal.is_undone(row))


def test_an_older_event_signals_nothing_that_a_newer_one_has_shown(heard):
    older, newer = store("InvoiceUpdated", isDraft=False), store("InvoiceUpdated", isDraft=False)
    WebhookEvent.objects.filter(pk=older.pk).update(status=Status.FAILED)
    process(newer)
    older.refresh_from_db()
    process(older)
    assert heard == ["invoice_finalized"]


def test_a_deletion_signals_nothing(heard):
    tell("InvoiceDeleted", isDraft=False, isPaid=True)
    tell("QuoteDeleted", status="Accepted")
    assert heard == []


def test_payloads_without_the_fields_signal_nothing(heard):
    for data in (b'{"id": 1}', b'{"id": 1, "number": "F1"}'):
        body = b'{"id": "evt_%d", "type": "InvoiceUpdated", "data": %s}' % (len(data), data)
        process(WebhookEvent.objects.store(WebhookEvent.from_delivery(body, "default", {})))
    assert heard == []
    assert Invoice.objects.get().business_signals == []


class TestReceivers:
    @pytest.fixture
    def connected(self):
        """One function that hears of both, and fails at first at the business signal."""
        calls = []

        def receive(signal, sender, instance, changes, data, event, **kwargs):
            calls.append((signal, sender, instance.is_paid, changes["is_paid"], data["isPaid"]))
            if signal is invoice_paid and len(calls) < 3:
                raise RuntimeError("mail server down")

        for signal in (invoice_updated, invoice_paid):
            signal.connect(receive)
        yield calls
        for signal in (invoice_updated, invoice_paid):
            signal.disconnect(receive)

    def test_have_the_guarantees_of_the_others(self, connected):
        tell("InvoiceCreated", isDraft=False)
        event = store("InvoiceUpdated", isDraft=False, isPaid=True)
        process(event)
        assert event.status == Status.FAILED
        WebhookEvent.objects.filter(pk=event.pk).update(next_attempt_at=timezone.now())
        event = WebhookEvent.objects.get(pk=event.pk)
        process(event)
        assert event.status == Status.PROCESSED
        about = (Invoice, True, (False, True), True)
        assert connected == [(signal, *about) for signal in (invoice_updated, *[invoice_paid] * 2)]
        path, business = ReceiverRun.objects.order_by("pk").values_list("receiver", flat=True)
        assert business == f"{path}@invoice_paid"

    def test_hear_of_an_old_event_if_it_is_processed_again_from_scratch(self, heard):
        event = tell("QuoteUpdated", status="Accepted")
        assert process_again(event)
        assert heard == ["quote_accepted"]
        assert process_again(event, from_scratch=True)
        assert heard == ["quote_accepted"] * 2
        assert Quote.objects.get().business_signals == ["quote_accepted"]


def test_every_business_signal_has_its_signal():
    shown = {*Invoice.BUSINESS_SIGNALS, *Quote.BUSINESS_SIGNALS}
    assert shown == {*BY_BUSINESS_SIGNAL}
    assert len({*BY_BUSINESS_SIGNAL.values()}) == len(BY_BUSINESS_SIGNAL)
    assert not {*BY_BUSINESS_SIGNAL} & {event_type.name.lower() for event_type in EventType}
