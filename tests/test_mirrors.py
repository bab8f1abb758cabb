"""The contents of the mirrors after each delivery."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import DataError, IntegrityError, models, transaction
from django.db.models.signals import post_save

from django_altoviz import exact_json
from django_altoviz.event_types import EventType
from django_altoviz.models import (
    MIRRORS,
    Contact,
    CreditLine,
    Customer,
    Invoice,
    InvoiceLine,
    Product,
    Quote,
    QuoteLine,
    Status,
    WebhookEvent,
)
from django_altoviz.models.mirrors import dump_changes, load_changes
from django_altoviz.models.mirrors.fields import AmountField
from django_altoviz.samples import sample
from tests.conftest import body_of

pytestmark = pytest.mark.django_db

VARIANTS = Path(__file__).parent / "samples" / "variants"


def variant(name):
    return (VARIANTS / f"{name}.json").read_bytes()


@pytest.mark.parametrize("event_type", EventType)
def test_every_sample_is_mirrored_completely(bring, event_type):
    bring(event_type)
    event = WebhookEvent.objects.get()
    assert event.status == Status.PROCESSED, event.error
    row = MIRRORS[event_type.entity].with_deleted.get()
    assert row.data == sample(event_type).data
    assert row.altoviz_id == row.data["id"]
    assert row.internal_id == row.data["internalId"]
    assert row.last_event_id == event.pk
    assert row.deleted_at == (event.received_at if event_type.is_deletion else None)


PATHS = {
    "type": "type",
    "billing_zipcode": "billingAddress.zipcode",
    "billing_city": "billingAddress.city",
    "billing_country_iso": "billingAddress.countryIso",
    "siret": "companyInformations.siret",
    "vat_number": "companyInformations.vatNumber",
    "electronic_address": "companyInformations.electronicAddress",
    "payment_method": "billingOptions.paymentMethod",
    "initial_commitment_amount": "billingOptions.initialCommitmentAmount",
    "initial_commitment_date": "billingOptions.initialCommitmentDate",
    "family_number": "family.number",
    "family_label": "family.label",
    "vat_rate": "vat.rate",
    "vat_region": "vat.region",
    "unit_code": "unit.code",
    "global_discount_type": "globalDiscount.type",
    "global_discount_value": "globalDiscount.value",
    "discount_type": "discount.type",
    "discount_value": "discount.value",
    "deposit_type": "deposit.type",
    "deposit_value": "deposit.value",
    "altoviz_id": "id",
    "customer_altoviz_id": "customerId",
    "product_altoviz_id": "productId",
    "cancellation_credit_altoviz_id": "cancellationCreditId",
    "cancelled_invoice_altoviz_id": "cancelledInvoicetId",
    "cancelled_invoice_number": "cancelledInvoicetNumber",
}
OWN_COLUMNS = {
    "id",
    "altoviz_id",
    "account",
    "key",
    "customer_id",
    "cancellation_credit_id",
    "cancelled_invoice_id",
    "data",
    "last_event_id",
    "synced_at",
    "deleted_at",
    "business_signals",
    "fingerprint",
    "search_text",
    "next_due_date",
    "awaited_due_date",
    "overdue_dates",
}

#: The columns of a line that are not in the payload, beside those.
LINE_COLUMNS = {"position", "invoice_id", "quote_id", "credit_id", "product_id"}


def path_of(column):
    """Return the path of a column's value in the payload: the same name, unless it is nested."""
    words = column.split("_")
    return PATHS.get(column, words[0] + "".join(word.title() for word in words[1:]))


def value_at(data, path):
    for key in path.split("."):
        data = data.get(key) if data is not None else None
    return data


def as_json(value):
    if isinstance(value, datetime.datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, datetime.date) else value


