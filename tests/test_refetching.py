"""An account may have events taken as hints: their objects are read again."""

from __future__ import annotations

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache

from django_altoviz.client import AltovizClient
from django_altoviz.event_types import Entity
from django_altoviz.models import Customer, Invoice, Status, WebhookEvent
from django_altoviz.privacy.erasure import erase
from django_altoviz.processing import process
from django_altoviz.signals import customer_updated, invoice_paid, invoice_updated
from tests.client.scripted import Answer, ScriptedServer, json_answer
from tests.conftest import body_of

pytestmark = pytest.mark.django_db

SECRET_KEY = "11111111-2222-3333-4444-555555555555"


class Altoviz:
    """One object as it is at Altoviz now, and what was asked."""

    def __init__(self):
        self.object = {"id": 1, "name": "now"}
        self.asked = []
        self.answer = None

    def __call__(self, request):
        self.asked.append(request.path)
        if self.answer:
            return self.answer
        gone = json_answer({"errors": [], "message": "Customer with ID 1 not found."}, 404)
        return gone if self.object is None else json_answer(self.object)


@pytest.fixture
def altoviz(settings):
    cache.clear()  # the quota
    at = Altoviz()
    with ScriptedServer(at) as server:
        api = {"API_KEY": "key", "BASE_URL": server.url, "REFETCH": True}
        settings.ALTOVIZ = settings.ALTOVIZ | api
        yield at


def store(event_type="CustomerUpdated", account="default", **data):
    body = body_of(event_type, **{"id": 1} | data)
    return WebhookEvent.objects.store(WebhookEvent.from_delivery(body, account, {}))


def statuses():
    return list(WebhookEvent.objects.order_by("pk").values_list("status", flat=True))


def test_what_was_forgotten_is_not_read_again(altoviz):
    process(store())
    erase(Entity.CUSTOMER, 1, "default")
    altoviz.object = {"id": 1, "name": "now", "number": "C2"}
    process(store())
    assert Customer.objects.get().data == {"id": 1, "name": None, "number": "C2"}


def test_the_mirror_shows_what_is_at_altoviz_now_and_the_event_says_so(altoviz):
    event = store(name="then")
    process(event)
    assert altoviz.asked == ["/v1/Customers/1"]
    assert Customer.objects.get().name == "now"
    assert Customer.objects.get().data == altoviz.object
    event.refresh_from_db()
    assert event.envelope.data["name"] == "then"
    assert event.changes["name"] == [None, "now"]
    assert event.arrival["read_again"] == "alive"


def test_the_time_limit_of_a_task_ends_it_while_the_object_is_read(altoviz, monkeypatch):
    def time_is_up(self, *args, **kwargs):
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(AltovizClient, "_send", time_is_up)
    with pytest.raises(SoftTimeLimitExceeded):
        process(store())
    assert statuses() == [Status.FAILED]
    assert not Customer.objects.exists()


def test_a_thread_keeps_one_client_for_an_account(altoviz, monkeypatch):
    clients = []
    create = AltovizClient.for_account.__func__
    counted = classmethod(
        lambda cls, *args, **options: clients.append(create(cls, *args, **options)) or clients[-1]
    )
    monkeypatch.setattr(AltovizClient, "for_account", counted)
    for number in range(3):
        process(store(name=str(number)))
    assert len(clients) == 1


def test_deliveries_in_the_wrong_order_end_right(altoviz):
    process(store(name="newer"))
    process(store(name="older"))
    assert Customer.objects.get().name == "now"


def test_events_that_wait_for_the_same_object_share_a_reading(altoviz):
    told = []

    def listen(changes, **kwargs):
        told.append(changes.get("name"))

    events = [store(name=str(number)) for number in range(3)]
    customer_updated.connect(listen)
    try:
        process(events[0])
    finally:
        customer_updated.disconnect(listen)
    assert len(altoviz.asked) == 1
    assert statuses() == ["processed"] * 3
    assert told == [(None, "now"), None, None]
    assert Customer.objects.get().last_event_id == events[2].pk


def test_an_event_that_came_in_since_is_reason_to_read_again(altoviz):
    process(store(name="1"))
    altoviz.object["name"] = "later"
    process(store(name="2"))
    assert len(altoviz.asked) == 2
    assert Customer.objects.get().name == "later"


@pytest.mark.parametrize("event_type", ["CustomerCreated", "CustomerUpdated"])
@pytest.mark.parametrize(
    "answer", [Answer(404), json_answer({"errors": [], "message": "Gone."}, 404)]
)
def test_what_altoviz_does_not_know_is_no_deletion(altoviz, event_type, answer, caplog):
    """It may be too new to be read, the BASE_URL may be wrong, or the key another company's."""
    process(store(name="1"))
    altoviz.answer = answer
    event = store(event_type, name="payload")
    process(event)
    assert event.status == Status.PROCESSED
    assert Customer.objects.get().name == "payload"
    assert "could not be read again" in caplog.text


def test_a_late_event_of_what_is_gone_does_not_revive_it(altoviz):
    altoviz.object = None
    process(store("CustomerDeleted"))
    late = store(name="last words")
    process(late)
    assert late.status == Status.IGNORED
    assert not Customer.objects.exists()


