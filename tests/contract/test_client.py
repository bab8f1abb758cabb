"""The official description of the API allows every request of the client."""

from __future__ import annotations

import datetime

import pytest

from django_altoviz.client import AltovizClient, RateLimiter
from django_altoviz.client.resources import InvoiceResource
from django_altoviz.client.retries import AltovizRetry
from django_altoviz.client.secrecy import Hidden
from django_altoviz.event_types import SENT_TYPES, Entity
from django_altoviz.exceptions import APIError, UnexpectedAnswer
from django_altoviz.sync import ENTITIES

DAY = datetime.date(2026, 1, 2)


def read_mock_pdf(resource):
    """Begin a download from Prism's mock. The request is valid, but the mock's answer is not a PDF."""
    with pytest.raises(UnexpectedAnswer, match="not a PDF"):
        resource.download(5)


def read_mock_object(resource):
    """Read object 5 from Prism's mock. The request is valid, but the mock's object has another id."""
    with pytest.raises(UnexpectedAnswer, match="another object"):
        resource.get(5)


#: The lists that a watch looks at.
LOOKS = [
    *((kind, None) for kind in ENTITIES),
    (Entity.INVOICE, {}),
    *((Entity.INVOICE, filters) for filters in InvoiceResource.list_open),
    (Entity.INVOICE, {"IncludeCancelled": "true", "From": DAY.isoformat()}),
    (Entity.QUOTE, {"From": DAY.isoformat()}),
]
#: Every request that the client can make.
REQUESTS = [
    lambda c: c.hello(),
    lambda c: c.settings(),
    lambda c: read_mock_object(c.customers),
    lambda c: c.customers.get_by_internal_id("a b"),
    lambda c: c.customers.find(email="a@b.example", internal_id="x", number="C1"),
    lambda c: c.customers.contacts(5),
    lambda c: read_mock_object(c.contacts),
    lambda c: c.contacts.find(email="a@b.example", internal_id="x"),
    lambda c: read_mock_object(c.products),
    lambda c: c.products.find(number="P1", internal_id="x"),
    lambda c: read_mock_object(c.invoices),
    lambda c: c.invoices.find(internal_id="x"),
    lambda c: read_mock_object(c.quotes),
    lambda c: c.quotes.find(internal_id="x"),
    lambda c: read_mock_object(c.credits),
    lambda c: c.credits.find(internal_id="x"),
    lambda c: list(c.customers.all(query="x")),
    lambda c: list(c.contacts.all(query="x")),
    lambda c: list(c.products.all(query="x", family_id=3)),
    lambda c: list(c.invoices.all(start=DAY, end=DAY, customer_id=7, status="Paid")),
    lambda c: list(c.quotes.all(start=DAY, end=DAY, customer_id=7)),
    lambda c: list(c.credits.all(start=DAY, end=DAY, customer_id=7)),
    *(
        lambda c, kind=kind, filters=filters: c.resource(kind).page(1, filters)
        for kind, filters in LOOKS
    ),
    lambda c: list(c.invoices.cancelled_since(DAY)),
    lambda c: c.webhooks.all(),
    lambda c: c.webhooks.register(
        name="n", url="https://a.example/", types=SENT_TYPES, secret_key="s"
    ),
    lambda c: c.webhooks.unregister(id=5),
    lambda c: c.webhooks.unregister(url="https://a.example/"),
    lambda c: read_mock_pdf(c.invoices),
    lambda c: read_mock_pdf(c.quotes),
    lambda c: read_mock_pdf(c.credits),
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
def test_every_request_is_allowed(described, ask):
    ask(described)  # raises if Prism objects


def test_prism_objects_to_requests_that_are_not_allowed(described):
    for path, query in [
        ("v1/Nowhere", {}),
        ("v1/Customers", {"PageIndex": "one"}),
        ("v1/SaleInvoices", {"Status": "Nonsense"}),
    ]:
        with pytest.raises((APIError, UnexpectedAnswer)):
            described.get_list(path, query)
    with pytest.raises(APIError):
        body = b'{"name": "n", "url": "u", "types": ["Nonsense"]}'
        described.post("v1/Webhooks", Hidden(body, []))
