"""Registering webhooks at the fake, with the quirks of Altoviz."""

from __future__ import annotations

import pytest

from django_altoviz.event_types import EventType

URL = "https://shop.example/altoviz/webhook/"
WANTED = {"name": "n", "url": URL, "types": ["InvoiceCreated"], "secretKey": "s"}


@pytest.fixture
def register(ask):
    def register(**changes):
        return ask("/v1/Webhooks", "POST", json=WANTED | changes)

    return register


@pytest.fixture
def listed(ask):
    return lambda: [row["url"] for row in ask("/v1/Webhooks").json()]


def test_the_answer_to_a_registration_has_no_id(register, ask, altoviz, clock):
    answer = register()
    assert answer.status_code == 201
    assert answer.json() == WANTED | {"id": 0}
    clock.now += 2
    (row,) = ask("/v1/Webhooks").json()
    assert row == WANTED | {"id": altoviz.webhooks.registered()[0].id}
    assert row["id"] > 0


def test_the_answer_has_the_id_if_the_switch_is_on(register, altoviz):
    altoviz.behave(tells_webhook_id=True)
    assert register().json()["id"] == altoviz.webhooks.registered()[0].id


def test_the_list_lags_behind(register, listed, ask, clock):
    register()
    assert listed() == []
    clock.now += 2
    assert listed() == [URL]
    assert ask(f"/v1/Webhooks?url={URL}", "DELETE").status_code == 200
    clock.now += 1.9
    assert listed() == [URL]
    clock.now += 0.1
    assert listed() == []


def test_each_request_for_the_list_can_have_another_lag(register, listed, altoviz, clock):
    altoviz.behave(list_lag=(0, 5))
    register()
    assert [listed() for _ in range(4)] == [[URL], [], [URL], []]


def test_deliveries_begin_without_a_lag(register, altoviz):
    register()
    assert altoviz.webhooks.registered()[0].types == {EventType.INVOICE_CREATED}


@pytest.mark.parametrize(("how", "shown"), [("clear", "s"), ("masked", "********"), ("null", None)])
def test_the_switch_decides_how_the_list_shows_secrets(register, ask, altoviz, clock, how, shown):
    altoviz.behave(shows_secrets=how)
    register()
    clock.now += 2
    assert ask("/v1/Webhooks").json()[0]["secretKey"] == shown


def test_the_case_of_fields_and_types_is_ignored(ask, altoviz):
    body = {"NAME": "n", "Url": URL, "types": ["invoicecreated"], "more": 5}
    assert ask("/v1/Webhooks", "POST", json=body).status_code == 201
    (webhook,) = altoviz.webhooks.registered()
    assert (webhook.types, webhook.secret) == ({EventType.INVOICE_CREATED}, None)


@pytest.mark.parametrize(
    "wrong",
    [{"types": ["CreditCreated"]}, {"types": None}, {"name": ""}, {"url": None}, {"types": [5]}],
)
def test_an_invalid_registration_is_refused(register, altoviz, wrong):
    answer = register(**wrong)
    assert answer.status_code == 400
    assert answer.json()["message"] == "Validation failed"
    assert altoviz.webhooks.registered() == []


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"5"])
def test_a_body_that_is_not_a_webhook_is_refused(ask, body):
    assert ask("/v1/Webhooks", "POST", data=body).status_code == 400


def test_a_webhook_can_be_removed_by_its_id(ask, altoviz):
    keep, go = altoviz.webhooks.register(URL), altoviz.webhooks.register(URL)
    assert ask(f"/v1/Webhooks?id={go.id}", "DELETE").json()["id"] == go.id
    assert altoviz.webhooks.registered() == [keep]


def test_removing_an_unknown_webhook_answers_with_problem_json(ask):
    for query in ("id=5", "url=https://x.example"):
        answer = ask(f"/v1/Webhooks?{query}", "DELETE")
        assert answer.status_code == 404
        assert answer.json()["title"] == "Not Found"
    assert ask("/v1/Webhooks?id=x", "DELETE").status_code == 400


def test_removing_without_id_and_url_removes_all(ask, altoviz):
    altoviz.webhooks.register(URL)
    altoviz.webhooks.register("https://other.example/")
    ask("/v1/Webhooks", "DELETE")
    assert altoviz.webhooks.registered() == []


def test_secrets_are_not_in_the_repr(altoviz):
    altoviz.webhooks.register(URL, "top secret")
    assert "top secret" not in repr(altoviz.webhooks.registered())
