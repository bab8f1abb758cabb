"""How the fake's events arrive at a receiver over HTTP."""

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


def happened(receiver):
    """(type, id of the object) of what arrived, in order."""
    envelopes = [parse_envelope(request.body) for request in receiver.received]
    return [(envelope.type, envelope.object_id) for envelope in envelopes]


class TestDelivery:
    def test_is_what_was_observed(self, altoviz, receiver):
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

    def test_is_kept_with_its_result(self, altoviz, receiver):
        receiver.answers = [Answer(200), Answer(503)]
        first, second = altoviz.products.create(), altoviz.products.create()
        deliveries = altoviz.wait()
        assert [each.object_id for each in deliveries] == [first["id"], second["id"]]
        assert [each.status for each in deliveries] == [200, 503]
        assert [each.was_accepted for each in deliveries] == [True, False]
        assert deliveries[0].type == EventType.PRODUCT_CREATED
        assert SECRET not in repr(deliveries)

    @pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://[bad/", "https://127.0.0.1:9/"])
    def test_one_that_fails_says_why_and_stops_nothing(self, altoviz, receiver, url):
        altoviz.webhooks.register(url, SECRET, types=["ProductCreated"])
        altoviz.products.create()
        altoviz.products.create()
        failed = [each for each in altoviz.wait() if each.url == url]
        assert [each.status for each in failed] == [None, None]
        assert all(each.error for each in failed)
        assert len(receiver.received) == 2

    def test_goes_to_those_who_want_it(self, altoviz, receiver):
        altoviz.webhooks.unregister()
        altoviz.webhooks.register(f"{receiver.url}/c/", SECRET, types=["CustomerCreated"])
        altoviz.customers.create()
        altoviz.wait()
        assert [request.path for request in receiver.received] == ["/c/"]

    def test_does_not_hold_up_what_happens(self, altoviz, receiver):
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

    def test_its_receiver_can_ask_the_api(self, altoviz, receiver):
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
    def test_the_signatures_encoding(self, altoviz, receiver, encoding, decode):
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
    def test_the_content_type(self, altoviz, receiver, type, expected):
        altoviz.behave(content_type=type, user_agent="Altoviz/2")
        altoviz.products.create()
        altoviz.wait()
        assert receiver.received[0].headers.get("Content-Type") == expected
        assert receiver.received[0].headers["User-Agent"] == "Altoviz/2"

    @pytest.mark.parametrize("left", ["full", "id", "null"])
    def test_what_is_left_of_a_deleted_object(self, altoviz, receiver, left):
        altoviz.behave(deleted_data=left)
        product = altoviz.products.create()
        altoviz.products.delete(product["id"])
        altoviz.wait()
        data = json.loads(receiver.received[1].body)["data"]
        if left == "full":
            assert data["name"] == product["name"]
        else:
            assert data == {"id": {"id": product["id"]}, "null": None}[left]

    def test_the_id_can_be_the_webhooks(self, altoviz, receiver):
        altoviz.behave(event_ids="webhook")
        (webhook,) = altoviz.webhooks.registered()
        altoviz.products.create()
        altoviz.products.create()
        altoviz.wait()
        ids = [json.loads(request.body)["id"] for request in receiver.received]
        assert ids == [str(webhook.id)] * 2

    def test_shapes_hold_for_events_too(self, altoviz, receiver):
        altoviz.behave(legacy=True, unknown_fields=True)
        altoviz.customers.create(companyName="A")
        altoviz.wait()
        data = json.loads(receiver.received[0].body)["data"]
        assert data["type"] == "Company"
        assert "colorOfTheYear" in data
        assert "active" not in data


class TestWhatGoesWrong:
    def test_order_is_kept_by_default(self, altoviz, receiver):
        product = altoviz.products.create()["id"]
        for number in range(30):
            altoviz.products.change(product, number=str(number))
        altoviz.wait()
        numbers = [json.loads(request.body)["data"]["number"] for request in receiver.received]
        assert numbers[1:] == [str(number) for number in range(30)]

    def test_all_can_be_dropped(self, altoviz, receiver):
        altoviz.behave(drop=1)
        altoviz.products.create()
        assert altoviz.wait() == []
        assert receiver.received == []

    def test_all_can_be_duplicated(self, altoviz, receiver):
        altoviz.behave(duplicate=1)
        altoviz.products.create()
        altoviz.wait()
        first, second = receiver.received
        assert first.body == second.body

    def test_what_is_reordered_comes_later_but_comes(self, altoviz, receiver):
        altoviz.behave(reorder=0.5)
        made = [altoviz.products.create()["id"] for _ in range(30)]
        altoviz.wait()
        arrived = [id for _, id in happened(receiver)]
        assert arrived != made
        assert sorted(arrived) == made
        # Each comes at most three behind where it belongs, and those after it as much earlier.
        assert all(
            made.index(id) - 6 <= place <= made.index(id) + 6 for place, id in enumerate(arrived)
        )

    def test_what_is_held_back_comes_when_nothing_follows(self, altoviz, receiver):
        altoviz.behave(reorder=1)
        altoviz.products.create()
        give_up_at = time.monotonic() + 60
        while not receiver.received and time.monotonic() < give_up_at:
            time.sleep(0.01)
        assert len(receiver.received) == 1

    def test_a_delay_holds_up_all_behind_it(self, altoviz, receiver):
        altoviz.behave(delay=1, delay_seconds=0.02)
        made = [altoviz.products.create()["id"] for _ in range(5)]
        deliveries = altoviz.wait()
        assert all(0 < each.pause <= 0.02 for each in deliveries)
        assert [id for _, id in happened(receiver)] == made

    def test_the_same_seed_draws_the_same_fates(self, receiver):
        def fates(seed):
            receiver.received.clear()
            behaviour = Behaviour(drop=0.2, duplicate=0.3, reorder=0.3)
            with FakeAltoviz(seed=seed, behaviour=behaviour) as altoviz:
                altoviz.webhooks.register(receiver.url, SECRET)
                for _ in range(20):
                    altoviz.customers.create()
                altoviz.wait()
            return happened(receiver)

        assert fates(3) == fates(3) != fates(4)

    def test_what_happened_is_delivered_before_the_end(self, receiver):
        with FakeAltoviz(behaviour=Behaviour(reorder=1)) as altoviz:
            altoviz.webhooks.register(receiver.url, SECRET)
            altoviz.products.create()
        assert len(receiver.received) == 1
