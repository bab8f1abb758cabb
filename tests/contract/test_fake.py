"""Every answer of the fake is one that the official description of the API allows.

Where Altoviz itself was observed to answer otherwise, so does the fake; each such deviation is listed.
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
#: What Prism objects to, and why it is right nevertheless.
DEVIATIONS = {
    rf"({_MAY_BE_NULL}) must be (object|string|equal to one of)": (
        "Observed: nested objects and enums are null where they are blank. The description can't "
        "say so of a $ref."
    ),
    r"GET /v1/Settings .*additional properties; found 'eInvoicing'": "Observed: a group of 2026.",
    r"billingOptions must NOT have additional properties; found 'liableToVat'": (
        "The live description of August 2026 has it."
    ),
    r"SaleInvoices.* found '(cancelledCredit(Id|Number)|eInvoicing(InvoiceId|ProviderId|Status))'": (
        "Observed: in all invoices, and always null."
    ),
    r"SaleCredits.* found '(isCancelled|replacedBy|cancellationInvoice(Id|Number))'": (
        "Observed: in all credits."
    ),
    r"status code 400 ": "Observed: no list says that it refuses a page, nor find that it is empty.",
    r"status code 401 ": "Observed, though only /Hello says that there is such an answer.",
    r"GET /Hello (The received media type \"\"|Response body must be object)": (
        "Observed: the body of a 401 is empty, and of no type."
    ),
    r"status code 404 ": "Observed: the routes that do not say so have it, too.",
    r"status code 429 ": "Observed: plain text. Nothing in the description speaks of the quota.",
    r"status code 500 ": "Observed: the quotes' filter by status.",
}
UNDESCRIBED = "Unable to match the returned status code with those defined in the document"


def violations(header):
    """(place, message) of each. Prism breaks off where they are many, as in long lists; so the lists
    are also asked for in small pages, and each object alone."""
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
    """Notes what Prism objects to in the answers."""

    def __init__(self):
        self.objections = []
        self.seen = 0

    def __call__(self, response, *args, **kwargs):
        path = re.sub(r"/[0-9]+", "/N", response.request.path_url.partition("?")[0])
        request = f"{response.request.method} {path}"
        for place, message in violations(response.headers.get("sl-violations", "[]")):
            if place[0] == "response":  # the client's part is another test
                said = message.replace(UNDESCRIBED, f"status code {response.status_code} ")
                self.objections.append(f"{request} {said}")

    def unexplained(self):
        """What was objected to since this was asked for last, and is not listed."""
        news, self.seen = self.objections[self.seen :], len(self.objections)
        return [each for each in news if not any(re.search(one, each) for one in DEVIATIONS)]


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
    """Objects in all states, full ones and such of which little is known."""
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
    for end in (altoviz.quotes.refuse, altoviz.quotes.accept):
        quote = altoviz.quotes.create(lines=lines, internalId="x")["id"]
        altoviz.quotes.send(quote)
        end(quote)
    altoviz.quotes.invoice(quote)


@pytest.fixture(scope="module")
def url(prism, altoviz):
    """The fake with Prism in front of it."""
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
def test_what_the_client_asks_for(url, altoviz, judge, request_of_the_client):
    rate_limiter = RateLimiter("contract with the fake", requests=100_000)
    retry = AltovizRetry(total=0)
    with AltovizClient(altoviz.api_key, url, rate_limiter=rate_limiter, retry=retry) as client:
        client._session.hooks["response"].append(judge)
        try:
            request_of_the_client(client)
        except APIFailure as error:  # not found, mostly; how that is answered is judged as well
            assert error.status_code in (404,)
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
    def test_in_lists(self, ask, judge, altoviz, route):
        pages = [f"?PageSize=2&PageIndex={number}&IncludeCancelled=true" for number in range(1, 9)]
        for query in ["", "?PageIndex=99", "?OrderBy=x&PageSize=1", *pages]:
            assert ask(f"/v1/{route}{query}").status_code == 200
        assert judge.unexplained() == []

    def test_each(self, ask, judge, altoviz, route):
        objects = [*getattr(altoviz, KINDS[route]).all()]
        for each in objects:
            assert ask(f"/v1/{route}/{each['id']}").json()["id"] == each["id"]
        assert objects
        assert judge.unexplained() == []

    def test_found(self, ask, judge, altoviz, route):
        assert bool(ask(f"/v1/{route}/Find?internalId=x").json()) is (route != "SaleCredits")
        assert ask(f"/v1/{route}/Find?internalId=nobody").json() == []
        assert judge.unexplained() == []

    def test_failures(self, ask, judge, route):
        assert ask(f"/v1/{route}?PageIndex=0").status_code == 400
        assert ask(f"/v1/{route}/1").status_code == 404
        assert ask(f"/v1/{route}", key="wrong").status_code == 401
        assert judge.unexplained() == []


def test_the_rest(ask, judge, altoviz):
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
def test_documents(ask, judge, altoviz, kind):
    id = next(getattr(altoviz, KINDS[kind]).all())["id"]
    assert ask(f"/v1/{kind}/Download/{id}").content.startswith(b"%PDF")
    assert ask(f"/v1/{kind}/Download/1").status_code == 404
    assert judge.unexplained() == []


def test_webhooks(ask, judge, altoviz):
    body = {"name": "n", "url": "https://a.example/", "types": ["InvoiceCreated"], "secretKey": "s"}
    assert ask("/v1/Webhooks", "POST", json=body).status_code == 201
    (webhook,) = [each for each in ask("/v1/Webhooks").json() if each["url"] == body["url"]]
    assert ask(f"/v1/Webhooks?id={webhook['id']}", "DELETE").status_code == 200
    assert ask(f"/v1/Webhooks?id={webhook['id']}", "DELETE").status_code == 404
    assert ask("/v1/Webhooks", "POST", json=body | {"url": ""}).status_code == 400
    assert judge.unexplained() == []


def test_switches(ask, judge, altoviz):
    altoviz.behave(lines_in_lists=False, shows_secrets="null", paging_headers=False)
    try:
        for target in ["/v1/SaleInvoices?PageSize=2", "/v1/SaleQuotes?PageSize=2", "/v1/Webhooks"]:
            assert ask(target).status_code == 200
        altoviz.behave(quota=0)
        assert ask("/Hello").status_code == 429
    finally:
        altoviz.behave(lines_in_lists=True, shows_secrets="clear", paging_headers=True, quota=None)
    assert judge.unexplained() == []


def test_the_judge_does_object(ask, judge, altoviz):
    altoviz.behave(unknown_fields=True)
    try:
        ask("/v1/Contacts")
    finally:
        altoviz.behave(unknown_fields=False)
    assert any("colorOfTheYear" in each for each in judge.unexplained())


def test_each_deviation_is_still_one(ask, judge, altoviz):
    """What is listed and is not met any more is to be taken out."""
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
    met = {one for one in DEVIATIONS for each in judge.objections if re.search(one, each)}
    assert met == {*DEVIATIONS}
