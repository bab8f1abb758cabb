"""The search in the lists of objects finds what its help says, on every database alike."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from hypothesis import example, given
from hypothesis import strategies as st

from django_altoviz.models import Contact, Customer, Invoice, Product, Quote, WebhookEvent
from django_altoviz.models.mirrors.searching import SEARCH_LENGTH, folded, search_text, words_of
from tests.conftest import body_of
from tests.test_admin import VIEW, client_of, list_of, listed, page_of

pytestmark = pytest.mark.django_db
CUSTOMER = {
    "id": 77,
    "number": "CLI-0042",
    "lastName": "Brûlé",
    "firstName": "Zoé",
    "email": "Zoe.Brule@fonderie.example",
    "phone": "+33 (0)4 65 71 20 40",
    "billingAddress": {"zipcode": "42000", "city": "Saint-Étienne"},
}


@pytest.fixture
def viewer():
    return client_of("viewer", *VIEW)


@pytest.fixture
def customers(post):
    """The customer that is looked for, and another one."""
    other = {"firstName": "A", "lastName": "B", "email": "a@b.example", "phone": "1"}
    other |= {"number": "X", "billingAddress": {"zipcode": "1", "city": "Y"}}
    for data in (CUSTOMER, other | {"id": 8}):
        post(body_of("CustomerUpdated", name=None, companyName=None, **data))
    return Customer.objects.get(altoviz_id=77)


@pytest.mark.parametrize(
    "term",
    [
        "CLI-0042",
        "cli-00",
        "Brûlé",
        "BRÛLÉ",
        "brule",
        "zoé brulé",
        "brule zoe",
        "zoe.brule@FONDERIE",
        "42000",
        "saint-etienne",
        "SAINT-ÉTIENNE",
        "4 65 71 20 40",
        "465712040",
        "77",
        "  zoe   étienne  ",
    ],
)
def test_a_customer_is_found(customers, viewer, term):
    assert listed(viewer, list_of(Customer, q=term)) == [customers]


@pytest.mark.parametrize("term", ["brulee", "zoe martin", "%", "_", "\\", "42001", "zoe%", "\0"])
def test_another_term_finds_nothing(customers, viewer, term):
    answer = viewer.get(list_of(Customer, q=term), follow=True)
    assert term == "\0" or [*answer.context["cl"].result_list] == []


def test_no_word_finds_everything(customers, viewer):
    assert len(listed(viewer, list_of(Customer, q="  "))) == 2


@pytest.mark.parametrize(
    ("model", "data", "terms"),
    [
        (Contact, {"displayName": "Élodie Marchand"}, ["elodie", "MARCHAND"]),
        (Product, {"number": "REF-1", "name": "Pièce brute"}, ["ref-1", "piece BRUTE"]),
        (Invoice, {"number": "FA001050", "customerName": "Fonderie Brûlé"}, ["fa0010", "brule fa"]),
        (Quote, {"subject": "Coulée n° 5", "number": "DE7"}, ["coulee de7", "n°"]),
    ],
)
def test_each_kind_is_found(post, viewer, model, data, terms):
    post(body_of(f"{model.__name__}Updated", **data))
    for term in terms:
        assert listed(viewer, list_of(model, q=term)) == [model.objects.get()], term


def test_an_update_is_found_by_what_it_brings_and_no_more_by_what_was(post, viewer):
    for name in ("Ancien", "Nouveau", "Nouveau"):
        post(body_of("CustomerUpdated", name=name))
    assert len(listed(viewer, list_of(Customer, q="nouveau"))) == 1
    assert listed(viewer, list_of(Customer, q="ancien")) == []


def test_the_search_looks_at_the_index_alone(customers, viewer, django_assert_num_queries):
    rows = viewer.get(list_of(Customer, q="brule zoe")).context["cl"].queryset
    sql = str(rows.query)
    assert sql.count("search_text") >= 2
    assert "UPPER" not in sql


def test_a_project_may_search_other_columns(customers, viewer, monkeypatch):
    page = admin.site.get_model_admin(Customer)
    monkeypatch.setattr(page, "search_fields", ["number__exact"])
    assert listed(viewer, list_of(Customer, q="CLI-0042")) == [customers]
    assert listed(viewer, list_of(Customer, q="brule")) == []


def test_a_ligature_is_two_letters():
    assert folded("Œuvre Æsthétique STRASSE ß") == "oeuvre aesthetique strasse ss"


def test_a_long_text_is_cut_to_what_every_database_can_index():
    assert len(search_text(["x" * 1000])) == SEARCH_LENGTH


def test_a_long_value_takes_no_other_values_place():
    assert search_text(["x" * 1000, "Zébulon SARL", None]).startswith("zebulon sarl x")


def test_all_words_must_be_found_however_many_there_are(customers, viewer):
    """Words that are repeated count once. No row has more than 30 different ones."""
    assert listed(viewer, list_of(Customer, q="brule " * 40)) == [customers]
    assert listed(viewer, list_of(Customer, q="brule " * 12 + "nothing")) == []
    letters = " ".join("abcdefghijklmnopqrstuvwxyz0123456789")
    assert listed(viewer, list_of(Customer, q=letters)) == []


@given(st.lists(st.none() | st.text(max_size=40) | st.integers()))
def test_each_word_of_a_value_finds_it(values):
    text = search_text(values)
    assert folded(text) == text
    if len(text) < SEARCH_LENGTH:
        for value in values:
            assert all(word in text for word in words_of(str(value or "")))


@given(st.text(max_size=40))
@example("\N{MATHEMATICAL BOLD CAPITAL ALPHA}")
@example("ǽ")
def test_a_text_is_folded_to_the_end_at_once(text):
    assert folded(folded(text)) == folded(text)


@pytest.mark.parametrize(
    "lookup",
    [
        *("name__regex", "number__iregex", "account__regex", "altoviz_id__range"),
        *("metadata__contained_by", "metadata__has_key", "metadata__x", "number__nonsense"),
        *("updated_at__time", "updated_at__year__regex", "altoviz_id__exact__regex"),
    ],
)
def test_only_plain_lookups_are_taken_from_a_url(customers, viewer, lookup):
    """A regular expression may take for ever, and a range needs two values."""
    assert viewer.get(list_of(Customer, **{lookup: "("})).status_code == 400


def test_a_lookup_across_a_relation_is_still_taken(viewer, post):
    post(body_of("InvoiceUpdated"))
    assert viewer.get(list_of(Invoice, number__icontains="a")).status_code == 200
    assert viewer.get(list_of(Invoice, customer__exact="1")).status_code == 200
    assert viewer.get(list_of(Invoice, customer__id__exact="1")).status_code == 200
    assert viewer.get(list_of(WebhookEvent, object_id__range="123")).status_code == 400


def test_a_key_or_term_that_no_database_takes_is_not_found(customers, viewer):
    url = "/admin/django_altoviz/customer/a%00b/change/?_to_field=key"
    assert viewer.get(url).status_code == 302
    lookup = "?app_label=django_altoviz&model_name=invoice&field_name=customer&term=%00"
    assert viewer.get(f"/admin/autocomplete/{lookup}").status_code == 200


def test_an_invoice_is_found_by_the_name_that_its_list_shows(post, viewer):
    post(body_of("CustomerUpdated", name="Renamed since"))
    post(body_of("InvoiceUpdated", customerName="As it was"))
    page = viewer.get(list_of(Invoice, q="as it was")).content.decode()
    assert re.search(r'<a href="[^"]*customer/[^"]*">As it was</a>', page)
    assert "Renamed since" not in page


def test_a_reader_of_invoices_only_sees_the_customers_name_on_the_invoice(post):
    post(body_of("CustomerUpdated", name="Renamed since"))
    post(body_of("InvoiceUpdated", customerName="As it was"))
    reader = client_of("accountant", "view_invoice")
    for url in (list_of(Invoice), page_of(Invoice.objects.get())):
        page = reader.get(url).content.decode()
        assert "As it was" in page
        assert "Renamed since" not in page
