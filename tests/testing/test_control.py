"""The control API: drive a fake that runs in another process."""

from __future__ import annotations

import pytest

from django_altoviz.testing import Behaviour, FakeAltoviz
from django_altoviz.testing.fake.activity import Activity


@pytest.fixture
def control(ask):
    """Send a control request without a key, check the status and return the answer."""

    def control(method, path, value=None, status=200):
        answer = ask(f"/fake{path}", method, headers={}, json=value)
        assert answer.status_code == status, answer.text
        return answer.json()

    return control


def test_objects_can_be_created_changed_and_deleted(control, altoviz):
    made = control("POST", "/customers", {"companyName": "A"})
    assert (
        control("PATCH", f"/customers/{made['id']}", {"email": "a@b.example"})["companyName"] == "A"
    )
    assert control("GET", f"/customers/{made['id']}")["email"] == "a@b.example"
    assert [each["id"] for each in control("GET", "/customers")] == [made["id"]]
    control("DELETE", f"/customers/{made['id']}")
    assert len(altoviz.customers) == 0


def test_creating_without_a_body_invents_the_object(control):
    assert control("POST", "/invoices")["customerName"]


def test_an_invoice_can_be_finalized_sent_paid_and_cancelled(control):
    id = control("POST", "/invoices")["id"]
    assert control("POST", f"/invoices/{id}/finalize")["number"] == "FA001001"
    assert control("POST", f"/invoices/{id}/send")["sentAt"]
    assert not control("POST", f"/invoices/{id}/pay", {"amount": 0.01})["isPaid"]
    assert control("POST", f"/invoices/{id}/pay")["isPaid"]
    assert control("POST", f"/invoices/{id}/cancel")["isCancelled"]


def test_a_quote_can_be_sent_accepted_and_invoiced(control):
    id = control("POST", "/quotes")["id"]
    assert control("POST", f"/quotes/{id}/send")["status"] == "Sent"
    assert control("POST", f"/quotes/{id}/accept")["acceptedAt"]
    assert control("POST", f"/quotes/{id}/invoice")["isDraft"]
    control("POST", f"/quotes/{id}/refuse", status=409)


def test_a_credit_can_be_finalized_sent_and_refunded(control):
    id = control("POST", "/credits")["id"]
    assert control("POST", f"/credits/{id}/finalize")["number"] == "AV001001"
    assert control("POST", f"/credits/{id}/send")["sentAt"]
    assert not control("POST", f"/credits/{id}/refund", {"amount": 0.01})["isPaid"]
    assert control("POST", f"/credits/{id}/refund")["isPaid"]


def test_an_impossible_request_is_refused_with_the_reason(control):
    assert control("GET", "/quotes/5", status=404)["message"] == "Quote with ID 5 not found."
    assert "emial" in control("POST", "/customers", {"emial": "x"}, status=400)["message"]
    id = control("POST", "/products", {"name": "x"})["id"]
    answer = control("PATCH", f"/products/{id}", {"unitPrice": "x"}, status=400)
    assert answer["message"] == "Invalid request: 'x' is not a number."
    control("POST", f"/products/{id}/explode", status=404)
    control("PATCH", f"/products/{id}", [1], status=400)
    control("POST", "/customers", {"billingAddress": 5}, status=400)
    control("POST", "/invoices", {"lines": [{"discount": 5, "taxExcludedPrice": 1}]}, status=400)


def test_switches_can_be_set(control, altoviz):
    assert control("PATCH", "/behaviour", {"drop": 0.1, "list_lag": [0, 1.5]})["drop"] == 0.1
    assert altoviz.behaviour == Behaviour(drop=0.1, list_lag=(0.0, 1.5))
    assert control("GET", "/behaviour")["quota"] == 100
    control("PATCH", "/behaviour", {"drop": 7}, status=400)
    control("PATCH", "/behaviour", {"weather": "fine"}, status=400)


def test_faults_can_be_set(control, ask):
    control("POST", "/faults", [503])
    assert ask("/Hello").status_code == 503
    control("POST", "/faults", ["explode"], status=400)


def test_deliveries_are_listed_with_their_results(control, altoviz):
    altoviz.webhooks.register("http://127.0.0.1:9/", "secret")
    product = altoviz.products.create()
    altoviz.wait()
    (delivery,) = control("GET", "/deliveries")
    assert delivery["type"] == "ProductCreated"
    assert delivery["object"] == product["id"]
    assert delivery["status"] is None
    assert "ConnectionRefusedError" in delivery["error"]


def test_the_help_lists_the_routes(ask):
    answer = ask("/fake", headers={})
    assert answer.status_code == 200
    assert "/fake/invoices/{id}/finalize" in answer.text
    assert ask("/fake/nowhere", headers={}).status_code == 404
    assert ask("/fake/customers", "PUT", headers={}).text == answer.text


def test_a_request_from_a_web_page_is_refused(ask, altoviz):
    answer = ask("/fake/customers", "POST", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert len(altoviz.customers) == 0


def test_control_requests_do_not_count_against_the_rate_limit(control, ask, altoviz):
    altoviz.behave(quota=1)
    control("GET", "/behaviour")
    assert ask("/Hello").status_code == 200


class TestActivity:
    def test_every_kind_of_change_happens_sooner_or_later(self, altoviz):
        emitted = []
        altoviz.company.context.emit = lambda type, value: emitted.append((type, value))
        activity = Activity(altoviz)
        for _ in range(400):
            activity.step()
        assert {type.value for type, _ in emitted} >= {
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

    def test_deletions_by_others_do_not_stop_it(self, altoviz):
        activity = Activity(altoviz, seed=1)
        for _ in range(100):
            activity.step()
            for quote in [*altoviz.quotes.all()]:
                altoviz.quotes.delete(quote["id"])
        assert len(altoviz.customers) > 0

    def test_the_same_seed_gives_the_same_history(self, clock):
        def history(seed):
            with FakeAltoviz(clock=clock) as altoviz:
                activity = Activity(altoviz, seed)
                for _ in range(50):
                    activity.step()
                return [[*records.all()] for records in altoviz.company.records.values()]

        assert history(1) == history(1) != history(2)