def test_a_deletion_that_is_late_or_wrong_deletes_nothing(altoviz):
    process(store("CustomerDeleted"))
    assert Customer.objects.get().name == "now"


def test_a_deletion_that_is_true_deletes(altoviz):
    altoviz.object = None
    event = store("CustomerDeleted")
    process(event)
    assert not Customer.objects.exists()
    assert Customer.with_deleted.get().deleted_at
    assert event.arrival["read_again"] == "gone"


def test_a_deleted_object_that_is_seen_alive_is_revived(altoviz):
    altoviz.object = None
    process(store("CustomerDeleted"))
    altoviz.object = {"id": 1, "name": "back"}
    process(store())
    assert Customer.objects.get().name == "back"


def test_a_payment_that_was_undone_is_certain(altoviz):
    heard = []

    def listen(**kwargs):
        heard.append(1)

    invoice_paid.connect(listen)
    try:
        for is_paid in (True, False, True):
            altoviz.object = {"id": 1, "isDraft": False, "isPaid": is_paid}
            process(store("InvoiceUpdated"))
    finally:
        invoice_paid.disconnect(listen)
    assert altoviz.asked[0] == "/v1/SaleInvoices/1"
    assert len(heard) == 2


class TestFallingBack:
    @pytest.fixture(autouse=True)
    def shows_the_payload(self, altoviz, caplog):
        yield
        process(store(name="payload"))
        assert Customer.objects.get().name == "payload"

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(500),
            Answer(401),
            Answer(429, headers={"Retry-After": "36000"}),
            Answer(fault="reset"),
            Answer(body=b"<html>"),
            json_answer([]),
            json_answer({"id": 2}),
            Answer(404),
        ],
        ids=["500", "401", "429", "reset", "html", "list", "another", "no such path"],
    )
    def test_where_altoviz_does_not_answer_as_it_should(self, altoviz, answer):
        altoviz.answer = answer

    def test_within_the_quota(self, altoviz, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_REQUESTS_PER_MINUTE": 1}
        process(store(name="1"))
        assert Customer.objects.get().name == "now"

    def test_without_a_key(self, altoviz, settings):
        settings.ALTOVIZ = {**settings.ALTOVIZ, "API_KEY": ""}

    @pytest.mark.parametrize("key", ["clé-secrète", "two\nlines"])
    def test_with_a_key_that_cannot_be_sent(self, altoviz, settings, key):
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": key}

    def test_whatever_else_goes_wrong(self, altoviz, monkeypatch):
        monkeypatch.setattr(AltovizClient, "get_object", lambda *args: {}["nothing"])

    def test_where_it_is_not_asked_for(self, altoviz, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"REFETCH": False}


class Down(BaseCache):
    def __init__(self, location, params):
        super().__init__(params)

    def add(self, *args, **options):
        raise ConnectionError("Connection refused")


def test_a_cache_that_is_down_stops_no_reading(altoviz, settings):
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.Down"}}
    event = store(name="payload")
    process(event)
    assert (event.status, Customer.objects.get().name) == (Status.PROCESSED, "now")


@pytest.mark.parametrize(
    "key", [SECRET_KEY, f"{SECRET_KEY}\n", f"{SECRET_KEY}é", f"a\n{SECRET_KEY}"]
)
@pytest.mark.parametrize("answer", [None, json_answer({"message": SECRET_KEY}, 401)])
def test_no_key_gets_into_the_database_or_the_log(altoviz, settings, caplog, key, answer):
    settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": key}
    altoviz.answer = answer
    event = store()
    process(event)
    assert event.status == Status.PROCESSED
    event.refresh_from_db()
    assert SECRET_KEY not in f"{vars(event)} {caplog.text}"


def test_an_account_that_is_not_in_the_settings_any_more(altoviz):
    process(store(account="former", name="payload"))
    assert Customer.objects.get().name == "payload"


def test_the_failure_is_in_the_log(altoviz, caplog):
    altoviz.answer = Answer(401)
    process(store())
    assert "could not be read again" in caplog.text
    assert "key" not in caplog.text.replace("API key", "").replace("API_KEY", "")


def test_what_is_read_has_to_fit_too(altoviz):
    altoviz.object["email"] = "a\x00b"
    event = store()
    process(event)
    assert event.status == Status.FAILED
    assert "email: a text with U+0000" in event.error


def test_an_event_that_waits_behind_another_is_not_read_for(altoviz):
    def fail(**kwargs):
        raise RuntimeError

    invoice_updated.connect(fail)
    try:
        altoviz.object = {"id": 1, "lines": []}
        process(store("InvoiceUpdated"))
        assert process(store("InvoiceUpdated")) == []
    finally:
        invoice_updated.disconnect(fail)
    assert len(altoviz.asked) == 1
    assert Invoice.objects.exists()


def test_a_retry_reads_nothing_anew(altoviz):
    calls = []

    def fail_once(instance, changes, **kwargs):
        calls.append((instance.name, changes["name"]))
        if len(calls) == 1:
            raise RuntimeError

    customer_updated.connect(fail_once)
    try:
        process(store(name="then"))
        WebhookEvent.objects.update(next_attempt_at=None)
        process(WebhookEvent.objects.get())
    finally:
        customer_updated.disconnect(fail_once)
    assert calls == [("now", (None, "now"))] * 2
    assert len(altoviz.asked) == 1