@pytest.mark.parametrize("event_type", EventType)
def test_every_column_holds_the_value_of_its_field(bring, event_type):
    bring(event_type)
    row = MIRRORS[event_type.entity].with_deleted.get()
    checked = [
        field.attname for field in row._meta.concrete_fields if field.attname not in OWN_COLUMNS
    ]
    assert checked
    for column in checked:
        expected = value_at(row.data, path_of(column))
        assert as_json(getattr(row, column)) == expected, column


@pytest.mark.parametrize(
    ("event_type", "line_model"),
    [
        (EventType.INVOICE_CREATED, InvoiceLine),
        (EventType.INVOICE_UPDATED, InvoiceLine),
        (EventType.INVOICE_DELETED, InvoiceLine),
        (EventType.QUOTE_CREATED, QuoteLine),
        (EventType.QUOTE_UPDATED, QuoteLine),
        (EventType.QUOTE_DELETED, QuoteLine),
        (EventType.CREDIT_CREATED, CreditLine),
        (EventType.CREDIT_UPDATED, CreditLine),
        (EventType.CREDIT_DELETED, CreditLine),
    ],
)
def test_every_column_of_a_line_holds_the_value_of_its_field(bring, event_type, line_model):
    bring(event_type)
    data = sample(event_type).data["lines"]
    lines = list(line_model.objects.all())
    assert [line.position for line in lines] == list(range(len(data)))
    for line, expected in zip(lines, data, strict=True):
        assert line.data == expected
        for field in line._meta.concrete_fields:
            if field.attname not in OWN_COLUMNS - {"altoviz_id"} | LINE_COLUMNS:
                value = as_json(getattr(line, field.attname))
                assert value == value_at(expected, path_of(field.attname)), field.attname


def test_the_samples_are_related_although_the_invoice_comes_first(post):
    for event_type in (
        EventType.INVOICE_CREATED,
        EventType.INVOICE_UPDATED,
        EventType.QUOTE_CREATED,
        EventType.PRODUCT_CREATED,
        EventType.CUSTOMER_CREATED,
    ):
        post(event_type)
    customer, invoice = Customer.objects.get(), Invoice.objects.get()
    assert customer.name == "Fonderie Brûlé & Fils"
    assert customer.siret == "00041278300011"
    assert invoice.customer == customer
    assert list(customer.invoices.all()) == [invoice]
    assert list(customer.quotes.all()) == [Quote.objects.get()]
    assert (invoice.number, invoice.is_draft) == ("FA001043", False)
    assert invoice.tax_included_amount == Decimal("3056.61")
    assert [line.product for line in invoice.lines.all()] == [
        None,
        Product.objects.get(),
        None,
        None,
    ]
    assert invoice.date == datetime.date(2026, 10, 15)


