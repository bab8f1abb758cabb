"""Tests of the project, as a user writes them."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal

import pytest
from bookkeeping import altoviz, dispatcher, queries
from bookkeeping.models import Booking
from django.contrib.auth.models import User
from django.http import HttpResponseBase
from django.urls import reverse
from rest_framework.test import APIClient
from typing_extensions import assert_type

from django_altoviz.client import AltovizClient
from django_altoviz.event_types import EventType
from django_altoviz.models import Customer, Invoice, Status, WebhookEvent
from django_altoviz.testing import Behaviour, Delivery, FakeAltoviz, event_body, post_event

pytestmark = pytest.mark.django_db


def paid_invoice(fake_altoviz: FakeAltoviz) -> int:
    invoice = fake_altoviz.invoices.create()
    fake_altoviz.invoices.finalize(invoice["id"])
    fake_altoviz.invoices.pay(invoice["id"])
    fake_altoviz.invoices.change(invoice["id"], subject="paid")
    return int(invoice["id"])


def test_a_paid_invoice_is_booked_once(fake_altoviz: FakeAltoviz) -> None:
    fake_altoviz.behave(duplicate=1)
    id = paid_invoice(fake_altoviz)
    assert_type(fake_altoviz.wait(), list[Delivery])
    invoice = Invoice.objects.get(altoviz_id=id)
    booking = invoice.bookings.get()
    assert_type(booking, Booking)
    assert booking.amount == invoice.tax_included_amount


def test_what_customers_owe_and_buy(fake_altoviz: FakeAltoviz) -> None:
    invoice = fake_altoviz.invoices.create()
    fake_altoviz.invoices.finalize(invoice["id"])
    fake_altoviz.wait()
    customer = Customer.objects.get(altoviz_id=invoice["customerId"])
    assert queries.owed(customer) == Invoice.objects.get().balance
    assert all(amount > 0 for amount in queries.revenue_by_product().values())
    assert queries.due_before(datetime.date(2000, 1, 1)) == []


def test_a_sync_and_the_client(fake_altoviz: FakeAltoviz) -> None:
    fake_altoviz.populate(customers=1, invoices=1)
    altoviz.reconcile()
    assert altoviz.reconcile()
    assert altoviz.company()
    with AltovizClient(fake_altoviz.api_key, fake_altoviz.url) as client:
        assert [*altoviz.numbers_since(client, datetime.date(2000, 1, 1))] == []
        assert altoviz.contacts_of(client, "unknown") == []


def test_a_dispatcher_of_ones_own(
    django_capture_on_commit_callbacks: Callable[..., object],
) -> None:
    response = post_event(EventType.CUSTOMER_CREATED, account="acme")
    assert response.status_code == 200
    event = WebhookEvent.objects.get()
    assert (event.status, event.account) == (Status.PENDING, "acme")
    dispatcher.work()
    event.refresh_from_db()
    assert event.status == Status.PROCESSED
    assert dispatcher.repair(event)
    assert queries.stuck() == []


def test_an_event_without_an_amount_is_given_up(
    post_altoviz_event: Callable[..., HttpResponseBase],
) -> None:
    post_altoviz_event("InvoiceUpdated", isDraft=False, isPaid=True, taxIncludedAmount=None)
    assert WebhookEvent.objects.get().status == Status.DEAD
    assert not Booking.objects.exists()


def test_the_rest_api_shows_the_mirror(
    post_altoviz_event: Callable[..., HttpResponseBase],
) -> None:
    post_altoviz_event(event_body("InvoiceUpdated", taxIncludedAmount=Decimal("12.50")))
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("staff"))
    answer = client.get(reverse("altoviz_api:invoice-list"))
    assert answer.json()["results"][0]["tax_included_amount"] == "12.5"


def test_the_fake_takes_switches() -> None:
    with FakeAltoviz(behaviour=Behaviour(quota=None, drop=1.0)) as fake:
        fake.fail_next("reset", 429, None)
        assert_type(fake.deliveries, list[Delivery])
        assert fake.settings["BASE_URL"] == fake.url
