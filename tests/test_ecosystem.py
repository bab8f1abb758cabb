"""The mirrors in serializers, filters, exports and expressions of others."""

from __future__ import annotations

import json
import pickle
from decimal import Decimal

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Case, Count, DecimalField, F, OuterRef, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Greatest
from django.test import modify_settings
from django_filters.filterset import filterset_factory
from hypothesis import given
from hypothesis import strategies as st
from import_export import resources
from import_export.fields import Field
from import_export.widgets import CharWidget, Widget
from ninja.orm import create_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import ModelSerializer

from django_altoviz import exact_json
from django_altoviz.models import (
    MIRRORS,
    CreditLine,
    Customer,
    Document,
    Invoice,
    InvoiceLine,
    Product,
    Quote,
    QuoteLine,
    ReceiverRun,
    SyncRun,
    SyncStep,
    Watch,
    WebhookEvent,
)
from django_altoviz.models.mirrors.fields import ExactJSONField
from tests.conftest import body_of

pytestmark = pytest.mark.django_db

MODELS = [
    *MIRRORS.values(),
    InvoiceLine,
    QuoteLine,
    CreditLine,
    WebhookEvent,
    ReceiverRun,
    SyncRun,
    SyncStep,
    Watch,
]
#: More digits than a binary fraction has.
LONG = Decimal("1234567890123456789.012345678901")


def by_name(model):
    return model.__name__


@pytest.fixture
def invoice(post):
    post(body_of("CustomerUpdated", name="Infinity"))
    post(body_of("InvoiceUpdated", taxIncludedAmount=LONG, balance=Decimal("20.50"), overdue=0))
    return Invoice.objects.get()


class TestRestFramework:
    @pytest.mark.parametrize("model", MODELS, ids=by_name)
    def test_a_serializer_of_all_fields(self, model, invoice):
        meta = type("Meta", (), {"model": model, "fields": "__all__"})
        serializer = type("Serializer", (ModelSerializer,), {"Meta": meta})
        assert {*serializer().fields} == {field.name for field in model._meta.fields}
        JSONRenderer().render(serializer(model._base_manager.all(), many=True).data)

    def test_amounts_are_exact_and_have_no_zeros(self, invoice):
        meta = type("Meta", (), {"model": Invoice, "fields": "__all__"})
        shown = type("Serializer", (ModelSerializer,), {"Meta": meta})(invoice).data
        assert shown["tax_included_amount"] == str(LONG)
        assert shown["balance"] == "20.5"
        assert shown["overdue"] == "0"
        assert shown["customer"] == "default:418206"
        assert shown["customer_altoviz_id"] == 418206
        assert shown["data"]["taxIncludedAmount"] == LONG

    def test_amounts_are_shown_as_the_project_asks(self, invoice, settings):
        settings.REST_FRAMEWORK = {"COERCE_DECIMAL_TO_STRING": False}
        meta = type("Meta", (), {"model": Invoice, "fields": ["balance"]})
        shown = type("Serializer", (ModelSerializer,), {"Meta": meta})(invoice).data
        assert shown == {"balance": Decimal("20.5")}

    def test_the_app_starts_without_it(self):
        with modify_settings(INSTALLED_APPS={"remove": ["rest_framework"]}):
            apps.get_app_config("django_altoviz").ready()

    def test_amounts_are_read_exactly(self):
        meta = type("Meta", (), {"model": Product, "fields": ["unit_price"]})
        serializer = type("Serializer", (ModelSerializer,), {"Meta": meta})
        read = serializer(data={"unit_price": str(LONG)})
        assert read.is_valid()
        assert read.validated_data == {"unit_price": LONG}


@pytest.mark.parametrize("model", MODELS, ids=by_name)
def test_a_ninja_schema_of_all_fields(model, invoice):
    # Ninja takes a relation for the primary key of the other model, a number.
    relations = [field.name for field in model._meta.fields if field.name in RELATIONS]
    schema = create_schema(
        model,
        exclude=relations or None,
        custom_fields=[(f"{name}_id", str | None, None) for name in relations],
    )
    for row in model._base_manager.all():
        shown = schema.from_orm(row)
        for name in relations:
            assert getattr(shown, f"{name}_id") == getattr(row, f"{name}_id")
        if model is Invoice:
            assert (shown.tax_included_amount, shown.customer_altoviz_id) == (LONG, 418206)