class TestVariants:
    def test_a_customer_in_the_format_of_2023(self, post):
        assert post(variant("CustomerCreated.legacy-2023")).status_code == 200
        customer = Customer.objects.get()
        assert customer.data["type"] == "Company"
        assert customer.type == "Business"
        assert customer.name == "Épicerie du Châtelet"
        assert customer.email == ""
        assert customer.active is None
        assert customer.siret == "000873158"

    def test_an_invoice_in_the_format_of_2024(self, post):
        assert post(variant("InvoiceCreated.legacy-2024")).status_code == 200
        invoice = Invoice.objects.get()
        assert (invoice.is_draft, invoice.is_paid) == (True, True)
        assert invoice.sent_at is None
        assert invoice.lines.get().quantity == 1

    def test_two_documents_may_have_lines_with_the_same_id(self, post):
        post(variant("InvoiceCreated.legacy-2024"))
        post(EventType.INVOICE_CREATED)
        assert not WebhookEvent.objects.exclude(status=Status.PROCESSED).exists()
        assert InvoiceLine.objects.filter(altoviz_id=9120611).count() == 2

    def test_a_deletion_with_only_the_id_keeps_the_last_state(self, post):
        post(body_of("CustomerCreated", id=418311, name="Gaël"))
        assert post(variant("CustomerDeleted.id-only")).status_code == 200
        customer = Customer.with_deleted.get()
        assert customer.deleted_at is not None
        assert (customer.name, customer.data["name"]) == ("Gaël", "Gaël")
        assert not Customer.objects.exists()

    @pytest.mark.parametrize(
        "payload", [{"internalId": None}, {"number": "CLI-1"}, {"name": "Another", "active": False}]
    )
    def test_a_deletion_with_an_incomplete_object_keeps_the_last_state(self, post, payload):
        post(body_of("CustomerCreated", id=1))
        before = Customer.objects.get()
        post({"id": "evt_2", "type": "CustomerDeleted", "data": {"id": 1, **payload}})
        customer = Customer.with_deleted.get()
        assert customer.deleted_at is not None
        assert (customer.data, customer.name) == (before.data, before.name)

    def test_a_deletion_with_the_complete_object_is_its_last_state(self, post):
        post(body_of("CustomerCreated", id=1, name="A"))
        post(body_of("CustomerDeleted", id=1, name="B"))
        assert Customer.with_deleted.get().name == "B"

    def test_a_deletion_of_an_unknown_object_leaves_a_tombstone(self, post):
        post(variant("CustomerDeleted.id-only"))
        customer = Customer.with_deleted.get()
        assert customer.data == {"id": 418311}
        assert customer.name is None
        post(body_of("CustomerCreated", id=418311))
        assert not Customer.objects.exists()

    def test_a_deletion_without_an_object_id_is_ignored(self, post):
        assert post(variant("QuoteDeleted.null-data")).status_code == 200
        event = WebhookEvent.objects.get()
        assert event.status == Status.IGNORED
        assert "does not say which object" in event.error

    def test_an_unknown_customer_type_and_an_unknown_field_are_kept(self, post):
        assert post(variant("CustomerUpdated.unknown-enum-and-field")).status_code == 200
        customer = Customer.objects.get()
        assert customer.type == "Association"
        assert customer.data["someFutureField"] == {"nested": [1, Decimal("2.5"), None]}

    def test_an_unknown_event_type_is_ignored(self, post):
        assert post(variant("UnknownType")).status_code == 200
        assert WebhookEvent.objects.get().status == Status.IGNORED


@pytest.mark.parametrize("model", MIRRORS.values(), ids=lambda model: model.__name__)
def test_every_short_column_refuses_a_text_that_is_too_long(model):
    """MySQL would truncate the value in some SQL modes, so the mirror must refuse it."""
    for field in model._meta.concrete_fields:
        if isinstance(field, models.CharField) and field.attname not in OWN_COLUMNS:
            path = path_of(field.attname)
            data = "x" * 256
            for key in reversed(path.split(".")):
                data = {key: data}
            with pytest.raises(ValueError, match=f"^{path}: 256 characters"):
                model.columns_from(data)


@pytest.mark.parametrize("model", [*MIRRORS.values(), InvoiceLine], ids=lambda m: m.__name__)
def test_every_amount_keeps_its_digits(model):
    amount = Decimal("12345678901234567890.123456789012345678")
    for field in model._meta.concrete_fields:
        if isinstance(field, AmountField):
            data = amount
            for key in reversed(path_of(field.attname).split(".")):
                data = {key: data}
            assert model.columns_from(data)[field.attname] == amount


@pytest.mark.parametrize("event_type", EventType)
def test_the_text_of_a_row_is_its_name_or_number(bring, event_type):
    bring(event_type)
    row = MIRRORS[event_type.entity].with_deleted.get()
    assert str(row) in [row.data.get(name) for name in ("name", "displayName", "number")]


def test_the_text_of_a_row_without_a_name_falls_back_to_another_field():
    for model in MIRRORS.values():
        assert str(model(altoviz_id=7)) == "7"
    assert str(Contact(altoviz_id=7, email="a@b.example")) == "a@b.example"
    assert str(Customer(altoviz_id=7, number="C1")) == "C1"
    assert str(Product(altoviz_id=7, number="P1")) == "P1"
    assert str(InvoiceLine(position=3)) == "3"
    assert str(InvoiceLine(position=3, description="Text")) == "Text"


