"""Business signals: the meaning of a change of a document, sent once."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_altoviz.event_types import EventType
from django_altoviz.models import Credit, Invoice, Quote, ReceiverRun, Source, Status, WebhookEvent
from django_altoviz.models.mirrors.due_dates import OVERDUE
from django_altoviz.processing import Replay, process, process_again
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


def store_and_process(event_type, source=Source.WEBHOOK, **data):
    event = store(event_type, source, **data)
    process(event)
    assert event.status == Status.PROCESSED, event.error
    return event


@pytest.fixture
def sent():
    """Return the names of the business signals that were sent, in order."""
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
        ("Invoice", {"isPaid": True}, []),  # a draft with a total of 0
        ("Invoice", {"isCancelled": True}, ["invoice_cancelled"]),
        # The credit note has settled it.
        ("Invoice", {"isCancelled": True, "isPaid": True}, ["invoice_cancelled"]),
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
        ("Credit", {"isDraft": False}, ["credit_finalized"]),
        ("Credit", {"sentAt": THEN}, ["credit_sent"]),
        ("Credit", {"isDraft": False, "isPaid": True}, ["credit_finalized", "credit_settled"]),
        ("Credit", {"isPaid": True}, []),  # a draft with a total of 0
        ("Credit", {"isCancelled": True, "isPaid": True}, []),
        ("Credit", {"cancelledInvoicetId": 5, "cancelledInvoicetNumber": "FA5"}, []),
    ],
)
@pytest.mark.parametrize("source", [Source.WEBHOOK, Source.SYNC])
def test_a_change_is_signalled_once_whatever_its_source(sent, kind, change, signals, source):
    if kind == "Credit":
        source = Source.SYNC  # they have no other
    store_and_process(f"{kind}Created", source)
    assert sent == []
    store_and_process(f"{kind}Updated", source, **change)
    assert sent == signals
    store_and_process(f"{kind}Updated", source, **change, headerNotes="something else")
    assert sent == signals


def test_an_invoice_first_seen_when_paid_sends_every_signal_that_it_has_reached(sent):
    store_and_process("InvoiceUpdated", isDraft=False, isPaid=True, sentAt=THEN)
    assert sent == ["invoice_finalized", "invoice_sent", "invoice_paid"]


def test_a_draft_with_a_total_of_zero_is_paid_when_it_is_finalized(sent):
    store_and_process("InvoiceCreated", isPaid=True)
    assert sent == []
    store_and_process("InvoiceUpdated", isPaid=True, isDraft=False)
    assert sent == ["invoice_finalized", "invoice_paid"]


class TestUndone:
    PAID = {"isDraft": False, "isPaid": True}
    UNPAID = {"isDraft": False, "isPaid": False}

    def test_a_delivery_undoes_nothing_because_it_may_be_late(self, sent):
        for change in (self.PAID, self.UNPAID, self.PAID):
            store_and_process("InvoiceUpdated", **change)
        assert sent.count("invoice_paid") == 1

    def test_a_payment_that_the_api_shows_as_undone_is_signalled_again(self, sent):
        store_and_process("InvoiceUpdated", **self.PAID)
        store_and_process("InvoiceUpdated", Source.SYNC, **self.UNPAID)
        assert Invoice.objects.get().business_signals == ["invoice_finalized"]
        store_and_process("InvoiceUpdated", **self.PAID)
        assert sent.count("invoice_paid") == 2
        assert sent.count("invoice_finalized") == 1

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
            ("Credit", {"isDraft": False}, {}, "credit_finalized"),
            ("Credit", {"sentAt": THEN}, {}, "credit_sent"),
            ("Credit", PAID, UNPAID, "credit_settled"),
        ],
    )
    def test_a_step_that_the_api_shows_as_undone_is_signalled_again(
        self, sent, kind, reached, undone, signal
    ):
        for source, change in (
            (Source.WEBHOOK, reached), (Source.SYNC, undone), (Source.WEBHOOK, reached),
        ):  # fmt: skip
            store_and_process(
                f"{kind}Updated", Source.SYNC if kind == "Credit" else source, **change
            )
        assert sent.count(signal) == 2


class TestMovedOn:
    """Steps that a document has passed: it no longer shows them, but they were not undone."""

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
    def test_a_late_delivery_does_not_signal_the_step_again(
        self, sent, kind, reached, since, signal
    ):
        store_and_process(f"{kind}Updated", **reached)
        store_and_process(f"{kind}Updated", Source.SYNC, **since)
        store_and_process(f"{kind}Updated", **reached, headerNotes="sent before, and late")
        assert sent.count(signal) == 1

    def test_a_payload_without_the_fields_undoes_nothing(self, sent):
        store_and_process("InvoiceUpdated", **self.PAID, sentAt=THEN, isCancelled=True)
        missing = {"isDraft": None, "isPaid": None, "isCancelled": None}
        store_and_process("InvoiceUpdated", Source.SYNC, **missing, sentAt=THEN)
        assert Invoice.objects.get().business_signals == [
            "invoice_finalized", "invoice_sent", "invoice_cancelled",
        ]  # fmt: skip


STEPS = {
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
@given(kind=st.sampled_from([*STEPS]), data=st.data())
def test_each_step_of_a_document_is_signalled_once_however_late_deliveries_are(sent, kind, data):
    """The API shows the current state of a document. A delivery may show an earlier one."""
    now, steps = 0, STEPS[kind]
    sent.clear()
    with transaction.atomic():
        for _ in range(data.draw(st.integers(1, 8))):
            now = data.draw(st.integers(now, len(steps) - 1))
            if data.draw(st.booleans()):
                store_and_process(f"{kind}Updated", Source.SYNC, **steps[now])
            else:
                store_and_process(f"{kind}Updated", **steps[data.draw(st.integers(0, now))])
        store_and_process(f"{kind}Updated", Source.SYNC, **steps[now])
        model = Invoice if kind == "Invoice" else Quote
        row = model.objects.get()
        reached = {name for name, each in model.BUSINESS_SIGNALS.items() if each.is_reached(row)}
        assert reached <= {*sent}
        assert len(sent) == len({*sent})
        transaction.set_rollback(True)


@pytest.mark.parametrize("model", [Invoice, Quote, Credit])
@given(data=st.data())
def test_no_document_shows_a_step_as_both_reached_and_undone(model, data):
    flags = st.none() | st.booleans()
    moments = st.none() | st.just(timezone.now())
    statuses = ["Pending", "Sent", "Accepted", "Refused", "Invoiced", "Closed", "New", None]
    choices = {
        "is_draft": flags,
        "is_paid": flags,
        "is_cancelled": flags,
        "cancellation_credit_altoviz_id": st.none() | st.just(5),
        "status": st.sampled_from(statuses),
        "sent_at": moments,
        "accepted_at": moments,
        "refused_at": moments,
    }
    columns = {name: choices[name] for name in choices.keys() & model.columns_from({}).keys()}
    row = model(**data.draw(st.fixed_dictionaries(columns)))
    for business_signal in model.BUSINESS_SIGNALS.values():
        assert not (business_signal.is_reached(row) and business_signal.is_undone(row))


def test_an_older_event_does_not_repeat_the_signal_of_a_newer_one(sent):
    older, newer = store("InvoiceUpdated", isDraft=False), store("InvoiceUpdated", isDraft=False)
    WebhookEvent.objects.filter(pk=older.pk).update(status=Status.FAILED)
    process(newer)
    older.refresh_from_db()
    process(older)
    assert sent == ["invoice_finalized"]


def test_a_deletion_signals_nothing(sent):
    store_and_process("InvoiceDeleted", isDraft=False, isPaid=True)
    store_and_process("QuoteDeleted", status="Accepted")
    assert sent == []


def test_payloads_without_the_fields_signal_nothing(sent):
    for data in (b'{"id": 1}', b'{"id": 1, "number": "F1"}'):
        body = b'{"id": "evt_%d", "type": "InvoiceUpdated", "data": %s}' % (len(data), data)
        process(WebhookEvent.objects.store(WebhookEvent.from_delivery(body, "default", {})))
    assert sent == []
    assert Invoice.objects.get().business_signals == []


class TestReceivers:
    @pytest.fixture
    def connected(self):
        """Connect one function to both signals. It fails at its first business signal."""
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

    def test_receivers_of_business_signals_are_recorded_and_retried_on_their_own(self, connected):
        store_and_process("InvoiceCreated", isDraft=False)
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

    def test_receivers_are_called_again_if_an_event_is_processed_from_scratch(self, sent):
        event = store_and_process("QuoteUpdated", status="Accepted")
        assert process_again(event) == Replay.PROCESSED
        assert sent == ["quote_accepted"]
        assert process_again(event, from_scratch=True) == Replay.PROCESSED
        assert sent == ["quote_accepted"] * 2
        assert Quote.objects.get().business_signals == ["quote_accepted"]


def test_every_business_signal_has_a_django_signal():
    names = {*Invoice.BUSINESS_SIGNALS, *Quote.BUSINESS_SIGNALS, *Credit.BUSINESS_SIGNALS, OVERDUE}
    assert names == {*BY_BUSINESS_SIGNAL}
    assert len({*BY_BUSINESS_SIGNAL.values()}) == len(BY_BUSINESS_SIGNAL)
    assert not {*BY_BUSINESS_SIGNAL} & {event_type.name.lower() for event_type in EventType}
