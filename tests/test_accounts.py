"""Two accounts whose objects have the same ids: each lives in a world of its own."""

from __future__ import annotations

import json

import pytest
from django.contrib import admin
from django.test import Client, override_settings
from django.urls import include, path
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.admin import CustomerAdmin
from django_altoviz.event_types import SENT_TYPES
from django_altoviz.models import (
    MIRRORS,
    Customer,
    Invoice,
    InvoiceLine,
    Product,
    Quote,
    WebhookEvent,
)
from django_altoviz.processing import drain
from django_altoviz.sync import sync
from django_altoviz.testing import FakeAltoviz
from tests.conftest import body_of

pytestmark = pytest.mark.django_db

ACCOUNTS = ("default", "acme")


def test_a_deletion_leaves_the_other_accounts_object_alone(post):
    """Eighty bytes, rightly signed by one company, once took another company's invoice away."""
    post(body_of("InvoiceUpdated", id=7))
    post({"id": "evt_1", "type": "InvoiceDeleted", "data": {"id": 7}}, account="acme")
    assert Invoice.objects.get(altoviz_id=7).account == "default"
    assert WebhookEvent.objects.filter(status="processed").count() == 2


@pytest.mark.parametrize("first", ["CustomerUpdated", "InvoiceUpdated"])
def test_a_relation_never_leaves_its_account(post, first):
    types = ["CustomerUpdated", "ProductUpdated", "InvoiceUpdated", "QuoteUpdated"]
    for type in types if first == "CustomerUpdated" else reversed(types):
        for account in ACCOUNTS if type != "CustomerUpdated" else ["default"]:
            post(body_of(type), account=account)
    ours, theirs = (Invoice.objects.get(account=account) for account in ACCOUNTS)
    customer = Customer.objects.get()
    assert (ours.customer, theirs.customer) == (customer, None)
    assert ours.customer_altoviz_id == theirs.customer_altoviz_id == customer.altoviz_id
    assert [*customer.invoices.all()] == [ours]
    assert [*Invoice.objects.filter(customer__name=customer.name)] == [ours]
    assert [*Invoice.objects.filter(customer__account=None)] == [theirs]
    for line in InvoiceLine.objects.select_related("invoice", "product").exclude(product=None):
        assert line.invoice.account == line.product.account

    post(body_of("CustomerUpdated", name="Acme"), account="acme")
    names = Invoice.objects.order_by("pk").values_list("account", "customer__name")
    assert {*names} == {("default", customer.name), ("acme", "Acme")}
    assert Product.objects.count() == 2


@pytest.mark.parametrize("related", ["select_related", "prefetch_related"])
def test_related_rows_are_read_at_once(post, related, django_assert_max_num_queries):
    for account in ACCOUNTS:
        for type in ("CustomerUpdated", "InvoiceUpdated"):
            post(body_of(type, **{"name": account} if "Customer" in type else {}), account=account)
    with django_assert_max_num_queries(2):
        for invoice in getattr(Invoice.objects.all(), related)("customer"):
            assert invoice.customer.name == invoice.account
    with django_assert_max_num_queries(2):
        for customer in Customer.objects.prefetch_related("invoices"):
            assert [invoice.account for invoice in customer.invoices.all()] == [customer.account]


events = st.lists(
    st.tuples(
        st.sampled_from(ACCOUNTS),
        st.sampled_from([type for type in SENT_TYPES if not type.startswith("Contact")]),
        st.integers(1, 2),
        st.integers(1, 2),
        st.sampled_from(["a", "b"]),
    ),
    max_size=12,
)


@given(events)
def test_an_account_is_as_if_it_were_alone(events):
    try:
        together = worlds(events)
        for account in ACCOUNTS:
            alone = worlds([event for event in events if event[0] == account])
            assert together[account] == alone[account]
            assert not any(rows for other, rows in alone.items() if other != account)
    finally:
        empty()


def worlds(events):
    """Return what each account sees after the events have been processed."""
    empty()
    for account, type, id, other, text in events:
        data = {"id": id, "customerId": other, "name": text, "subject": text}
        if type.startswith(("Invoice", "Quote")):
            data["lines"] = [{"id": 1, "description": text, "productId": other}]
        event = WebhookEvent.from_delivery(body_of(type, **data), account, {})
        WebhookEvent.objects.store(event)
    assert all(event.status in ("processed", "ignored") for event in drain())
    return {account: world(account) for account in ACCOUNTS}


