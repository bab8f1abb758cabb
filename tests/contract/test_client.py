"""Every request of the client is one that the official description of the API allows."""

from __future__ import annotations

import datetime

import pytest

from django_altoviz.client import AltovizClient, RateLimiter
from django_altoviz.client.retries import AltovizRetry
from django_altoviz.event_types import EventType
from django_altoviz.exceptions import APIError, UnexpectedAnswer

DAY = datetime.date(2026, 1, 2)


def made_up(download):
    """Read a document that the description's mock has made up: an answer to a right request, and yet
    no PDF."""
    with pytest.raises(UnexpectedAnswer, match="not a PDF"):
        b"".join(download)


def get_made_up(resource):
    """Read object 5, for which the description's mock makes up an object with another id."""
    with pytest.raises(UnexpectedAnswer, match="another object"):
        resource.get(5)


#: Each request that the client can make.
REQUESTS = [
    lambda c: c.hello(),
    lambda c: c.settings(),
    lambda c: get_made_up(c.customers),
    lambda c: c.customers.get_by_internal_id("a b"),
    lambda c: c.customers.find(email="a@b.example", internal_id="x", number="C1"),
    lambda c: c.customers.contacts(5),
    lambda c: get_made_up(c.contacts),
    lambda c: c.contacts.find(email="a@b.example", internal_id="x"),
    lambda c: get_made_up(c.products),
    lambda c: c.products.find(number="P1", internal_id="x"),
    lambda c: get_made_up(c.invoices),
    lambda c: c.invoices.find(internal_id="x"),
    lambda c: get_made_up(c.quotes),
    lambda c: c.quotes.find(internal_id="x"),
    lambda c: list(c.customers.all(query="x")),
    lambda c: list(c.contacts.all(query="x")),
    lambda c: list(c.products.all(query="x", family_id=3)),
    lambda c: list(c.invoices.all(start=DAY, end=DAY, customer_id=7, status="Paid")),
    lambda c: list(c.quotes.all(start=DAY, end=DAY, customer_id=7)),
    lambda c: c.webhooks.all(),
    lambda c: c.webhooks.register(
        name="n", url="https://a.example/", types=EventType, secret_key="s"
    ),
    lambda c: c.webhooks.unregister(id=5),
    lambda c: c.webhooks.unregister(url="https://a.example/"),
    lambda c: made_up(c.invoices.download(5)),
    lambda c: made_up(c.quotes.download(5)),
]


@pytest.fixture(scope="module")
def described(prism):
    with prism("mock", "--errors") as url:
        rate_limiter = RateLimiter("contract", requests=100_000)
        with AltovizClient(
            "key", url, rate_limiter=rate_limiter, retry=AltovizRetry(total=0)
        ) as client:
            yield client


@pytest.mark.parametrize("ask", REQUESTS)
def test_is_understood(described, ask):
    ask(described)  # which raises what Prism objects to


def test_the_judge_does_find_what_is_not_allowed(described):
    for path, query in [
        ("v1/Nowhere", {}),
        ("v1/Customers", {"PageIndex": "one"}),
        ("v1/SaleInvoices", {"Status": "Nonsense"}),
    ]:
        with pytest.raises((APIError, UnexpectedAnswer)):
            described.get_list(path, query)
    with pytest.raises(APIError):
        described.post("v1/Webhooks", {"name": "n", "url": "u", "types": ["Nonsense"]})
