"""The lists of documents: their totals, their due dates and their periods."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from django_altoviz.admin import InvoiceAdmin, base, lists
from django_altoviz.models import MIRRORS, Customer, Invoice, Quote, SyncRun, WebhookEvent
from tests.conftest import body_of
from tests.test_admin import VIEW, client_of, html, links, list_of, listed, page_of
from tests.test_admin_objects import OPEN, TODAY, days_from_now, due

pytestmark = pytest.mark.django_db
LOGIN_QUERIES = 4


@pytest.fixture
def viewer():
    return client_of("viewer", *VIEW)


def post_invoice_of(post, id, *commitments, **data):
    amounts = {"taxExcludedAmount": 100 * id, "taxIncludedAmount": 120 * id, "balance": 120 * id}
    given = {**OPEN, **amounts, "commitments": [*commitments], "date": days_from_now(-id), **data}
    post(body_of("InvoiceUpdated", id=id, number=f"FA{id}", **given))


@pytest.fixture
def invoices(post):
    post_invoice_of(post, 1, due(-20))
    post_invoice_of(post, 2, due(-1))
    post_invoice_of(post, 3, due(0))
    post_invoice_of(post, 4, due(7))
    post_invoice_of(post, 5, due(30))
    post_invoice_of(post, 6, due(31))
    post_invoice_of(post, 7, isDraft=True, taxExcludedAmount=None)
    post_invoice_of(post, 8, due(-5), isPaid=True, balance=0)
    post_invoice_of(post, 9, due(-5), isCancelled=True, isPaid=True, balance=0)
    post_invoice_of(post, 10, balance=Decimal("0.1"))
    post_invoice_of(post, 11, balance=Decimal("-0.3"))


def delete_invoice(id):
    Invoice.objects.filter(altoviz_id=id).update(deleted_at=timezone.now())


def totals(client, url):
    return client.get(url).context["cl"].totals


# Totals


def test_the_totals_are_those_of_what_is_filtered_by_state(invoices, viewer):
    found = {row.label: row[1:] for row in totals(viewer, list_of(Invoice))}
    assert found == {
        "cancelled": (1, "€900.00", "€1,080.00", "€0.00"),
        "drafts and pro formas": (1, "—", "€840.00", "€840.00"),
        "paid": (1, "€800.00", "€960.00", "€0.00"),
        "overdue": (2, "€300.00", "€360.00", "€360.00"),
        "not due yet": (4, "€1,800.00", "€2,160.00", "€2,160.00"),
        "other": (2, "€2,100.00", "€2,520.00", "-€0.20"),
        "total without: cancelled, drafts and pro formas": (
            9,
            "€5,000.00",
            "€6,000.00",
            "€2,519.80",
        ),
    }
    page = html(viewer, list_of(Invoice, due="overdue"))
    assert re.findall(r'<th scope="row">(.*?)</th>', page) == ["Overdue"]
    assert totals(viewer, list_of(Invoice, q="FA10"))[0].number == 1
    assert totals(viewer, list_of(Invoice, q="nowhere")) == []
    assert "altoviz-totals" not in html(viewer, list_of(Invoice, q="nowhere"))


def test_the_totals_of_quotes_are_by_their_status(post, viewer):
    for id, status in ((1, "Sent"), (2, "Sent"), (3, "Accepted"), (4, "Hatched"), (5, None)):
        post(body_of("QuoteUpdated", id=id, status=status, taxIncludedAmount=10 * id))
    found = [(row.label, row.number, row.tax_included) for row in totals(viewer, list_of(Quote))]
    assert found == [
        ("sent", 2, "€30.00"),
        ("accepted", 1, "€30.00"),
        ("other", 2, "€90.00"),
        ("total", 5, "€150.00"),
    ]


def test_a_total_has_no_amount_that_no_document_has(post, viewer):
    for id, status in ((1, "Sent"), (2, "Accepted")):
        post(body_of("QuoteUpdated", id=id, status=status, balance=None))
    assert [row.balance for row in totals(viewer, list_of(Quote))] == ["—"] * 3


@pytest.mark.parametrize("state", [{"isDraft": True}, {"isProforma": True}, {"isCancelled": True}])
def test_a_total_of_one_state_is_not_repeated(post, viewer, state):
    post_invoice_of(post, 1)
    post_invoice_of(post, 2, **state)
    assert "total" not in " ".join(row.label for row in totals(viewer, list_of(Invoice)))


def test_what_is_deleted_is_neither_overdue_nor_in_the_total(invoices, viewer):
    delete_invoice(1)
    found = {row.label: row.number for row in totals(viewer, list_of(Invoice, deleted="all"))}
    assert (found["deleted"], found["overdue"]) == (1, 1)
    assert found["total without: deleted, cancelled, drafts and pro formas"] == 8
    [row] = totals(viewer, list_of(Invoice, deleted="yes"))
    assert (row.label, row.number) == ("deleted", 1)


def test_the_totals_are_exact_to_the_cent(post, viewer):
    for id in range(1, 11):
        post_invoice_of(post, id, balance=Decimal("0.1"))
    [row] = totals(viewer, list_of(Invoice))
    assert row.balance == "€1.00"


def test_amounts_of_any_length_are_added_up(post, viewer):
    post(body_of("CustomerUpdated"))
    for id, amount in ((1, Decimal(10) ** 34), (2, Decimal("-0.123456789012345678901234567"))):
        post_invoice_of(post, id, due(id), balance=abs(amount), taxIncludedAmount=amount)
    post_invoice_of(post, 3, due(-3), balance=Decimal(10) ** 34 + 1, customerId=7)
    assert len(totals(viewer, list_of(Invoice))) == 3
    page = html(viewer, page_of(Customer.objects.get()))
    assert f"€10,{',000' * 11}.123456789012345678901234567".replace(",,", ",") in page


def test_a_list_too_long_to_be_added_up_says_so(invoices, viewer, monkeypatch):
    monkeypatch.setattr(base, "MAX_COUNT", 10)
    page = html(viewer, list_of(Invoice))
    assert "Totals are shown of up to 10 rows: filter or search." in page
    assert totals(viewer, list_of(Invoice)) is None
    assert totals(viewer, list_of(Invoice, due="overdue"))[0].number == 2


def test_a_deleted_invoice_is_not_in_the_totals_unless_listed(post, viewer):
    post_invoice_of(post, 1, due(-2))
    post(body_of("InvoiceDeleted", id=1))
    assert totals(viewer, list_of(Invoice)) == []
    assert totals(viewer, list_of(Invoice, deleted="all"))[0].number == 1


def test_other_lists_have_no_totals(post, viewer):
    post(body_of("CustomerUpdated"))
    assert "altoviz-totals" not in html(viewer, list_of(Customer))


def test_a_page_of_a_long_list_is_sorted_before_its_rows_are_read(
    invoices, viewer, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(InvoiceAdmin, "list_per_page", 4)
    with django_assert_num_queries(LOGIN_QUERIES + 6):
        rows = listed(viewer, list_of(Invoice, o="-4", p=2))
    assert [row.altoviz_id for row in rows] == [7, 6, 5, 4]
    assert rows[0].get_deferred_fields() == {"data"}


# Objects without a number


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"number": "FA7"}, "FA7"),
        ({"number": None, "subject": "A roof"}, "A roof"),
        ({"number": "", "subject": "x" * 600}, "x" * 499 + "…"),
        ({"number": None, "subject": None}, "7"),
    ],
)
def test_a_document_without_a_number_is_named_in_its_list(post, viewer, data, name):
    post(body_of("InvoiceUpdated", id=7, **data))
    page = html(viewer, list_of(Invoice))
    assert re.findall(r'<th class="field-number"><a[^>]*>(.*?)</a>', page) == [name]
    assert "?o=1" in page


@pytest.mark.parametrize("entity", ["Customer", "Contact", "Product", "Quote"])
def test_any_object_without_a_name_has_its_id_in_its_list(post, viewer, entity):
    none = dict.fromkeys(("number", "name", "companyName", "displayName", "email", "subject"))
    post(body_of(f"{entity}Updated", id=7, **none))
    assert ">7</a>" in html(viewer, list_of(MIRRORS[entity.lower()]))


def test_a_project_may_lead_the_list_with_a_column_of_its_own(post, viewer, monkeypatch):
    post(body_of("InvoiceUpdated", id=7))
    monkeypatch.setattr(InvoiceAdmin, "list_display", ["customer_page", "number"])
    assert 'class="field-customer_page"' in html(viewer, list_of(Invoice))


# Lists that a link filters


def restrictions(client, url):
    """Return what a page says that its list is filtered by, and the link to the list without it."""
    page = html(client, url)
    if '<p class="altoviz-note">' not in page:
        return "", ""
    note = page.split('<p class="altoviz-note">')[1].split("</p>")[0]
    return " ".join(re.sub(r"<[^>]+>", "", note).split()), links(note)[-1]


def test_the_documents_of_a_customer_name_the_customer(post, viewer):
    post(body_of("CustomerUpdated", name="ACME"))
    customer = Customer.objects.get()
    url = list_of(Invoice, customer__exact=customer.key, due="later", p=0)
    text, link = restrictions(viewer, url)
    assert text == "Customer ACME Remove this filter"
    assert link == "?due=later"
    reader = client_of("reader", "view_invoice")
    assert restrictions(reader, url)[0] == f"Customer {customer.key} Remove this filter"
    assert restrictions(viewer, list_of(Invoice, customer__exact="gone"))[0].startswith(
        "Customer gone"
    )


def test_the_events_of_an_object_name_the_object(post, viewer):
    post(body_of("InvoiceUpdated", id=7, number="FA7", customerName="ACME"))
    page = html(viewer, page_of(Invoice.objects.get()))
    [link] = {each for each in links(page) if "object_id=7" in each}
    text, _link = restrictions(viewer, link)
    assert text == "Object FA7 · ACME · Entity invoice Remove this filter"
    text, _link = restrictions(viewer, list_of(WebhookEvent, entity__exact="invoice", object_id=8))
    assert text == "Entity invoice · Object id 8 Remove this filter"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"balance__gte": "12.5"}, "Balance ≥ €12.50"),
        (
            {"next_due_date__lt": "2026-11-28", "is_paid": "1"},
            "Next due date &lt; Nov. 28, 2026 · Paid yes",
        ),
        ({"date__year": 2026, "date__month": 2}, ""),
        ({"sent_at__isnull": "1", "pdf_url__isnull": "0"}, "PDF ≠ —"),
        ({"public_link__isnull": "True"}, "Public link —"),
        ({"lines__isnull": "0"}, "lines 0"),
        ({"pk": 3}, "ID 3"),
        ({"number__startswith": "<b>"}, "Number startswith &lt;b&gt;"),
        ({"is_paid__exact": "1", "q": "FA"}, ""),
    ],
)
def test_any_look_up_is_named_unless_a_filter_shows_it(viewer, query, text):
    found, _link = restrictions(viewer, list_of(Invoice, **query))
    assert found.removesuffix("Remove this filter").strip() == text


# Due dates


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("overdue", [1, 2]),
        ("week", [3, 4]),
        ("month", [3, 4, 5]),
        ("later", [6]),
        ("unpaid", [1, 2, 3, 4, 5, 6, 10]),
        ("nonsense", []),
        ("", [*range(1, 12)]),
    ],
)
def test_invoices_are_filtered_by_what_is_due(invoices, viewer, value, ids):
    assert [row.altoviz_id for row in listed(viewer, list_of(Invoice, due=value))] == ids


@pytest.mark.parametrize("value", ["unpaid", "overdue", "week", "month", "later"])
def test_nothing_is_due_of_a_deleted_invoice(invoices, viewer, value):
    [first, *others] = [row.altoviz_id for row in listed(viewer, list_of(Invoice, due=value))]
    delete_invoice(first)
    found = listed(viewer, list_of(Invoice, due=value, deleted="all"))
    assert [row.altoviz_id for row in found] == others


def test_the_list_shows_when_an_invoice_is_due_and_for_how_long(invoices, viewer):
    page = html(viewer, list_of(Invoice))
    assert re.findall(r'<td class="field-days_overdue">(.*?)</td>', page)[:3] == [
        "20 days",
        "1 day",
        "—",
    ]
    assert page.count('altoviz-wrong">overdue</span>') == 2


# Periods


def choices(client, **query):
    periods = client.get(list_of(Invoice, **query)).context["cl"].periods
    return periods.back, periods.choices


@pytest.fixture
def dated(post):
    days = ["2024-02-29", "2026-01-05", "2026-11-27", "2026-11-28", None]
    for id, date in enumerate(days, 1):
        post_invoice_of(post, id, date=date)


def test_a_list_leads_from_the_years_to_a_day_and_back(dated, viewer):
    back, years = choices(viewer)
    assert back is None
    assert [each["title"] for each in years] == ["2024", "2026"]
    url = reverse("admin:django_altoviz_invoice_changelist")
    assert len(listed(viewer, url + years[1]["link"])) == 3
    back, months = choices(viewer, date__year=2026)
    assert back["title"] == "All dates"
    assert len(months) == 12
    assert months[10]["title"] == "November"
    assert len(listed(viewer, url + months[10]["link"])) == 2
    back, days = choices(viewer, date__year=2026, date__month=11)
    assert back["title"] == "2026"
    assert len(days) == 30
    assert days[26]["title"] == "November 27"
    assert len(listed(viewer, url + days[26]["link"])) == 1
    back, [day] = choices(viewer, date__year=2026, date__month=11, date__day=27)
    assert back["title"] == "November 2026"
    assert day["title"] == "November 27"
    assert len(listed(viewer, url + back["link"])) == 2
    assert "date__year=2026" in html(viewer, list_of(Invoice))


def test_a_period_keeps_the_other_filters_and_leaves_the_page(dated, viewer):
    _back, years = choices(viewer, due="overdue", p=1)
    assert "due=overdue" in years[0]["link"]
    assert "p=1" not in years[0]["link"]


def test_only_the_latest_years_are_offered(dated, viewer, monkeypatch):
    monkeypatch.setattr(lists, "MAX_YEARS", 1)
    assert [each["title"] for each in choices(viewer)[1]] == ["2026"]


def test_a_date_far_away_hides_no_year(dated, post, viewer):
    post_invoice_of(post, 6, date="2099-01-01")
    post_invoice_of(post, 7, date="1900-01-01")
    assert [each["title"] for each in choices(viewer)[1]] == ["1900", "2024", "2026", "2099"]


def test_the_years_of_deleted_documents_are_offered_where_these_are_listed(dated, viewer):
    delete_invoice(1)
    assert [each["title"] for each in choices(viewer)[1]] == ["2026"]
    assert [each["title"] for each in choices(viewer, deleted="all")[1]] == ["2024", "2026"]


def test_a_list_without_dates_has_no_periods(viewer):
    assert choices(viewer) == (None, [])
    html(viewer, list_of(Invoice))


@pytest.mark.parametrize(
    "query",
    [
        {"date__year": "x"},
        {"date__year": "0"},
        {"date__year": "9999"},
        {"date__year": "99999999999999999999"},
        {"date__year": "-1"},
        {"date__year": ""},
        {"date__year": "2026", "date__month": "13"},
        {"date__year": "2026", "date__month": "x"},
        {"date__year": "2026", "date__month": "2", "date__day": "30"},
        {"date__month": "2"},
        {"date__month": "x"},
        {"date__day": "99"},
        {"date__year": "2026", "date__day": "5"},
        {"due": "\0"},
    ],
)
def test_odd_periods_are_no_error(dated, viewer, query):
    answer = viewer.get(list_of(Invoice, **query), follow=True)
    assert answer.status_code == 200


def test_the_queries_of_a_list_do_not_grow(post, viewer, django_assert_num_queries):
    for count in (2, 30):
        for id in range(1, count):
            post_invoice_of(post, id, due(id - 5), date=f"2026-01-{id:02}")
        with django_assert_num_queries(LOGIN_QUERIES + 5):
            html(viewer, list_of(Invoice))
    with django_assert_num_queries(LOGIN_QUERIES + 3):  # no years are looked up
        html(viewer, list_of(Invoice, date__year=TODAY.year))


def test_the_totals_need_one_query_of_what_an_index_has(
    invoices, viewer, django_assert_num_queries
):
    rows = Invoice.objects.all()
    with django_assert_num_queries(1) as captured:
        lists.totals_of(rows)
    [index] = [each for each in Invoice._meta.indexes if each.name == "altoviz_invoice_totals"]
    sql = captured.captured_queries[0]["sql"]
    columns = {field.column for field in Invoice._meta.concrete_fields if f"{field.column}" in sql}
    named = {name for name in columns if re.search(rf'["`]{name}["`]', sql)}
    assert named - {"id"} <= {*index.fields}


def test_a_form_offers_the_objects_in_order_and_none_that_are_deleted(post, settings):
    for id in (3, 1, 2):
        post(body_of("CustomerUpdated", id=id, name=f"Name {id}"))
    post(body_of("CustomerDeleted", id=2))
    reader = client_of("reader", *VIEW)
    query = {"app_label": "django_altoviz", "model_name": "invoice", "field_name": "customer"}
    found = reader.get(reverse("admin:autocomplete", query=query | {"term": "name"}))
    assert [each["text"] for each in found.json()["results"]] == ["Name 1", "Name 3"]


def test_the_days_of_a_period_are_the_projects(dated, viewer):
    assert isinstance(TODAY, datetime.date)
    assert len(listed(viewer, list_of(Invoice, date__year=2024, date__month=2, date__day=29))) == 1


@pytest.mark.parametrize("model", [*MIRRORS.values(), WebhookEvent, SyncRun])
def test_each_choice_of_each_filter_is_a_list_and_is_counted(model, samples, client):
    client.force_login(User.objects.create_superuser("reader"))
    page = client.get(list_of(model, _facets="True"))
    choices = [
        choice["query_string"]
        for spec in page.context["cl"].filter_specs
        for choice in spec.choices(page.context["cl"])
    ]
    assert page.status_code == 200
    assert len(choices) > 2
    for choice in choices:
        assert client.get(list_of(model) + choice).status_code == 200, choice