RELATIONS = {"customer", "product", "invoice", "quote"}


@pytest.mark.parametrize("model", MIRRORS.values(), ids=by_name)
def test_a_filter_set(model, invoice):
    # It has no filters for JSON.
    json = {"data", "business_signals", "overdue_dates"}
    fields = [field.name for field in model._meta.fields if field.name not in json]
    filters = filterset_factory(model, fields=fields)
    assert filters({}).qs.count() == model.with_deleted.count()


def test_filters_find_exact_amounts_and_relations(invoice):
    filters = filterset_factory(
        Invoice, fields={"tax_included_amount": ["exact", "gt"], "customer": ["exact"]}
    )
    for values in (
        {"tax_included_amount": str(LONG)},
        {"tax_included_amount__gt": "3000"},
        {"customer": "default:418206"},
    ):
        found = filters(values)
        assert not found.errors
        assert [*found.qs] == [invoice]


class ExactJSON(Widget):
    """The widget that the reference recommends: that of import-export can't write a Decimal."""

    def render(self, value, obj=None, **kwargs):
        return exact_json.dumps(value)

    def clean(self, value, row=None, **kwargs):
        return exact_json.loads(value)


@pytest.mark.parametrize("model", MIRRORS.values(), ids=by_name)
def test_an_export_and_an_import_give_back_the_same_rows(model, post):
    for type in ("Customer", "Contact", "Product", "Invoice", "Quote"):
        post(body_of(f"{type}Updated"))
    post(body_of("InvoiceUpdated", taxIncludedAmount=LONG))
    fields = {"data": Field(attribute="data", column_name="data", widget=ExactJSON())}
    if issubclass(model, Document):
        # It takes a relation for the primary key of the other model, too.
        fields["customer"] = Field(
            attribute="customer_id", column_name="customer", widget=CharWidget(allow_blank=False)
        )
    resource = resources.modelresource_factory(model, custom_fields=fields)()
    exported = resource.export(model.with_deleted.all())
    before = [*model.with_deleted.values()]
    model.with_deleted.all().delete()
    result = resource.import_data(exported, raise_errors=True)
    assert not result.has_errors()
    after = [*model.with_deleted.values()]
    for old, new in zip(before, after, strict=True):
        differing = {name for name in old if name not in OWN_TIMES and old[name] != new[name]}
        # The columns of JSON and of text are None or empty alike in a table.
        assert not {name for name in differing if old[name] or new[name]}


#: Columns that the import itself sets.
OWN_TIMES = {"synced_at"}


class TestExpressions:
    """A decimal may come first or second; nobody has to name an output field."""

    ZERO = Value(Decimal(0))

    @pytest.mark.parametrize(
        ("expression", "value"),
        [
            (Sum(Case(When(is_draft=True, then=ZERO), default=F("balance"))), "20.5"),
            (Sum(Case(When(is_draft=False, then=F("balance")), default=ZERO)), "20.5"),
            (Coalesce(Sum("balance"), ZERO), "20.5"),
            (Coalesce(ZERO, Sum("balance")), "0"),
            (Sum(Greatest(ZERO, F("balance"))), "20.5"),
            (Sum(Greatest("balance", ZERO)), "20.5"),
            (Sum("balance") + ZERO, "20.5"),
            (ZERO + Sum("balance"), "20.5"),
            (Sum(F("balance") * 2), "41"),
            (Sum(Coalesce("balance", ZERO, output_field=DecimalField())), "20.5"),
        ],
        ids=str,
    )
    def test_an_aggregate(self, expression, value, invoice):
        assert Invoice.objects.aggregate(value=expression) == {"value": Decimal(value)}

    def test_a_long_amount_is_exact_in_every_query(self, invoice):
        for query in (
            Invoice.objects.filter(tax_included_amount=LONG),
            Invoice.objects.filter(lines__invoice__tax_included_amount=LONG).distinct(),
            pickle.loads(pickle.dumps(Invoice.objects.filter(tax_included_amount=LONG).query)),
        ):
            found = query if not hasattr(query, "get_compiler") else Invoice.objects.all()
            if found is not query:
                found.query = query
            assert {row.tax_included_amount for row in found} == {LONG}
        values = Customer.objects.values_list("invoices__tax_included_amount", flat=True)
        assert [*values] == [LONG]
        [row] = Invoice.objects.raw("SELECT * FROM django_altoviz_invoice")
        assert row.tax_included_amount == LONG
        related = InvoiceLine.objects.select_related("invoice").first()
        assert related.invoice.tax_included_amount == LONG


