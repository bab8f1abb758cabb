"""Mistakes that a type checker must find. If it misses one, mypy complains of an unused "ignore"."""

from __future__ import annotations

from decimal import Decimal

from typing_extensions import assert_type

from django_altoviz.client import AltovizClient
from django_altoviz.exceptions import RetryLater
from django_altoviz.models import Customer, Invoice, WebhookEvent
from django_altoviz.sync import sync
from django_altoviz.testing import FakeAltoviz


def wrong_types(invoice: Invoice, event: WebhookEvent) -> None:
    assert_type(invoice.balance, Decimal)  # type: ignore[assert-type]
    assert_type(invoice.customer, Customer)  # type: ignore[assert-type]
    assert_type(event.body, bytes)  # type: ignore[assert-type]


def none_is_forgotten(invoice: Invoice) -> Decimal:
    print(invoice.customer.name)  # type: ignore[union-attr]
    return invoice.balance  # type: ignore[return-value]


def wrong_names(invoice: Invoice, client: AltovizClient, altoviz: FakeAltoviz) -> None:
    print(invoice.total)  # type: ignore[attr-defined]
    Invoice.objects.filter(is_payed=True)  # type: ignore[misc]
    WebhookEvent.objects.overdue()  # type: ignore[attr-defined]
    client.invoices.fetch(1)  # type: ignore[attr-defined]
    client.invoices.all(since=None)  # type: ignore[call-arg]
    altoviz.orders.create()  # type: ignore[attr-defined]


def wrong_arguments() -> None:
    sync("default", "invoices")  # type: ignore[arg-type]
    raise RetryLater("soon")  # type: ignore[arg-type]
