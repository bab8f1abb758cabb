"""The page of an object leads with its story: its states, what is due when, and what changed."""

from __future__ import annotations

import datetime
import re

import pytest
from django.utils import timezone

from django_altoviz.admin import story
from django_altoviz.admin.display import details
from django_altoviz.admin.display.rendering import Renderer
from django_altoviz.event_types import EventType
from django_altoviz.models import Contact, Customer, Invoice, Product, Quote, WebhookEvent
from django_altoviz.samples import sample
from tests.conftest import body_of
from tests.test_admin import VIEW, client_of, html, links, listed, page_of

pytestmark = pytest.mark.django_db
TODAY = datetime.date.today()
OPEN = {"isDraft": False, "isPaid": False, "isCancelled": False, "isProforma": False}
LINES = sample(EventType.INVOICE_UPDATED).data["lines"]


def days_from_now(days):
    return (TODAY + datetime.timedelta(days=days)).isoformat()


def due(days, amount=100, **more):
    return {"date": days_from_now(days), "amount": amount, "dueAmount": amount, **more}


@pytest.fixture
def viewer():
    return client_of("viewer", *VIEW)


def post_open(post, *commitments, **data):
    """Post an unpaid invoice and return it."""
    post(
        body_of("InvoiceUpdated", **{**OPEN, "commitments": [*commitments], "balance": 100, **data})
    )
    return Invoice.objects.order_by("pk").last()


def states(client, row):
    [found] = re.findall(r'<p class="altoviz-states">(.*?)</p>', html(client, page_of(row)))
    return re.findall(r'altoviz-badge ([\w-]*)">([^<]*)<', found)


# The states


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"isDraft": True, "sentAt": None}, [("", "draft")]),
        ({"sentAt": None}, [("", "finalised")]),
        ({}, [("", "sent")]),
        ({"isPaid": True, "sentAt": None}, [("altoviz-good", "paid")]),
        ({"isCancelled": True, "sentAt": None}, [("", "cancelled")]),
        ({"isProforma": True, "sentAt": None}, [("", "pro forma")]),
        (
            {"commitments": [due(-1)], "sentAt": None},
            [("", "finalised"), ("altoviz-wrong", "overdue")],
        ),
        ({"commitments": [due(0)], "sentAt": None}, [("", "finalised")]),
    ],
)
def test_an_invoice_leads_with_its_states(post, viewer, data, shown):
    assert states(viewer, post_open(post, **data)) == shown


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"status": "Accepted", "sentAt": None}, [("altoviz-good", "accepted")]),
        ({"status": "Refused"}, [("altoviz-wrong", "refused"), ("", "sent")]),
        ({"status": "Sent", "validityDate": days_from_now(0)}, [("", "sent")]),
        (
            {"status": "Sent", "validityDate": days_from_now(-1)},
            [("", "sent"), ("altoviz-wrong", "expired")],
        ),
        ({"status": "Hatched", "sentAt": None}, [("", "Hatched")]),
    ],
)
def test_a_quote_leads_with_its_states(post, viewer, data, shown):
    post(body_of("QuoteUpdated", **data))
    assert states(viewer, Quote.objects.get()) == shown


def test_what_is_deleted_forgotten_or_inactive_says_so(post, viewer):
    row = post_open(post, due(-9), sentAt=None)
    Invoice.objects.update(deleted_at=timezone.now(), forgotten_at=timezone.now())
    shown = [("", "finalised"), ("altoviz-wrong", "deleted"), ("", "forgotten")]
    assert states(viewer, row) == shown
    for model in (Customer, Product):
        post(body_of(f"{model.__name__}Updated", active=False))
        assert states(viewer, model.objects.get()) == [("", "inactive")]
    post(body_of("ContactUpdated"))
    assert "altoviz-states" not in html(viewer, page_of(Contact.objects.get()))


def test_a_quote_without_a_state_has_none(post, viewer):
    post(body_of("QuoteUpdated", status=None, sentAt=None))
    assert "altoviz-states" not in html(viewer, page_of(Quote.objects.get()))


# What is due when