def test_a_query_may_give_an_amount_another_type():
    field = Invoice._meta.get_field("balance")
    other = DecimalField(max_digits=5, decimal_places=2)
    assert field.get_col("alias", other).output_field is other
    assert field.get_col("alias").output_field is field.get_col("alias", field).output_field


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has arrays")
def test_rows_in_bulk_are_not_written_as_arrays(django_assert_num_queries):
    rows = [
        Customer(altoviz_id=id, account="default", last_event_id=1, data={"quoted": '"' * 9})
        for id in range(3)
    ]
    with django_assert_num_queries(1) as queries:
        Customer.objects.bulk_create(rows)
    assert "UNNEST" not in queries[0]["sql"].upper()


def test_each_version_of_django_asks_for_a_placeholder_in_its_way():
    field, compiler = Customer._meta.get_field("data"), Customer.objects.all().query.get_compiler
    assert field.get_placeholder({}, None, connection) == "%s"
    assert field.get_placeholder_sql({}, None, connection) == ("%s", [{}])
    sql, parameters = field.get_placeholder_sql(Value(7), compiler("default"), connection)
    assert (sql, [*parameters]) == ("%s", [7])


def test_the_data_can_be_written_by_an_expression(post):
    post(body_of("CustomerUpdated", id=1, name="A"))
    post(body_of("CustomerUpdated", id=2, name="B"))
    Customer.objects.filter(altoviz_id=1).update(data=Value({"name": "C"}, ExactJSONField()))
    Customer.objects.filter(altoviz_id=2).update(data=F("data"))
    assert {*Customer.objects.values_list("data__name", flat=True)} == {"C", "B"}


texts = st.one_of(
    st.sampled_from(["Infinity", "NaN", "123", "1e5", "true", "null", "[1]", '{"a": 1}', '"', ""]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
)


class TestJSONKeys:
    @given(st.lists(texts, min_size=1, max_size=4))
    def test_a_text_comes_back_whatever_it_looks_like(self, names):
        Customer.with_deleted.all().delete()
        for number, name in enumerate(names):
            Customer.objects.create(
                altoviz_id=number, account="default", last_event_id=1, data={"a": {"name": name}}
            )
        rows = Customer.objects.order_by("altoviz_id")
        assert [*rows.values_list("data__a__name", flat=True)] == names
        assert [*rows.annotate(n=F("data__a__name")).values_list("n", flat=True)] == names
        counted = Customer.objects.values("data__a__name").annotate(n=Count("pk"))
        assert {row["data__a__name"]: row["n"] for row in counted} == {
            name: names.count(name) for name in names
        }

    def test_values_keep_their_kinds(self):
        values = [1, Decimal("20.5"), True, None, [1, "a"], {"b": Decimal("0.1")}, "é"]
        Customer.objects.create(
            altoviz_id=1, account="default", last_event_id=1, data={"values": values}
        )
        for number, value in enumerate(values):
            found = Customer.objects.values_list(f"data__values__{number}", flat=True).get()
            assert (found, type(found)) == (value, type(value))

    def test_keys_can_be_compared_sorted_and_used_in_subqueries(self, post):
        for id, (name, amount) in enumerate([("b", 2), ("a", 3), ("a b", Decimal("1.5"))], 1):
            post(body_of("CustomerUpdated", id=id, name=name))
            post(body_of("InvoiceUpdated", id=id, subject=name, balance=amount))
        invoices = Invoice.objects.annotate(total=F("data__balance"), text=F("data__subject"))
        assert [*invoices.order_by("total").values_list("altoviz_id", flat=True)] == [3, 1, 2]
        if connection.vendor != "mysql":  # there Django sorts texts with their quotation marks
            assert [*invoices.order_by("text").values_list("altoviz_id", flat=True)] == [2, 3, 1]
        assert [*invoices.filter(total__gt=2).values_list("text", flat=True)] == ["a"]
        names = Customer.objects.values("data__name")
        assert invoices.filter(text__in=Subquery(names)).count() == 3
        same = Customer.objects.filter(data__name=OuterRef("data__subject")).values("altoviz_id")
        assert {*invoices.values_list(Subquery(same), flat=True)} == {1, 2, 3}
        assert json.dumps([*Quote.objects.values_list("data__subject")]) == "[]"
