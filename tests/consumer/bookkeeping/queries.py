"""Queries of the mirrors and the events. ``assert_type`` says what a type checker makes of them."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum
from typing_extensions import assert_type

from django_altoviz.models import (
    MIRRORS,
    Contact,
    Credit,
    CreditLine,
    Customer,
    Invoice,
    InvoiceLine,
    Mirror,
    Product,
    Quote,
    QuoteLine,
    ReceiverRun,
    Rejection,
    Status,
    SyncRun,
    WebhookEvent,
    WebhookEventQuerySet,
)


def owed(customer: Customer) -> Decimal:
    open_invoices = customer.invoices.filter(is_draft=False, is_paid=False)
    assert_type(open_invoices, QuerySet[Invoice, Invoice])
    return open_invoices.aggregate(total=Sum("balance"))["total"] or Decimal(0)


def due_before(day: datetime.date) -> list[tuple[str | None, datetime.date | None]]:
    due = Invoice.objects.filter(next_due_date__lt=day, customer__active=True).order_by("date")
    return list(due.values_list("number", "next_due_date"))


def revenue_by_product() -> dict[str, Decimal]:
    revenue: dict[str, Decimal] = {}
    for line in InvoiceLine.objects.select_related("product", "invoice"):
        if line.product is not None and line.tax_excluded_amount is not None:
            name = line.product.name or str(line.product)
            revenue[name] = revenue.get(name, Decimal(0)) + line.tax_excluded_amount
    return revenue


def stuck() -> list[WebhookEvent]:
    events = WebhookEvent.objects.unsettled().filter(status=Status.FAILED)
    assert_type(events, WebhookEventQuerySet[WebhookEvent])
    return [event for event in events.order_by("received_at") if event.is_due]


def managers() -> None:
    assert_type(Invoice.objects.get(altoviz_id=1), Invoice)
    assert_type(Invoice.with_deleted.first(), Invoice | None)
    assert_type(Quote.objects.filter(status="Sent"), QuerySet[Quote, Quote])
    assert_type(Contact.objects.latest("synced_at"), Contact)
    assert_type(WebhookEvent.objects.due(), WebhookEventQuerySet[WebhookEvent])
    assert_type(WebhookEvent.objects.latest("pk"), WebhookEvent)
    assert_type(WebhookEvent.with_pruned.settled().first(), WebhookEvent | None)
    assert_type([*MIRRORS.values()], list[type[Mirror]])
    for model in MIRRORS.values():
        assert_type(model.with_deleted.first(), Mirror | None)


def common_columns(row: Mirror) -> None:
    assert_type(row.altoviz_id, int)
    assert_type(row.account, str)
    assert_type(row.key, str)
    assert_type(row.internal_id, str | None)
    assert_type(row.data, dict[str, Any])
    assert_type(row.synced_at, datetime.datetime)
    assert_type(row.deleted_at, datetime.datetime | None)


def party_columns(customer: Customer, contact: Contact, product: Product) -> None:
    assert_type(customer.name, str | None)
    assert_type(customer.initial_commitment_amount, Decimal | None)
    assert_type(customer.initial_commitment_date, datetime.date | None)
    assert_type(customer.active, bool | None)
    assert_type(customer.invoices.first(), Invoice | None)
    assert_type(customer.quotes.first(), Quote | None)
    assert_type(customer.credits.first(), Credit | None)
    assert_type(contact.display_name, str | None)
    assert_type(product.unit_price, Decimal | None)
    assert_type(product.invoicelines.first(), InvoiceLine | None)
    assert_type(product.quotelines.first(), QuoteLine | None)
    assert_type(product.creditlines.first(), CreditLine | None)


def document_columns(invoice: Invoice, quote: Quote) -> None:
    assert_type(invoice.number, str | None)
    assert_type(invoice.date, datetime.date | None)
    assert_type(invoice.is_paid, bool | None)
    assert_type(invoice.balance, Decimal | None)
    assert_type(invoice.sent_at, datetime.datetime | None)
    assert_type(invoice.business_signals, list[str])
    assert_type(invoice.customer, Customer | None)
    assert_type(invoice.customer_id, str | None)
    assert_type(invoice.customer_altoviz_id, int | None)
    assert_type(invoice.lines.get(position=0), InvoiceLine)
    assert_type(quote.status, str | None)
    assert_type(quote.validity_date, datetime.date | None)
    assert_type(quote.lines.count(), int)
    assert_type(quote.lines.first(), QuoteLine | None)


def credit_columns(invoice: Invoice, credit: Credit, line: CreditLine) -> None:
    assert_type(invoice.cancellation_credit, Credit | None)
    assert_type(invoice.cancellation_credit_id, str | None)
    assert_type(invoice.cancellation_credit_altoviz_id, int | None)
    assert_type(credit.cancelled_invoice, Invoice | None)
    assert_type(credit.cancelled_invoice_number, str | None)
    assert_type(credit.is_paid, bool | None)
    assert_type(credit.lines.first(), CreditLine | None)
    assert_type(line.credit, Credit)


def line_columns(line: InvoiceLine, quoted: QuoteLine) -> None:
    assert_type(line.invoice, Invoice)
    assert_type(line.product, Product | None)
    assert_type(line.quantity, Decimal | None)
    assert_type(line.description, str | None)
    assert_type(line.data, dict[str, Any])
    assert_type(quoted.quote, Quote)


def event_columns(event: WebhookEvent, run: ReceiverRun) -> None:
    assert_type(event.event_id, str)
    assert_type(event.status, str)
    assert_type(event.body, str)
    assert_type(event.error, str)
    assert_type(event.received_at, datetime.datetime)
    assert_type(event.next_attempt_at, datetime.datetime | None)
    assert_type(event.changes, dict[str, list[Any]])
    assert_type(event.history, list[dict[str, Any]])
    assert_type(event.receiver_runs.first(), ReceiverRun | None)
    assert_type(run.receiver, str)
    assert_type(run.event, WebhookEvent)


def bookkeeping_of_the_app(sync: SyncRun, rejection: Rejection) -> None:
    assert_type(sync.counts, dict[str, int])
    assert_type(sync.is_in_step, bool)
    assert_type(sync.finished_at, datetime.datetime | None)
    assert_type(rejection.deliveries, int)
    assert_type(rejection.account, str)
