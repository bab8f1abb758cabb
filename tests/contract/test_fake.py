"""The official description of the API allows every answer of the fake.

The real Altoviz deviates from its description. The fake deviates in the same way, and ``DEVIATIONS``
lists every case.
"""

from __future__ import annotations

import json
import re

import pytest
import requests

from django_altoviz.client import AltovizClient, RateLimiter
from django_altoviz.client.retries import AltovizRetry
from django_altoviz.exceptions import APIFailure
from django_altoviz.testing import Behaviour, FakeAltoviz
from tests.contract.test_client import REQUESTS

_MAY_BE_NULL = (
    "customerType|family|product|vat|unit|billingContact|shippingContact|billingAddress|shippingAddress"
    "|companyInformations|discount|globalDiscount|initialCommitmentStatus|paymentMethod"
)
#: Objections of Prism (patterns), and why the fake is right nevertheless.
DEVIATIONS = {
    rf"({_MAY_BE_NULL}) must be (object|string|equal to one of)": (
        "Observed: blank nested objects and enums are null. The description has no way to allow "
        "null for a $ref."
    ),
    r"GET /v1/Settings .*additional properties; found 'eInvoicing'": "Observed: a group that came in 2026.",
    r"billingOptions must NOT have additional properties; found 'liableToVat'": (
        "The live description of August 2026 has it."
    ),
    r"SaleInvoices.* found '(cancelledCredit(Id|Number)|eInvoicing(InvoiceId|ProviderId|Status))'": (
        "Observed: in all invoices, and always null."
    ),
    r"SaleCredits.* found '(isCancelled|replacedBy|cancellationInvoice(Id|Number))'": (
        "Observed: in all credits."
    ),
    r"status code 400 ": "Observed, but the description of lists and of find has no 400.",
    r"status code 401 ": "Observed, but the description has a 401 for /Hello only.",
    r"GET /Hello (The received media type \"\"|Response body must be object)": (
        "Observed: a 401 has no body and no content type."
    ),
    r"status code 404 ": "Observed, also on routes whose description has no 404.",
    r"status code 429 ": "Observed: plain text. The description does not mention the rate limit.",
    r"status code 500 ": "Observed: filtering quotes by status fails.",
}
UNDESCRIBED = "Unable to match the returned status code with those defined in the document"


def violations(header):
    """Yield the place and the message of each violation in Prism's header.

    Prism truncates the header if there are many, as for long lists. So the tests also request the
    lists in small pages, and each object alone.
    """
    decoder, text = json.JSONDecoder(), header.partition("[")[2]
    while text.startswith("{"):
        try:
            each, end = decoder.raw_decode(text)
        except ValueError:
            assert header.startswith("Too many violations!")
            return
        yield each["location"], each["message"]
        text = text[end:].lstrip(",")


class Judge:
    """Response hook that collects Prism's objections to answers."""

    def __init__(self):
        self.objections = []
        self.seen = 0

    def __call__(self, response, *args, **kwargs):
        path = re.sub(r"/[0-9]+", "/N", response.request.path_url.partition("?")[0])
        request = f"{response.request.method} {path}"
        for place, message in violations(response.headers.get("sl-violations", "[]")):
            if place[0] == "response":  # test_client.py checks the requests
                said = message.replace(UNDESCRIBED, f"status code {response.status_code} ")
                self.objections.append(f"{request} {said}")

    def unexplained(self):
        """Return the objections since the last call that are not in ``DEVIATIONS``."""
        new, self.seen = self.objections[self.seen :], len(self.objections)
        return [each for each in new if not any(re.search(pattern, each) for pattern in DEVIATIONS)]


@pytest.fixture(scope="module")
def judge():
    return Judge()


@pytest.fixture(scope="module")
def altoviz():
    behaviour = Behaviour(quota=None, list_lag=(0.0,))
    with FakeAltoviz(behaviour=behaviour) as altoviz:
        fill(altoviz)
        yield altoviz


