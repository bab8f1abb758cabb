"""Deliveries of the fake to a webhook over HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time

import pytest

from django_altoviz.event_types import EventType
from django_altoviz.intake import signing
from django_altoviz.intake.envelopes import parse_envelope
from django_altoviz.testing import Behaviour, FakeAltoviz
from tests.client.scripted import Answer, ScriptedServer

SECRET = "secret-é"


@pytest.fixture
def receiver():
    with ScriptedServer(Answer(200)) as server:
        yield server


@pytest.fixture
def altoviz(receiver):
    with FakeAltoviz() as altoviz:
        altoviz.webhooks.register(f"{receiver.url}/hook/?a=1", SECRET)
        yield altoviz


def arrivals(receiver):
    """Return the event type and the object id of each delivery, in the order of arrival."""
    envelopes = [parse_envelope(request.body) for request in receiver.received]
    return [(envelope.type, envelope.object_id) for envelope in envelopes]


class TestDelivery:
    def test_a_delivery_is_a_signed_post_as_observed(self, altoviz, receiver):
        product = altoviz.products.create(name="Œillet")
        altoviz.wait()
        (request,) = receiver.received
        assert (request.method, request.path, request.query) == ("POST", "/hook/", {"a": "1"})
        assert [*request.headers] == ["Host", "Content-Type", "X-Signature", "Content-Length"]
        assert request.headers["Content-Type"] == "text/plain; charset=utf-8"
        digest = hmac.new(SECRET.encode(), request.body, hashlib.sha256)
        assert request.headers["X-Signature"] == digest.hexdigest()
        body = json.loads(request.body)
        assert [*body] == ["id", "type", "data"]
        assert len(body["id"]) == 29
        assert body["data"] == json.loads(json.dumps(product, default=float))
        assert "Œillet".encode() in request.body

    def test_each_delivery_is_kept_with_its_result(self, altoviz, receiver):
        receiver.answers = [Answer(200), Answer(503)]
        first, second = altoviz.products.create(), altoviz.products.create()
        deliveries = altoviz.wait()
        assert [each.object_id for each in deliveries] == [first["id"], second["id"]]
        assert [each.status for each in deliveries] == [200, 503]
        assert [each.was_accepted for each in deliveries] == [True, False]
        assert deliveries[0].type == EventType.PRODUCT_CREATED
        assert SECRET not in repr(deliveries)

    @pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://[bad/", "https://127.0.0.1:9/"])
    def test_a_failed_delivery_has_its_error_and_does_not_stop_others(self, altoviz, receiver, url):
        altoviz.webhooks.register(url, SECRET, types=["ProductCreated"])
        altoviz.products.create()
        altoviz.products.create()
        failed = [each for each in altoviz.wait() if each.url == url]
        assert [each.status for each in failed] == [None, None]
        assert all(each.error for each in failed)
        assert len(receiver.received) == 2

    def test_an_event_goes_to_the_webhooks_that_subscribe_to_it(self, altoviz, receiver):
        altoviz.webhooks.unregister()
        altoviz.webhooks.register(f"{receiver.url}/c/", SECRET, types=["CustomerCreated"])
        altoviz.customers.create()
        altoviz.wait()
        assert [request.path for request in receiver.received] == ["/c/"]

    def test_changing_objects_does_not_wait_for_deliveries(self, altoviz, receiver):
        entered, go_on = threading.Event(), threading.Event()

        def slow(request):
            entered.set()
            go_on.wait(10)
            return Answer(200)

        receiver.answers = [slow]
        altoviz.products.create()
        assert entered.wait(10)
        altoviz.products.create()  # would never return if it waited
        assert len(altoviz.products) == 2
        go_on.set()
        assert len(altoviz.wait()) == 2

    def test_a_receiver_can_use_the_api_during_a_delivery(self, altoviz, receiver):
        import requests

        def ask(request):
            product = parse_envelope(request.body).object_id
            headers = {"X-API-KEY": altoviz.api_key}
            url = f"{altoviz.url}/v1/Products/{product}"
            return Answer(requests.get(url, headers=headers, timeout=10).status_code)

        receiver.answers = [ask]
        altoviz.products.create()
        assert [each.status for each in altoviz.wait()] == [200]


class TestSwitches:
    @pytest.mark.parametrize(
        ("encoding", "decode"),
        [
            ("hex", bytes.fromhex),
            ("HEX", bytes.fromhex),
            ("dashed", lambda text: bytes.fromhex(text.replace("-", ""))),
            ("base64", base64.b64decode),
            ("base64url", lambda text: base64.urlsafe_b64decode(text + "=")),
        ],
    )
    def test_the_signature_can_have_another_encoding(self, altoviz, receiver, encoding, decode):
        altoviz.behave(signature=encoding)
        altoviz.products.create()
        altoviz.wait()
        (request,) = receiver.received
        assert decode(request.headers["X-Signature"]) == signing.digest(request.body, SECRET)

    def test_without_a_secret_there_is_no_signature(self, altoviz, receiver):
        altoviz.webhooks.unregister()
        altoviz.webhooks.register(receiver.url)
        altoviz.products.create()
        altoviz.wait()
        assert "X-Signature" not in receiver.received[0].headers
        assert receiver.received[0].path == "/"

    @pytest.mark.parametrize(("type", "expected"), [("application/json",) * 2, (None, None)])
    def test_the_content_type_and_the_user_agent_can_be_set(
        self, altoviz, receiver, type, expected
    ):
        altoviz.behave(content_type=type, user_agent="Altoviz/2")
        altoviz.products.create()
        altoviz.wait()
        assert receiver.received[0].headers.get("Content-Type") == expected
        assert receiver.received[0].headers["User-Agent"] == "Altoviz/2"

    @pytest.mark.parametrize("left", ["full", "id", "null"])
    def test_the_switch_decides_what_a_deletion_contains(self, altoviz, receiver, left):
        altoviz.behave(deleted_data=left)
        product = altoviz.products.create()
        altoviz.products.delete(product["id"])
        altoviz.wait()
        data = json.loads(receiver.received[1].body)["data"]
        if left == "full":
            assert data["name"] == product["name"]
        else:
            assert data == {"id": {"id": product["id"]}, "null": None}[left]

    def test_the_event_id_can_be_that_of_the_webhook(self, altoviz, receiver):
        altoviz.behave(event_ids="webhook")
        (webhook,) = altoviz.webhooks.registered()
        altoviz.products.create()
        altoviz.products.create()
        altoviz.wait()
        ids = [json.loads(request.body)["id"] for request in receiver.received]
        assert ids == [str(webhook.id)] * 2

    def test_the_switches_for_shapes_apply_to_events_too(self, altoviz, receiver):
        altoviz.behave(legacy=True, unknown_fields=True)
        altoviz.customers.create(companyName="A")
        altoviz.wait()
        data = json.loads(receiver.received[0].body)["data"]
        assert data["type"] == "Company"
        assert "colorOfTheYear" in data
        assert "active" not in data


class TestFaults:
    def test_order_is_kept_by_default(self, altoviz, receiver):
        product = altoviz.products.create()["id"]
        for number in range(30):
            altoviz.products.change(product, number=str(number))
        altoviz.wait()
        numbers = [json.loads(request.body)["data"]["number"] for request in receiver.received]
        assert numbers[1:] == [str(number) for number in range(30)]

    def test_events_can_be_dropped(self, altoviz, receiver):
        altoviz.behave(drop=1)
        altoviz.products.create()
        assert altoviz.wait() == []
        assert receiver.received == []

    def test_events_can_be_duplicated(self, altoviz, receiver):
        altoviz.behave(duplicate=1)
        altoviz.products.create()
        altoviz.wait()
        first, second = receiver.received
        assert first.body == second.body

    def test_reordered_events_come_late_but_they_come(self, altoviz, receiver):
        altoviz.behave(reorder=0.5)
        made = [altoviz.products.create()["id"] for _ in range(30)]
        altoviz.wait()
        arrived = [id for _, id in arrivals(receiver)]
        assert arrived != made
        assert sorted(arrived) == made
        # Each is at most three places late, and later ones move up as much.
        assert all(
            made.index(id) - 6 <= place <= made.index(id) + 6 for place, id in enumerate(arrived)
        )

    def test_an_event_that_is_held_back_comes_even_if_no_other_follows(self, altoviz, receiver):
        altoviz.behave(reorder=1)
        altoviz.products.create()
        give_up_at = time.monotonic() + 60
        while not receiver.received and time.monotonic() < give_up_at:
            time.sleep(0.01)
        assert len(receiver.received) == 1

    def test_a_delay_holds_up_all_later_events(self, altoviz, receiver):
        altoviz.behave(delay=1, delay_seconds=0.02)
        made = [altoviz.products.create()["id"] for _ in range(5)]
        deliveries = altoviz.wait()
        assert all(0 < each.pause <= 0.02 for each in deliveries)
        assert [id for _, id in arrivals(receiver)] == made

    def test_the_same_seed_injects_the_same_faults(self, receiver):
        def results(seed):
            receiver.received.clear()
            behaviour = Behaviour(drop=0.2, duplicate=0.3, reorder=0.3)
            with FakeAltoviz(seed=seed, behaviour=behaviour) as altoviz:
                altoviz.webhooks.register(receiver.url, SECRET)
                for _ in range(20):
                    altoviz.customers.create()
                altoviz.wait()
            return arrivals(receiver)

        assert results(3) == results(3) != results(4)

    def test_stopping_delivers_all_events_first(self, receiver):
        with FakeAltoviz(behaviour=Behaviour(reorder=1)) as altoviz:
            altoviz.webhooks.register(receiver.url, SECRET)
            altoviz.products.create()
        assert len(receiver.received) == 1
