"""The paths by which somebody makes things happen at a fake in another process."""

from __future__ import annotations

import pytest

from django_altoviz.testing import Behaviour, FakeAltoviz
from django_altoviz.testing.fake.activity import Activity


@pytest.fixture
def tell(ask):
    """Ask without a key, and give what is answered."""

    def tell(method, path, value=None, status=200):
        answer = ask(f"/fake{path}", method, headers={}, json=value)
        assert answer.status_code == status, answer.text
        return answer.json()

    return tell


def test_objects_are_created_changed_and_deleted(tell, altoviz):
    made = tell("POST", "/customers", {"companyName": "A"})
    assert tell("PATCH", f"/customers/{made['id']}", {"email": "a@b.example"})["companyName"] == "A"
    assert tell("GET", f"/customers/{made['id']}")["email"] == "a@b.example"
    assert [each["id"] for each in tell("GET", "/customers")] == [made["id"]]
    tell("DELETE", f"/customers/{made['id']}")
    assert len(altoviz.customers) == 0


def test_what_is_not_said_is_invented(tell):
    assert tell("POST", "/invoices")["customerName"]


def test_an_invoice_goes_its_way(tell):
    id = tell("POST", "/invoices")["id"]
    assert tell("POST", f"/invoices/{id}/finalize")["number"] == "FA001001"
    assert tell("POST", f"/invoices/{id}/send")["sentAt"]
    assert not tell("POST", f"/invoices/{id}/pay", {"amount": 0.01})["isPaid"]
    assert tell("POST", f"/invoices/{id}/pay")["isPaid"]
    assert tell("POST", f"/invoices/{id}/cancel")["isCancelled"]


def test_a_quote_goes_its_way(tell):
    id = tell("POST", "/quotes")["id"]
    assert tell("POST", f"/quotes/{id}/send")["status"] == "Sent"
    assert tell("POST", f"/quotes/{id}/accept")["acceptedAt"]
    assert tell("POST", f"/quotes/{id}/invoice")["isDraft"]
    tell("POST", f"/quotes/{id}/refuse", status=409)


def test_what_cannot_be_is_refused_with_the_reason(tell):
    assert tell("GET", "/quotes/5", status=404)["message"] == "Quote with ID 5 not found."
    assert "emial" in tell("POST", "/customers", {"emial": "x"}, status=400)["message"]
    id = tell("POST", "/products", {"name": "x"})["id"]
    answer = tell("PATCH", f"/products/{id}", {"unitPrice": "x"}, status=400)
    assert answer["message"] == "This is not understood: 'x' is no number."
    tell("POST", f"/products/{id}/explode", status=404)
    tell("PATCH", f"/products/{id}", [1], status=400)
    tell("POST", "/customers", {"billingAddress": 5}, status=400)
    tell("POST", "/invoices", {"lines": [{"discount": 5, "taxExcludedPrice": 1}]}, status=400)


def test_switches_are_turned(tell, altoviz):
    assert tell("PATCH", "/behaviour", {"drop": 0.1, "list_lag": [0, 1.5]})["drop"] == 0.1
    assert altoviz.behaviour == Behaviour(drop=0.1, list_lag=(0.0, 1.5))
    assert tell("GET", "/behaviour")["quota"] == 100
    tell("PATCH", "/behaviour", {"drop": 7}, status=400)
    tell("PATCH", "/behaviour", {"weather": "fine"}, status=400)


def test_requests_are_made_to_fail(tell, ask):
    tell("POST", "/faults", [503])
    assert ask("/Hello").status_code == 503
    tell("POST", "/faults", ["explode"], status=400)


def test_deliveries_are_shown(tell, altoviz):
    altoviz.webhooks.register("http://127.0.0.1:9/", "secret")
    product = altoviz.products.create()
    altoviz.wait()
    (delivery,) = tell("GET", "/deliveries")
    assert delivery["type"] == "ProductCreated"
    assert delivery["object"] == product["id"]
    assert delivery["status"] is None
    assert "ConnectionRefusedError" in delivery["error"]


def test_it_says_what_it_understands(ask):
    answer = ask("/fake", headers={})
    assert answer.status_code == 200
    assert "/fake/invoices/{id}/finalize" in answer.text
    assert ask("/fake/nowhere", headers={}).status_code == 404
    assert ask("/fake/customers", "PUT", headers={}).text == answer.text


def test_a_page_in_a_browser_is_refused(ask, altoviz):
    answer = ask("/fake/customers", "POST", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert len(altoviz.customers) == 0


def test_it_costs_nothing_of_the_quota(tell, ask, altoviz):
    altoviz.behave(quota=1)
    tell("GET", "/behaviour")
    assert ask("/Hello").status_code == 200


class TestActivity:
    def test_everything_happens_in_the_course_of_time(self, altoviz):
        told = []
        altoviz.company.tell = lambda type, value: told.append((type, value))
        activity = Activity(altoviz)
        for _ in range(400):
            activity.step()
        assert {type.value for type, _ in told} >= {
            "ContactCreated",
            "CustomerUpdated",
            "ProductUpdated",
            "InvoiceUpdated",
            "InvoiceDeleted",
            "QuoteUpdated",
        }
        assert {each["status"] for each in altoviz.quotes.all()} >= {"Refused", "Invoiced"}
        invoices = [*altoviz.invoices.all()]
        assert any(each["isCancelled"] for each in invoices)
        assert any(each["isPaid"] and not each["isCancelled"] for each in invoices)

    def test_what_somebody_else_has_ended_stops_nothing(self, altoviz):
        activity = Activity(altoviz, seed=1)
        for _ in range(100):
            activity.step()
            for quote in [*altoviz.quotes.all()]:
                altoviz.quotes.delete(quote["id"])
        assert len(altoviz.customers) > 0

    def test_the_same_seed_does_the_same(self, clock):
        def course(seed):
            with FakeAltoviz(clock=clock) as altoviz:
                activity = Activity(altoviz, seed)
                for _ in range(50):
                    activity.step()
                return [[*records.all()] for records in altoviz.company.records]

        assert course(1) == course(1) != course(2)