def fill(altoviz):
    """Create objects in every state, some with all fields and some with few."""
    altoviz.populate(customers=12, products=4, invoices=12, quotes=4)
    vat = {"id": 7, "rate": 10, "region": "FR", "label": "10.0% - FR", "default": False}
    customer = altoviz.customers.create(
        companyName="A",
        internalId="x",
        shippingAddress={"city": "Brest"},
        companyInformations={"siret": "00041278300011"},
        billingOptions={"paymentMethod": "Transfer", "initialCommitmentStatus": "Paid"},
        family={"id": 3310, "label": "Industrie", "number": "IND", "internalId": None},
    )
    altoviz.customers.create(lastName="B")
    altoviz.contacts.create(customer=customer["id"], internalId="x")
    product = altoviz.products.create(
        name="P", internalId="x", vat=vat, family={"id": 915, "label": "M", "number": "MOU"}
    )
    altoviz.products.create(name="P", vat=None, unit=None)
    lines = [
        {"productId": product["id"]},
        {"description": "Text"},
        {"taxExcludedPrice": 5, "vat": None},
    ]
    for date in ("2026-01-02", "2026-03-01"):
        draft = altoviz.invoices.create(lines=lines, date=date, internalId="x", metadata={"a": "b"})
        altoviz.invoices.finalize(draft["id"])
        altoviz.invoices.send(draft["id"])
        altoviz.invoices.pay(draft["id"])
    altoviz.invoices.cancel(draft["id"])
    altoviz.invoices.create(customerId=None, globalDiscount=None)
    credit = altoviz.credits.create(lines=lines, internalId="x", metadata={"a": "b"})["id"]
    altoviz.credits.finalize(credit)
    altoviz.credits.send(credit)
    altoviz.credits.refund(credit)
    altoviz.credits.create(customerId=None, globalDiscount=None)
    for end in (altoviz.quotes.refuse, altoviz.quotes.accept):
        quote = altoviz.quotes.create(lines=lines, internalId="x")["id"]
        altoviz.quotes.send(quote)
        end(quote)
    altoviz.quotes.invoice(quote)


@pytest.fixture(scope="module")
def url(prism, altoviz):
    """The URL of a Prism proxy in front of the fake."""
    with prism("proxy", altoviz.url) as url:
        yield url


@pytest.fixture
def ask(url, altoviz, judge):
    with requests.Session() as session:
        session.hooks["response"].append(judge)

        def ask(target, method="GET", key=altoviz.api_key, **options):
            headers = {"X-API-KEY": key} | options.pop("headers", {})
            return session.request(method, url + target, headers=headers, timeout=30, **options)

        yield ask


@pytest.mark.parametrize("request_of_the_client", REQUESTS)
def test_answers_to_the_client_are_allowed(url, altoviz, judge, request_of_the_client):
    rate_limiter = RateLimiter("contract with the fake", requests=100_000)
    retry = AltovizRetry(total=0)
    with AltovizClient(altoviz.api_key, url, rate_limiter=rate_limiter, retry=retry) as client:
        client._session.hooks["response"].append(judge)
        try:
            request_of_the_client(client)
        except APIFailure as error:  # the object may not exist; the judge has seen the 404
            assert error.status_code == 404
    assert judge.unexplained() == []


KINDS = {
    "Customers": "customers",
    "Contacts": "contacts",
    "Products": "products",
    "SaleInvoices": "invoices",
    "SaleQuotes": "quotes",
    "SaleCredits": "credits",
}


@pytest.mark.parametrize("route", KINDS)
class TestObjects:
    def test_lists_are_allowed(self, ask, judge, altoviz, route):
        pages = [f"?PageSize=2&PageIndex={number}&IncludeCancelled=true" for number in range(1, 9)]
        for query in ["", "?PageIndex=99", "?OrderBy=x&PageSize=1", *pages]:
            assert ask(f"/v1/{route}{query}").status_code == 200
        assert judge.unexplained() == []

    def test_each_object_is_allowed(self, ask, judge, altoviz, route):
        objects = [*getattr(altoviz, KINDS[route]).all()]
        for each in objects:
            assert ask(f"/v1/{route}/{each['id']}").json()["id"] == each["id"]
        assert objects
        assert judge.unexplained() == []

    def test_found_objects_are_allowed(self, ask, judge, altoviz, route):
        assert ask(f"/v1/{route}/Find?internalId=x").json()
        assert ask(f"/v1/{route}/Find?internalId=nobody").json() == []
        assert judge.unexplained() == []

    def test_errors_are_allowed(self, ask, judge, route):
        assert ask(f"/v1/{route}?PageIndex=0").status_code == 400
        assert ask(f"/v1/{route}/1").status_code == 404
        assert ask(f"/v1/{route}", key="wrong").status_code == 401
        assert judge.unexplained() == []


