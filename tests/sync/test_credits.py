"""Credits come in by the sync, once, with the signals of their own."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from django_altoviz import signals
from django_altoviz.event_types import Entity
from django_altoviz.models import Credit, Invoice, Source, Status, WebhookEvent
from django_altoviz.sync import sync
from django_altoviz.testing import Behaviour, FakeAltoviz

pytestmark = pytest.mark.django_db
SIGNALS = [name for name in vars(signals) if name.startswith("credit_")]
LINES = [{"description": "Text"}, {"taxExcludedPrice": 100, "quantity": 2}]


@pytest.fixture
def altoviz(settings):
    cache.clear()  # the count of requests for the rate limit
    with FakeAltoviz(behaviour=Behaviour(quota=None)) as altoviz:
        api = altoviz.settings | {"API_REQUESTS_PER_MINUTE": 100_000}
        settings.ALTOVIZ = settings.ALTOVIZ | api
        yield altoviz


@pytest.fixture
def heard():
    """Return the names of the signals of credits that were sent, in order."""
    names, receivers = [], []
    for name in SIGNALS:

        def hear(name=name, **kwargs):
            names.append(name)

        getattr(signals, name).connect(hear)
        receivers.append((getattr(signals, name), hear))
    yield names
    for signal, hear in receivers:
        signal.disconnect(hear)


def sync_credits(heard):
    """Sync the credits until nothing differs, and return the signals that were sent."""
    heard.clear()
    sync(entities=[Entity.CREDIT])
    found = [*heard]
    [run] = sync(entities=[Entity.CREDIT])
    assert run.is_in_step
    assert heard == found
    return found


def test_there_are_six_signals_of_credits():
    assert len(SIGNALS) == 6


def test_a_credit_is_followed_from_its_draft_to_its_refund(altoviz, heard):
    assert sync_credits(heard) == []
    id = altoviz.credits.create(lines=LINES)["id"]
    assert sync_credits(heard) == ["credit_created"]
    altoviz.credits.finalize(id)
    assert sync_credits(heard) == ["credit_updated", "credit_finalized"]
    altoviz.credits.send(id)
    altoviz.credits.refund(id, 40)
    assert sync_credits(heard) == ["credit_updated", "credit_sent"]
    altoviz.credits.refund(id)
    assert sync_credits(heard) == ["credit_updated", "credit_settled"]
    credit = Credit.objects.get()
    assert (credit.balance, credit.tax_included_amount, credit.is_paid) == (0, 240, True)
    assert [line.quantity for line in credit.lines.all()] == [None, 2]
    events = WebhookEvent.objects.all()
    assert {(event.source, event.status) for event in events} == {(Source.SYNC, Status.PROCESSED)}


def test_a_deleted_draft_becomes_a_tombstone(altoviz, heard):
    sync_credits(heard)
    altoviz.credits.create()
    id = altoviz.credits.create()["id"]
    assert sync_credits(heard) == ["credit_created"] * 2
    altoviz.credits.delete(id)
    assert sync_credits(heard) == ["credit_deleted"]
    assert Credit.with_deleted.get(altoviz_id=id).deleted_at is not None
    assert Credit.objects.count() == 1


def test_the_first_sync_imports_credits_and_signals_nothing(altoviz, heard):
    altoviz.populate(credits=20)
    assert sync_credits(heard) == []
    at_altoviz = {each["id"]: each for each in altoviz.credits.all()}
    assert dict(Credit.objects.values_list("altoviz_id", "data")) == at_altoviz
    assert Credit.objects.filter(business_signals=["credit_finalized"]).exists()
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize(
    "order", [[Entity.INVOICE, Entity.CREDIT], [Entity.CREDIT, Entity.INVOICE]]
)
@pytest.mark.parametrize("lines_in_lists", [True, False])
def test_a_cancelled_invoice_and_its_credit_find_each_other(altoviz, order, lines_in_lists):
    altoviz.behave(lines_in_lists=lines_in_lists)
    id = altoviz.invoices.create(lines=LINES)["id"]
    altoviz.invoices.finalize(id)
    altoviz.invoices.cancel(id)
    sync(entities=order)
    invoice, credit = Invoice.objects.get(), Credit.objects.get()
    assert (invoice.cancellation_credit, credit.cancelled_invoice) == (credit, invoice)
    assert credit.cancelled_invoice_number == invoice.number
    assert credit.lines.count() == 2


def test_no_webhook_reports_a_credit(altoviz):
    altoviz.webhooks.register("http://127.0.0.1:9/", "a secret")
    id = altoviz.credits.create()["id"]
    altoviz.credits.finalize(id)
    altoviz.credits.refund(id)
    assert {each.type for each in altoviz.wait()} == {"CustomerCreated", "ContactCreated"}