def world(account):
    rows = [
        (model.__name__, row.altoviz_id, row.data, row.deleted_at is None)
        for model in (Customer, Product, Invoice, Quote)
        for row in model.with_deleted.filter(account=account).order_by("altoviz_id")
    ]
    related = [
        (invoice.altoviz_id, invoice.customer and invoice.customer.name, len(products), *products)
        for invoice in Invoice.with_deleted.filter(account=account).order_by("altoviz_id")
        for products in [[line.product and line.product.name for line in invoice.lines.all()]]
    ]
    outcomes = WebhookEvent.objects.filter(account=account).order_by("pk")
    return [*rows, *related, *outcomes.values_list("type", "status")]


def empty():
    WebhookEvent.objects.all().delete()
    for model in MIRRORS.values():
        model.with_deleted.all().delete()


def test_accounts_that_differ_in_case_are_two(post, settings):
    """The default collations of MySQL and MariaDB ignore case."""
    acme = settings.ALTOVIZ["ACCOUNTS"]["acme"]
    settings.ALTOVIZ = settings.ALTOVIZ | {"ACCOUNTS": {"acme": acme, "Acme": acme}}
    for account in ("acme", "Acme"):
        for type in ("CustomerUpdated", "InvoiceUpdated"):
            post(body_of(type, **{"name": account} if "Customer" in type else {}), account=account)
    assert {*Customer.objects.filter(account="Acme").values_list("name", flat=True)} == {"Acme"}
    for invoice in Invoice.objects.all():
        assert invoice.customer.name == invoice.account
    post({"id": "evt_1", "type": "CustomerDeleted", "data": {"id": 418206}}, account="Acme")
    assert Customer.objects.get().account == "acme"


def test_two_companies_with_the_same_ids_are_mirrored_side_by_side(settings):
    """Production and staging are such companies, and so are two fakes."""
    fakes = {account: FakeAltoviz() for account in ACCOUNTS}
    with fakes["default"] as ours, fakes["acme"] as theirs:
        acme = settings.ALTOVIZ["ACCOUNTS"]["acme"] | theirs.settings
        settings.ALTOVIZ = settings.ALTOVIZ | ours.settings | {"ACCOUNTS": {"acme": acme}}
        for fake in fakes.values():
            fake.populate(customers=3, products=3, invoices=3)
        invoice = next(each["id"] for each in ours.invoices.all() if each["isDraft"])
        for account in ACCOUNTS:
            sync(account)
        ours.invoices.delete(invoice)
        for account in ACCOUNTS:
            sync(account)
            live = Invoice.objects.filter(account=account)
            at_altoviz = {each["id"]: each for each in fakes[account].invoices.all()}
            assert dict(live.values_list("altoviz_id", "data")) == at_altoviz
            assert live.filter(customer__account=account).count() == len(at_altoviz)
        assert Invoice.with_deleted.get(deleted_at__isnull=False).account == "default"


class TestAdmin:
    """A project's pages for documents offer customers as for any foreign key."""

    @pytest.fixture
    def client(self, django_user_model):
        client = Client()
        client.force_login(django_user_model.objects.create_superuser("boss"))
        with override_settings(ROOT_URLCONF=__name__):
            yield client

    def options(self, client, term=""):
        field = {"app_label": "django_altoviz", "model_name": "invoice", "field_name": "customer"}
        answer = client.get("/shop/autocomplete/", field | {"term": term})
        return json.loads(answer.content)["results"]

    def test_autocomplete_offers_the_customers_by_key_the_latest_first(self, post, client):
        for account in ACCOUNTS:
            post(body_of("CustomerUpdated", name=account), account=account)
        options = [{"id": f"{account}:418206", "text": account} for account in reversed(ACCOUNTS)]
        assert self.options(client) == options
        assert self.options(client, "acme") == [each for each in options if each["text"] == "acme"]

    def test_autocomplete_offers_no_deleted_customer(self, post, client):
        post(body_of("CustomerUpdated", id=1))
        post(body_of("CustomerDeleted", id=2))
        assert [each["id"] for each in self.options(client)] == ["default:1"]

    def test_a_form_shows_the_chosen_customer(self, post, client):
        for account in ACCOUNTS:
            post(body_of("CustomerUpdated", name=account), account=account)
            post(body_of("InvoiceUpdated"), account=account)
        invoice = Invoice.objects.get(account="acme")
        page = client.get(f"/shop/django_altoviz/invoice/{invoice.pk}/change/")
        assert '<option value="acme:418206" selected>acme</option>' in page.content.decode()


class EditableInvoices(admin.ModelAdmin):
    fields = ["customer"]
    autocomplete_fields = ["customer"]


site = admin.AdminSite("shop")
site.register(Customer, CustomerAdmin)
site.register(Invoice, EditableInvoices)
urlpatterns = [path("", include("tests.urls")), path("shop/", site.urls)]