def test_other_answers_are_allowed(ask, judge, altoviz):
    customer = next(altoviz.customers.all())["id"]
    for target in [
        "/Hello",
        "/v1/Settings",
        "/v1/Users/me",
        "/v1/Users/whoami",
        f"/v1/Customers/{customer}/contacts",
        "/v1/Customers/GetByInternalId/x",
    ]:
        assert ask(target).status_code == 200
    assert ask("/v1/Customers/GetByInternalId/nobody").status_code == 404
    assert ask("/v1/Products/Find").status_code == 400
    assert ask("/v1/SaleQuotes?Status.Status=x").status_code == 500
    assert ask("/Hello", key="wrong").status_code == 401
    assert judge.unexplained() == []


@pytest.mark.parametrize("kind", ["SaleInvoices", "SaleQuotes", "SaleCredits"])
def test_downloads_are_allowed(ask, judge, altoviz, kind):
    id = next(getattr(altoviz, KINDS[kind]).all())["id"]
    assert ask(f"/v1/{kind}/Download/{id}").content.startswith(b"%PDF")
    assert ask(f"/v1/{kind}/Download/1").status_code == 404
    assert judge.unexplained() == []


def test_answers_about_webhooks_are_allowed(ask, judge, altoviz):
    body = {
        "name": "n",
        "url": "https://fake.example/",
        "types": ["InvoiceCreated"],
        "secretKey": "s",
    }
    assert ask("/v1/Webhooks", "POST", json=body).status_code == 201
    (webhook,) = [each for each in ask("/v1/Webhooks").json() if each["url"] == body["url"]]
    assert ask(f"/v1/Webhooks?id={webhook['id']}", "DELETE").status_code == 200
    assert ask(f"/v1/Webhooks?id={webhook['id']}", "DELETE").status_code == 404
    assert ask("/v1/Webhooks", "POST", json=body | {"url": ""}).status_code == 400
    assert judge.unexplained() == []


def test_answers_with_other_switches_are_allowed(ask, judge, altoviz):
    altoviz.behave(lines_in_lists=False, shows_secrets="null", paging_headers=False)
    try:
        lists = ["SaleInvoices?PageSize=2", "SaleQuotes?PageSize=2", "SaleCredits?PageSize=2"]
        for target in [*lists, "Webhooks"]:
            assert ask(f"/v1/{target}").status_code == 200
        altoviz.behave(quota=0)
        assert ask("/Hello").status_code == 429
    finally:
        altoviz.behave(lines_in_lists=True, shows_secrets="clear", paging_headers=True, quota=None)
    assert judge.unexplained() == []


def test_the_judge_objects_to_unknown_fields(ask, judge, altoviz):
    altoviz.behave(unknown_fields=True)
    try:
        ask("/v1/Contacts")
    finally:
        altoviz.behave(unknown_fields=False)
    assert any("colorOfTheYear" in each for each in judge.unexplained())


def test_every_listed_deviation_still_occurs(ask, judge, altoviz):
    """Fail if ``DEVIATIONS`` lists something that Prism no longer objects to."""
    for route in ("Customers", "SaleInvoices", "SaleCredits"):
        for each in getattr(altoviz, KINDS[route]).all():
            ask(f"/v1/{route}/{each['id']}")
    for target in [
        "/v1/Settings",
        "/v1/Customers?PageIndex=0",
        "/v1/Customers/GetByInternalId/nobody",
        "/v1/SaleQuotes?Status.Status=x",
    ]:
        ask(target)
    ask("/v1/Customers", key="wrong")
    ask("/Hello", key="wrong")
    altoviz.behave(quota=0)
    ask("/v1/Customers")
    altoviz.behave(quota=None)
    met = {
        pattern for pattern in DEVIATIONS for each in judge.objections if re.search(pattern, each)
    }
    assert met == {*DEVIATIONS}