def test_an_invoice_shows_what_is_due_and_for_how_long(post, viewer):
    row = post_open(
        post,
        due(-60, 900, dueAmount=0),
        due(-12, 1200.5),
        due(-1, 1),
        due(30, 7),
        balance=2100,
    )
    assert row.next_due_date == TODAY - datetime.timedelta(days=12)
    page = html(viewer, page_of(row))
    table = page[page.index("altoviz-story") : page.index("altoviz-document-lines")]
    late = re.findall(r"<tr><td>.*?</td><td>.*?</td><td>(.*?)</td><td>(.*?)</td></tr>", table)
    dash = "—"
    assert late == [
        ("€0.00", dash),
        ("€1,200.50", "12 days"),
        ("€1.00", "1 day"),
        ("€7.00", dash),
    ]
    assert "€2,100.00" in table


@pytest.mark.parametrize(
    ("data", "day"),
    [
        ({}, 5),
        ({"isDraft": True}, None),
        ({"isPaid": True}, None),
        ({"isCancelled": True}, None),
        ({"isProforma": True}, None),
        ({"balance": 0}, None),
        ({"balance": None}, None),
        ({"balance": -5}, None),
        ({"commitments": [due(9), due(3, dueAmount=None)]}, 3),
        ({"commitments": [due(3) | {"date": None}]}, None),
        ({"commitments": []}, None),
        ({"commitments": None}, None),
        ({"commitments": ["odd"]}, None),
        ({"commitments": "odd"}, None),
        ({"commitments": [due(2), due(3) | {"date": "soon"}]}, None),
        ({"commitments": [due(3) | {"dueAmount": "much"}]}, None),
    ],
)
def test_the_next_due_date_is_the_first_of_what_is_unpaid(post, data, day):
    row = post_open(post, due(5), due(8), **data)
    expected = None if day is None else TODAY + datetime.timedelta(days=day)
    assert row.next_due_date == expected
    assert WebhookEvent.objects.get().status == "processed"


def test_a_customer_shows_the_unpaid_invoices_and_their_total(post, viewer, monkeypatch):
    post(body_of("CustomerUpdated"))
    customer = Customer.objects.get()
    assert "No invoice is unpaid." in html(viewer, page_of(customer))
    for id, days in ((1, 9), (2, -9), (3, 3)):
        post_open(post, due(days), id=id, number=f"FA{id}", balance=1000 * id)
    post_open(post, due(1), id=4, number="FA4", isPaid=True)
    post_open(post, due(1), id=5, number="FA5", customerId=7)
    page = html(viewer, page_of(customer))
    assert re.findall(r">(FA\d)</a>", page) == ["FA2", "FA3", "FA1"]
    assert "Total of 3" in page
    assert "€6,000.00" in page
    monkeypatch.setattr(story, "MAX_UNPAID", 1)
    monkeypatch.setattr(story, "MAX_ADDED", 2)
    page = html(viewer, page_of(customer))
    assert re.findall(r">(FA\d)</a>", page) == ["FA2"]
    assert "Total of the first 2" in page
    assert "There are more unpaid invoices" in page
    [link] = [each for each in links(page) if "due=" in each]
    assert {invoice.number for invoice in listed(viewer, link)} == {"FA1", "FA2", "FA3"}
    reader = client_of("reader", "view_customer")
    assert "Unpaid" not in html(reader, page_of(customer))


def test_the_queries_of_a_customers_page_do_not_grow(post, viewer, django_assert_num_queries):
    post(body_of("CustomerUpdated"))
    for count in (1, 9):
        for id in range(1, count + 1):
            post_open(post, due(id), id=id)
        html(viewer, page_of(Customer.objects.get()))
        with django_assert_num_queries(4 + 5):
            html(viewer, page_of(Customer.objects.get()))


@pytest.mark.parametrize(
    ("link", "is_shown"),
    [
        ("https://app.altoviz.example/public/7", True),
        ("http://app.altoviz.example/public/7", False),
        ("javascript:alert(1)", False),
        ("https://user@app.example/", False),
        ("https://[", False),
        ("https:///7", False),
        ("https://app.example/a b", False),
        (None, False),
    ],
)
def test_only_a_secure_address_opens_in_altoviz(post, viewer, link, is_shown):
    page = html(viewer, page_of(post_open(post, publicLink=link)))
    assert ("Open in Altoviz" in page) is is_shown


@pytest.mark.parametrize("odd", [{"date": "soon"}, {"date": 7}, {"date": "2026-02-30"}])
def test_a_part_without_a_readable_day_is_not_overdue(odd):
    row = Invoice(next_due_date=TODAY - datetime.timedelta(days=3))
    row.data = {"commitments": [due(-3), due(-3) | odd]}
    table = details.due_dates(row, Renderer())
    assert re.findall(r"<td>([^<]*)</td></tr>", table) == ["3 days", "—"]