@pytest.mark.parametrize(
    ("data", "error"),
    [({"x": [Decimal("1e200000")]}, "x.0: a number of more than"), ({}, "of the database")],
)
def test_a_value_that_the_database_refuses_fails_the_event(post, data, error):
    def refuse(**kwargs):
        raise DataError("of the database")

    post_save.connect(refuse, sender=Customer)
    try:
        post(body_of("CustomerCreated", **data))
    finally:
        post_save.disconnect(refuse, sender=Customer)
    event = WebhookEvent.objects.get()
    assert event.status == Status.FAILED
    assert error in event.history[-1]["error"]


class TestLines:
    def test_a_boolean_is_not_mistaken_for_a_number(self, post):
        post(body_of("InvoiceCreated", lines=[{"id": 1, "quantity": 1, "new": 0}]))
        post(body_of("InvoiceUpdated", lines=[{"id": 1, "quantity": 1, "new": False}]))
        assert InvoiceLine.objects.get().data["new"] is False
        post(body_of("InvoiceUpdated", lines=[{"id": 1, "quantity": True}]))
        event = WebhookEvent.objects.latest("pk")
        assert event.status == Status.FAILED
        assert "lines.0.quantity: expected a number" in event.error

    @pytest.mark.parametrize("line_model", [InvoiceLine, QuoteLine])
    def test_a_line_without_a_document_is_refused(self, line_model):
        with pytest.raises(IntegrityError), transaction.atomic():
            line_model.objects.create(position=0, data={})

    def test_lines_are_replaced_as_a_whole(self, post):
        post(EventType.INVOICE_CREATED)
        post(body_of("InvoiceUpdated", id=531884, lines=[{"id": 5, "description": "New"}]))
        assert [line.description for line in Invoice.objects.get().lines.all()] == ["New"]

    @pytest.mark.parametrize("lines", [None, []])
    def test_a_document_may_have_no_lines(self, post, lines):
        post(EventType.INVOICE_CREATED)
        post(body_of("InvoiceUpdated", id=531884, lines=lines))
        assert not InvoiceLine.objects.exists()

    def test_unchanged_lines_keep_their_rows(self, post):
        post(EventType.INVOICE_CREATED)
        before = list(InvoiceLine.objects.values_list("pk", flat=True))
        lines = sample(EventType.INVOICE_CREATED).data["lines"]
        post(body_of("InvoiceUpdated", id=531884, subject="Another", lines=lines))
        assert Invoice.objects.get().subject == "Another"
        assert list(InvoiceLine.objects.values_list("pk", flat=True)) == before

    @pytest.mark.parametrize(
        ("lines", "path"),
        [
            ([{"quantity": 1}, {"quantity": "two"}], "lines.1.quantity: expected a number"),
            ([{"vat": {"rate": True}}], "lines.0.vat.rate: expected a number"),
            ({"id": 1}, "lines: expected a list"),
            ([[]], "lines.0: expected an object"),
        ],
    )
    def test_an_error_names_the_line(self, post, lines, path):
        post(EventType.INVOICE_CREATED)
        post(body_of("InvoiceUpdated", id=531884, number="X", lines=lines))
        event = WebhookEvent.objects.order_by("pk").last()
        assert event.status == Status.FAILED
        assert path in event.error
        assert Invoice.objects.get().number == "000023"
        assert InvoiceLine.objects.count() == 4


@pytest.mark.parametrize("event_type", [t for t in EventType if not t.is_deletion])
def test_changes_survive_being_stored_in_the_event(event_type):
    model = MIRRORS[event_type.entity]
    data = sample(event_type).data
    changes = model(altoviz_id=1)._apply(data, "")
    stored = exact_json.loads(exact_json.dumps(dump_changes(changes)))
    assert load_changes(model, stored) == changes
    assert load_changes(model, stored | {"gone": [1, 2]}) == changes
