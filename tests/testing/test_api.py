"""The fake's API over raw HTTP, with the quirks that were observed at Altoviz."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from decimal import Decimal

import pytest
import requests

from django_altoviz.testing import Behaviour, FakeAltoviz

PAGING = ["x-page-index", "x-page-size", "x-page-count", "x-record-count"]


def error(errors, message):
    return {"errors": errors, "message": message}


class TestKeys:
    def test_the_header_is_accepted(self, ask, altoviz):
        assert ask("/Hello", headers={"x-api-key": altoviz.api_key}).status_code == 200

    def test_basic_authentication_is_accepted(self, ask, altoviz):
        assert ask("/Hello", headers={}, auth=("apikey", altoviz.api_key)).status_code == 200

    def test_the_query_parameter_is_accepted(self, ask, altoviz):
        assert ask(f"/Hello?apiKey={altoviz.api_key}", headers={}).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"X-API-KEY": "wrong"},
            {"Authorization": "Bearer 0f4e0000-fa4e-4000-8000-000000000000"},
            {"Authorization": "Basic é".encode("latin-1")},
            {"Authorization": "Basic YWRtaW46cGFzc3dvcmQ="},
        ],
    )
    def test_without_a_valid_key_the_answer_is_an_empty_401(self, ask, headers):
        answer = ask("/v1/Customers", headers=headers)
        assert (answer.status_code, answer.content) == (401, b"")
        assert "content-type" not in answer.headers


class TestRoutes:
    @pytest.mark.parametrize("path", ["/", "/v1/Nowhere", "/v2/Customers", "/v1/Customers/1/x"])
    def test_an_unknown_path_is_an_empty_404(self, ask, path):
        answer = ask(path)
        assert (answer.status_code, answer.content) == (404, b"")

    @pytest.mark.parametrize(
        ("method", "path"),
        [("DELETE", "/v1/Customers"), ("PUT", "/v1/Webhooks"), ("POST", "/Hello")],
    )
    def test_a_wrong_method_is_an_empty_405(self, ask, method, path):
        answer = ask(path, method)
        assert (answer.status_code, answer.content) == (405, b"")

    def test_the_case_of_paths_and_parameters_is_ignored(self, ask, altoviz):
        customer = altoviz.customers.create(internalId="crm-1")
        found = ask("/V1/customers/FIND?INTERNALID=crm-1").json()
        assert [row["id"] for row in found] == [customer["id"]]

    def test_the_fake_does_not_implement_writing(self, ask, altoviz):
        customer = altoviz.customers.create()
        for method, path in [
            ("POST", "/v1/Customers"),
            ("PUT", f"/v1/Customers/{customer['id']}"),
            ("DELETE", f"/v1/Customers/{customer['id']}"),
        ]:
            assert ask(path, method, json={}).status_code == 501
        assert altoviz.customers.get(customer["id"]) == customer


class TestObjects:
    def test_an_object_is_complete_and_its_numbers_are_exact(self, ask, altoviz):
        product = altoviz.products.create(name="Vis", unitPrice="0.10")
        text = ask(f"/v1/Products/{product['id']}").text
        assert '"unitPrice":0.1,' in text
        assert '"defaultQuantity":1.0' in text
        assert '"description":null' in text

    def test_an_unknown_id_is_not_found(self, ask):
        answer = ask("/v1/Customers/1")
        assert answer.status_code == 404
        assert answer.json() == error([], "Customer with ID 1 not found.")

    @pytest.mark.parametrize("id", ["abc", "99999999999", "1.5"])
    def test_an_invalid_id_is_refused(self, ask, id):
        answer = ask(f"/v1/SaleInvoices/{id}")
        assert answer.status_code == 400
        assert answer.json() == error([f"The value '{id}' is not valid."], "Validation failed")

    def test_find_always_returns_a_list(self, ask, altoviz):
        altoviz.customers.create(email="a@b.example", number="C7")
        other = altoviz.customers.create(email="a@b.example", number="C8")
        assert len(ask("/v1/Customers/Find?email=a@b.example").json()) == 2
        found = ask("/v1/Customers/Find?email=a@b.example&number=C8").json()
        assert [row["id"] for row in found] == [other["id"]]
        assert ask("/v1/Customers/Find?email=nobody").json() == []
        assert ask("/v1/Customers/Find").json() == []

    def test_finding_products_needs_a_parameter(self, ask):
        answer = ask("/v1/Products/Find")
        assert answer.status_code == 400
        assert answer.json() == error([], "Number or internal ID have to be defined")

    def test_get_by_internal_id_returns_one_object(self, ask, altoviz):
        customer = altoviz.customers.create(companyName="A", internalId="a b/c")
        found = ask("/v1/Customers/GetByInternalId/a%20b%2Fc").json()
        assert found["id"] == customer["id"]
        assert ask("/v1/Customers/GetByInternalId/x").status_code == 404

    def test_only_the_route_of_a_customer_shows_its_contacts(self, ask, altoviz):
        customer = altoviz.customers.create(firstName="Zoé", lastName="Brûlé")
        altoviz.contacts.create(customer=customer["id"], lastName="Second")
        contacts = ask(f"/v1/Customers/{customer['id']}/contacts").json()
        assert [(each["lastName"], each["isMain"]) for each in contacts] == [
            ("Brûlé", True),
            ("Second", False),
        ]
        assert all("isMain" not in each for each in ask("/v1/Contacts").json())
        assert ask("/v1/Customers/5/contacts").status_code == 404

    @pytest.mark.parametrize("kind", ["invoices", "quotes", "credits"])
    def test_a_document_can_be_downloaded_by_its_url(self, ask, altoviz, kind):
        document = getattr(altoviz, kind).create()
        answer = ask(document["pdfUrl"])
        assert answer.headers["content-type"] == "application/pdf"
        assert f"filename={document['number']}.pdf" in answer.headers["content-disposition"]
        assert answer.content.startswith(b"%PDF-1.4")
        table = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", answer.content)[1])
        assert answer.content[table:].startswith(b"xref\n")
        for number, offset in enumerate(re.findall(rb"(\d{10}) 00000 n ", answer.content), 1):
            assert answer.content[int(offset) :].startswith(b"%d 0 obj" % number)
        assert ask(f"/v1/Sale{kind}/Download/1").status_code == 404


class TestAccount:
    def test_hello(self, ask, altoviz):
        hello = ask("/Hello").json()
        assert hello["companyName"] == altoviz.company.name
        assert hello["serverTimestamp"] == "2026-09-21T14:13:20Z"

    def test_the_api_version_parameter_breaks_hello(self, ask):
        answer = ask("/Hello?api-version=1")
        assert (answer.status_code, answer.content) == (400, b"")

    def test_settings_have_their_groups(self, ask):
        settings = ask("/v1/Settings").json()
        assert {"company", "general", "eInvoicing"} <= {*settings}
        assert settings["company"]["headOfficeAddress"]["inlineAddress"].endswith("France")

    def test_the_user(self, ask):
        assert ask("/v1/Users/me").json() == ask("/v1/Users/whoami").json()
        assert ask("/v1/Users/me").json()["profile"] == "Api"


class TestPages:
    def test_pages_begin_at_one_and_are_linked_in_headers(self, ask, altoviz):
        altoviz.populate(customers=12)
        all_of_them = [each["id"] for each in altoviz.customers.all()]
        first, second = ask("/v1/Customers"), ask("/v1/Customers?PageIndex=2")
        assert [row["id"] for row in first.json() + second.json()] == all_of_them
        assert [first.headers[name] for name in PAGING] == ["1", "10", "2", "12"]
        assert first.headers["x-page-next"] == "/V1/Customers?PageIndex=2&PageSize=10"
        assert "x-page-prev" not in first.headers
        assert "x-page-next" not in second.headers
        assert second.headers["x-page-prev"].endswith("PageIndex=1&PageSize=10")
        assert ask("/v1/Customers?PageIndex=3").json() == []

    @pytest.mark.parametrize("kind", ["Customers", "Contacts", "Products", "SaleInvoices"])
    def test_page_zero_is_refused(self, ask, kind):
        answer = ask(f"/v1/{kind}?PageIndex=0")
        assert answer.status_code == 400
        message = "'Page Index' must be greater than or equal to '1'."
        assert answer.json() == error([message], "Validation failed")

    @pytest.mark.parametrize("query", ["PageSize=101", "PageSize=0", "PageSize=x", "PageIndex="])
    def test_an_invalid_page_is_refused(self, ask, query):
        assert ask(f"/v1/Products?{query}").status_code == 400

    def test_the_paging_headers_can_be_switched_off(self, ask, altoviz):
        altoviz.behave(paging_headers=False)
        assert not [name for name in ask("/v1/Customers").headers if name.startswith("x-")]

    def test_the_requested_order_is_ignored(self, ask, altoviz):
        altoviz.populate(customers=5)
        assert ask("/v1/Customers?OrderBy=name").json() == ask("/v1/Customers").json()

    def test_a_change_shows_in_lists_at_once(self, ask, altoviz):
        customer = altoviz.customers.create(companyName="Before")
        assert ask("/v1/Customers?query=before").json()
        altoviz.customers.change(customer["id"], companyName="After")
        assert ask("/v1/Customers?query=before").json() == []
        assert ask("/v1/Customers").json()[0]["companyName"] == "After"


class TestFilters:
    def ids(self, ask, target):
        return [row["id"] for row in ask(target).json()]

    def test_customers_by_text(self, ask, altoviz):
        altoviz.customers.create(companyName="Other")
        found = altoviz.customers.create(companyName="X", billingAddress={"city": "Brest"})
        assert self.ids(ask, "/v1/Customers?query=BREST") == [found["id"]]

    def test_products_by_family(self, ask, altoviz):
        family = {"id": 915, "label": "Moules", "number": "MOU"}
        altoviz.products.create()
        found = altoviz.products.create(name="X", family=family)
        assert self.ids(ask, "/v1/Products?familyId=915") == [found["id"]]

    @pytest.mark.parametrize("kind", ["invoices", "quotes", "credits"])
    def test_documents_by_date_and_customer(self, ask, altoviz, kind):
        first, second = altoviz.customers.create()["id"], altoviz.customers.create()["id"]
        january, march = (
            getattr(altoviz, kind).create(customerId=customer, date=date)["id"]
            for customer, date in [(first, "2026-01-31"), (second, "2026-03-01")]
        )
        path = f"/v1/Sale{kind.title()}"
        assert self.ids(ask, f"{path}?From=2026-02-01") == [march]
        assert self.ids(ask, f"{path}?To=2026-01-31") == [january]
        assert self.ids(ask, f"{path}?CustomerId={second}") == [march]
        assert ask(f"{path}?From=yesterday").status_code == 400
        assert ask(f"{path}?CustomerId=x").status_code == 400

    def test_cancelled_invoices_are_hidden(self, ask, altoviz):
        invoice = altoviz.invoices.create()["id"]
        altoviz.invoices.finalize(invoice)
        altoviz.invoices.cancel(invoice)
        assert self.ids(ask, "/v1/SaleInvoices") == []
        assert self.ids(ask, "/v1/SaleInvoices?IncludeCancelled=false") == []
        assert self.ids(ask, "/v1/SaleInvoices?IncludeCancelled=True") == [invoice]

    def test_invoices_by_status(self, ask, altoviz):
        draft, incoming, expired, paid, sent = (
            altoviz.invoices.create(date=date)["id"]
            for date in ["2026-09-01", "2026-09-01", "2026-01-01", "2026-01-01", "2026-09-01"]
        )
        for id in (incoming, expired, paid, sent):
            altoviz.invoices.finalize(id)
        altoviz.invoices.pay(paid)
        altoviz.invoices.send(sent)
        for status, expected in {
            "Draft": [draft],
            "incoming": [incoming, sent],
            "Expired": [expired],
            "Paid": [paid],
            "ToSend": [incoming, expired, paid],
        }.items():
            assert self.ids(ask, f"/v1/SaleInvoices?Status={status}") == expected
        assert ask("/v1/SaleInvoices?Status=Overdue").status_code == 400

    def test_filtering_quotes_by_status_fails_as_at_altoviz(self, ask, altoviz):
        quote = altoviz.quotes.create()["id"]
        assert self.ids(ask, "/v1/SaleQuotes?Status=Refused") == [quote]
        for name in ("Status.Status", "Status.Status.Status"):
            answer = ask(f"/v1/SaleQuotes?{name}=Pending")
            assert answer.status_code == 500
            assert answer.json() == error(["Une erreur est survenue."], "Internal error")


class TestShapes:
    def test_lists_can_omit_lines(self, ask, altoviz):
        invoice = altoviz.invoices.create()["id"]
        assert ask("/v1/SaleInvoices").json()[0]["lines"]
        altoviz.behave(lines_in_lists=False)
        assert ask("/v1/SaleInvoices").json()[0]["lines"] is None
        assert ask(f"/v1/SaleInvoices/{invoice}").json()["lines"]

    def test_unknown_fields_can_be_added(self, ask, altoviz):
        altoviz.products.create()
        known = {*ask("/v1/Products").json()[0]}
        altoviz.behave(unknown_fields=True)
        assert {*ask("/v1/Products").json()[0]} - known == {"colorOfTheYear"}

    def test_legacy_objects_have_fewer_fields_and_other_types(self, ask, altoviz):
        customer = altoviz.customers.create(companyName="A", companyInformations={"siret": "0"})
        product = altoviz.products.create()
        lines = [{"productId": product["id"]}]
        invoice = altoviz.invoices.create(lines=lines)
        altoviz.behave(legacy=True)
        old = ask(f"/v1/Customers/{customer['id']}").json()
        assert old["type"] == "Company"
        assert not {"name", "active", "family", "internalId"} & {*old}
        assert {*old["companyInformations"]} == {"siret", "vatNumber"}
        old = ask(f"/v1/SaleInvoices/{invoice['id']}").json()
        assert not {"vats", "metadata", "sentAt", "eInvoicingStatus"} & {*old}
        (line,) = old["lines"]
        assert line["product"]["name"] == product["name"]
        assert "imageUrl" not in line["product"]
        assert line["unit"]["name"] == "Unité"


class TestQuota:
    def test_the_hundred_and_first_request_is_refused(self, ask, altoviz, clock):
        for _ in range(100):
            assert ask("/Hello").status_code == 200
            clock.now += 0.125
        answer = ask("/Hello")
        assert answer.status_code == 429
        assert "content-type" not in answer.headers
        assert answer.text.startswith("API calls quota exceeded!")
        assert answer.headers["retry-after"] == "47500"
        clock.now += 47.5
        assert ask("/Hello").status_code == 200
        assert ask("/Hello").status_code == 429

    def test_the_limit_and_the_unit_of_retry_after_can_be_changed(self, ask, altoviz, clock):
        altoviz.behave(quota=1, quota_seconds=10, retry_after="seconds")
        ask("/Hello")
        clock.now += 0.5
        assert ask("/Hello").headers["retry-after"] == "10"

    def test_the_limit_can_be_lowered(self, ask, altoviz, clock):
        for _ in range(5):
            ask("/Hello")
            clock.now += 1
        altoviz.behave(quota=2)
        assert ask("/Hello").headers["retry-after"] == "58000"
        altoviz.behave(quota=0)
        assert ask("/Hello").headers["retry-after"] == "60000"

    def test_the_limit_can_be_switched_off(self, ask, altoviz):
        altoviz.behave(quota=None)
        assert {ask("/Hello").status_code for _ in range(110)} == {200}

    def test_a_request_with_a_wrong_key_does_not_count(self, ask, altoviz):
        altoviz.behave(quota=1)
        ask("/Hello", headers={})
        assert ask("/Hello").status_code == 200


class TestFaults:
    def test_faults_happen_in_the_given_order(self, ask, altoviz):
        altoviz.fail_next("reset", "break off", "drip", 429, 500, 503)
        with pytest.raises(requests.ConnectionError):
            ask("/Hello")
        with pytest.raises(requests.RequestException):
            ask("/Hello")
        assert ask("/Hello").json()["companyName"]
        refusals = [ask("/Hello") for _ in range(3)]
        assert [answer.status_code for answer in refusals] == [429, 500, 503]
        assert refusals[0].headers["retry-after"] == "1000"
        assert refusals[1].json() == error([], "An error occured")
        assert ask("/Hello").status_code == 200

    def test_an_unknown_fault_is_refused(self, altoviz):
        with pytest.raises(ValueError, match="'explode' is not a fault"):
            altoviz.fail_next("explode")


class TestRequests:
    def test_requests_are_recorded(self, ask, altoviz):
        ask("/v1/Customers?PageIndex=2")
        (request,) = altoviz.requests
        assert (request.method, request.path) == ("GET", "/v1/Customers")
        assert request.query == {"pageindex": "2"}

    def test_the_key_is_not_in_the_repr(self, ask, altoviz):
        ask(f"/Hello?apikey={altoviz.api_key}")
        assert altoviz.api_key not in repr(altoviz.requests)


class TestSwitches:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"signature": "rot13"},
            {"drop": 1.5},
            {"reorder": -0.1},
            {"delay": "often"},
            {"list_lag": 2},
            {"legacy": "yes"},
        ],
    )
    def test_an_invalid_value_is_refused(self, wrong):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Behaviour(**wrong)

    def test_values_may_come_from_json(self):
        read = Behaviour(list_lag=[Decimal("0.5"), 1], delay=Decimal("0.1"), quota_seconds=5)
        assert (read.list_lag, read.delay, read.quota_seconds) == ((0.5, 1.0), 0.1, 5.0)
        assert Behaviour(list_lag=()).list_lag == (0.0,)

    def test_an_unknown_switch_is_refused(self, altoviz):
        with pytest.raises(TypeError, match="weather"):
            altoviz.behave(weather="fine")


def test_a_long_list_can_be_read_completely():
    with FakeAltoviz(behaviour=Behaviour(quota=None)) as altoviz:
        altoviz.populate(customers=1_000)
        headers = {"X-API-KEY": altoviz.api_key}
        with requests.Session() as session:
            url = f"{altoviz.url}/v1/Customers?PageSize=100&PageIndex="
            pages = [session.get(f"{url}{n}", headers=headers) for n in range(1, 11)]
        assert {row["id"] for page in pages for row in page.json()} == {
            each["id"] for each in altoviz.customers.all()
        }


def test_a_client_that_resets_the_connection_leaves_no_traceback(altoviz, capsys):
    host, port = altoviz.url.removeprefix("http://").split(":")
    others = {*threading.enumerate()}
    connection = socket.create_connection((host, int(port)))
    connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert connection.recv(12) == b"HTTP/1.1 404"
    # With a linger time of zero, close() sends RST instead of FIN.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    give_up_at = time.monotonic() + 60
    while "process_request_thread" in str({*threading.enumerate()} - others):
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
    assert capsys.readouterr().err == ""


def test_a_fake_that_was_never_started_frees_its_port():
    altoviz = FakeAltoviz()
    port = int(altoviz.url.rpartition(":")[2])
    altoviz.stop()
    with FakeAltoviz(port=port) as other:
        assert requests.get(f"{other.url}/Hello", timeout=10).status_code == 401


class TestWebPages:
    """A page in the developer's browser is not to use the fake, whoever it is from."""

    @pytest.mark.parametrize("path", ["/v1/Webhooks", "/Hello", "/fake/customers"])
    @pytest.mark.parametrize(
        "headers",
        [
            {"Host": "rebound.evil.example"},
            {"Host": "127.0.0.1.evil.example:80"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
        ],
    )
    def test_are_refused_on_every_path(self, altoviz, path, headers):
        url = f"{altoviz.url}{path}?apikey={altoviz.api_key}"
        for method in ("GET", "POST", "DELETE"):
            answer = requests.request(method, url, headers=headers, data=b"{}", timeout=30)
            assert answer.status_code == 403
        assert requests.get(f"{altoviz.url}/Hello?apikey={altoviz.api_key}", timeout=30).ok

    @pytest.mark.parametrize("length", ["x", "-1", "1e3", "9" * 30])
    def test_a_length_that_is_no_number_is_refused(self, altoviz, length):
        host, port = altoviz.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), 30) as connection:
            head = f"POST /Hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.makefile("rb").readline().startswith(b"HTTP/1.1 400")
