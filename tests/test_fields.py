from __future__ import annotations

import uuid
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.db import connection
from django.db.models import Avg, F, Max, Sum
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.models import (
    Customer,
    Invoice,
    InvoiceLine,
    Product,
    ReceiverRun,
    SyncRun,
    WebhookEvent,
)
from django_altoviz.models.mirrors.payloads import amount

pytestmark = pytest.mark.django_db

AMOUNTS = st.decimals(
    allow_nan=False, allow_infinity=False, places=30, min_value=-(10**34), max_value=10**34
) | st.decimals(
    allow_nan=False, allow_infinity=False, places=2, max_value=10**9, min_value=-(10**9)
)


def product(number, price):
    return Product.objects.create(
        altoviz_id=number, account="default", data={}, last_event_id=1, unit_price=price
    )


@given(AMOUNTS)
def test_an_amount_is_stored_to_the_last_digit(number):
    number = amount({"a": number}, "a")
    row = product(1, number)
    try:
        assert Product.objects.get().unit_price == number
        assert Product.objects.filter(unit_price=number).exists()
    finally:
        row.delete()


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_the_database_compares_a_price_with_seventeen_digits_as_a_number(price):
    """Altoviz computes unit prices from prices with tax, and sends them unrounded."""
    number = amount({"a": Decimal(repr(price))}, "a") if abs(price) > 1e-12 else Decimal(0)
    row = product(1, number)
    try:
        assert Product.objects.get().unit_price == number
        assert Product.objects.filter(unit_price__lte=number, unit_price__gte=number).exists()
    finally:
        row.delete()


def test_amounts_filter_sort_and_sum_as_numbers():
    for number, price in enumerate(["9.5", "10", "-3.25", "100.05"], start=1):
        product(number, Decimal(price))
    product(5, None)
    prices = Product.objects.exclude(unit_price=None)
    assert list(prices.order_by("unit_price").values_list("altoviz_id", flat=True)) == [3, 1, 2, 4]
    assert prices.filter(unit_price__gt=Decimal("9.5")).count() == 2
    assert prices.filter(unit_price__range=(Decimal("9.5"), 10)).count() == 2
    assert prices.filter(unit_price=100.05).count() == 1
    assert prices.filter(unit_price__in=[9.5, 100.05, "-3.25"]).count() == 3
    assert prices.filter(unit_price__in=[Decimal("9.50"), Decimal("100.050")]).count() == 2
    assert prices.aggregate(Sum("unit_price"))["unit_price__sum"] == Decimal("116.30")
    assert prices.aggregate(Max("unit_price"))["unit_price__max"] == Decimal("100.05")
    assert prices.aggregate(Avg("unit_price"))["unit_price__avg"] == Decimal("29.075")
    assert prices.filter(unit_price=F("unit_price")).count() == 4
    assert str(Product.objects.get(altoviz_id=4).unit_price) == "100.05"


def test_a_sum_has_no_rounding_error_of_binary_fractions():
    product(1, Decimal("0.1"))
    product(2, Decimal("0.2"))
    assert Product.objects.aggregate(total=Sum("unit_price"))["total"] == Decimal("0.3")


def test_an_update_stores_every_digit():
    product(1, Decimal(1))
    Product.objects.update(unit_price=Decimal("8.3333333333333333333333333333"))
    assert Product.objects.get().unit_price == Decimal("8.3333333333333333333333333333")
    Product.objects.update(unit_price=F("purchase_price"))
    assert Product.objects.get().unit_price is None
    assert Product.objects.filter(unit_price__isnull=True).exists()


def test_the_data_keep_the_exact_numbers():
    data = {"a": Decimal("0.30000000000000000001"), "b": [Decimal("20.0"), 7], "c": "é\\"}
    row = Customer.objects.create(altoviz_id=1, account="default", data=data, last_event_id=1)
    row.refresh_from_db()
    assert row.data == data
    assert isinstance(row.data["a"], Decimal)
    assert Customer.objects.filter(data__b__1=7, data__c="é\\").exists()


def test_a_relation_is_none_until_the_other_object_is_mirrored():
    invoice = Invoice.objects.create(
        altoviz_id=1, account="default", data={}, last_event_id=1, customer_id="default:7"
    )
    assert invoice.customer is None
    assert Invoice.objects.select_related("customer").get().customer is None
    assert Invoice.objects.prefetch_related("customer").get().customer is None
    customer = Customer.objects.create(altoviz_id=7, account="default", data={}, last_event_id=1)
    for found in (
        Invoice.objects.get(),
        Invoice.objects.select_related("customer").get(),
        Invoice.objects.prefetch_related("customer").get(),
    ):
        assert found.customer == customer
    assert list(customer.invoices.all()) == [invoice]
    assert (
        Invoice.objects.create(altoviz_id=2, account="default", data={}, last_event_id=1).customer
        is None
    )


def test_the_models_pass_the_checks_of_django():
    for model in (Product, Customer, Invoice):
        assert model.check(databases=["default"]) == []


@pytest.mark.parametrize(
    ("vendor", "column"),
    [("sqlite", "blob"), ("postgresql", "numeric"), ("mysql", "numeric(65, 30)")],
)
def test_the_column_type_of_each_database_does_not_round(vendor, column):
    database = SimpleNamespace(vendor=vendor)
    assert Product._meta.get_field("unit_price").db_type(database) == column


def test_relations_have_no_foreign_key_constraint():
    constraints = connection.introspection.get_constraints(
        connection.cursor(), Invoice._meta.db_table
    )
    assert not any(constraint["foreign_key"] for constraint in constraints.values())


class TestIdentifiers:
    """Identifiers are case-sensitive, also on MySQL and MariaDB."""

    @pytest.mark.parametrize(
        ("model", "names"),
        [
            (WebhookEvent, ["event_id"]),
            (Customer, ["account", "internal_id"]),
            (InvoiceLine, ["product_internal_id"]),
            (SyncRun, ["account"]),
            (ReceiverRun, ["receiver"]),
        ],
    )
    def test_an_identifier_is_found_only_in_its_case(self, model, names):
        rows = model._base_manager
        needed = {
            Customer: {"altoviz_id": 1, "data": {}, "last_event_id": 1},
            InvoiceLine: {"invoice_id": "acme:1", "position": 0, "data": {}},
            SyncRun: {"entity": "customer", "is_import": True, "as_of": 0},
            WebhookEvent: {"dedupe_key": uuid.uuid4()},
        }
        values = needed.get(model) or {"event": self.event(), "seconds": 1}
        rows.create(**values, **dict.fromkeys(names, "acme"))
        for name in names:
            assert rows.filter(**{name: "acme"}).exists()
            assert not rows.filter(**{name: "Acme"}).exists()

    def event(self):
        return WebhookEvent.objects.create(dedupe_key=uuid.uuid4())
