"""Refetching: with REFETCH an event is a hint, and its object is read again from the API."""

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
    """A scripted API with one object, which records the paths of the requests."""

    def __init__(self):
        self.object = {"id": 1, "name": "now"}
        self.requested = []
        self.answer = None

    def __call__(self, request):
        self.requested.append(request.path)
        if self.answer:
            return self.answer
        not_found = json_answer({"errors": [], "message": "Customer with ID 1 not found."}, 404)
        return not_found if self.object is None else json_answer(self.object)


@pytest.fixture
def altoviz(settings):
    cache.clear()  # because it holds the count of the rate limit
    altoviz = Altoviz()
    with ScriptedServer(altoviz) as server:
        api = {"API_KEY": "key", "BASE_URL": server.url, "REFETCH": True}
        settings.ALTOVIZ = settings.ALTOVIZ | api
        yield altoviz


def store(event_type="CustomerUpdated", account="default", **data):
    body = body_of(event_type, **{"id": 1} | data)
    return WebhookEvent.objects.store(WebhookEvent.from_delivery(body, account, {}))


def statuses():
    return list(WebhookEvent.objects.order_by("pk").values_list("status", flat=True))


def test_an_erased_object_gets_no_personal_data_from_a_refetch(altoviz):
    process(store())
    erase(Entity.CUSTOMER, 1, "default")
    altoviz.object = {"id": 1, "name": "now", "number": "C2"}
    process(store())
    assert Customer.objects.get().data == {"id": 1, "name": None, "number": "C2"}


def test_the_mirror_gets_the_refetched_object_and_the_event_records_it(altoviz):
    event = store(name="then")
    process(event)
    assert altoviz.requested == ["/v1/Customers/1"]
    assert Customer.objects.get().name == "now"
    assert Customer.objects.get().data == altoviz.object
    event.refresh_from_db()
    assert event.envelope.data["name"] == "then"
    assert event.changes["name"] == [None, "now"]
    assert event.arrival["read_again"] == "alive"


def test_a_soft_time_limit_during_the_refetch_ends_the_task(altoviz, monkeypatch):
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


def test_deliveries_in_the_wrong_order_end_with_the_current_state(altoviz):
    process(store(name="newer"))
    process(store(name="older"))
    assert Customer.objects.get().name == "now"


def test_events_that_wait_for_the_same_object_share_a_refetch(altoviz):
    names = []

    def listen(changes, **kwargs):
        names.append(changes.get("name"))

    events = [store(name=str(number)) for number in range(3)]
    customer_updated.connect(listen)
    try:
        process(events[0])
    finally:
        customer_updated.disconnect(listen)
    assert len(altoviz.requested) == 1
    assert statuses() == ["processed"] * 3
    assert names == [(None, "now"), None, None]
    assert Customer.objects.get().last_event_id == events[2].pk


def test_an_event_that_came_in_after_the_refetch_causes_another(altoviz):
    process(store(name="1"))
    altoviz.object["name"] = "later"
    process(store(name="2"))
    assert len(altoviz.requested) == 2
    assert Customer.objects.get().name == "later"


@pytest.mark.parametrize("event_type", ["CustomerCreated", "CustomerUpdated"])
@pytest.mark.parametrize(
    "answer", [Answer(404), json_answer({"errors": [], "message": "Gone."}, 404)]
)
def test_a_404_does_not_delete_without_a_deletion_event(altoviz, event_type, answer, caplog):
    """The object may be too new, BASE_URL wrong, or the key that of another company."""
    process(store(name="1"))
    altoviz.answer = answer
    event = store(event_type, name="payload")
    process(event)
    assert event.status == Status.PROCESSED
    assert Customer.objects.get().name == "payload"
    assert "could not be read again" in caplog.text


def test_a_late_event_does_not_revive_a_deleted_object(altoviz):
    altoviz.object = None
    process(store("CustomerDeleted"))
    late = store(name="last words")
    process(late)
    assert late.status == Status.IGNORED
    assert not Customer.objects.exists()


def test_a_deletion_is_not_applied_if_the_object_still_exists(altoviz):
    process(store("CustomerDeleted"))
    assert Customer.objects.get().name == "now"


def test_a_deletion_is_applied_if_the_object_is_gone(altoviz):
    altoviz.object = None
    event = store("CustomerDeleted")
    process(event)
    assert not Customer.objects.exists()
    assert Customer.with_deleted.get().deleted_at
    assert event.arrival["read_again"] == "gone"


def test_a_deleted_object_is_revived_if_the_api_returns_it(altoviz):
    altoviz.object = None
    process(store("CustomerDeleted"))
    altoviz.object = {"id": 1, "name": "back"}
    process(store())
    assert Customer.objects.get().name == "back"


def test_a_refetched_payment_can_be_undone_and_signalled_again(altoviz):
    calls = []

    def listen(**kwargs):
        calls.append(1)

    invoice_paid.connect(listen)
    try:
        for is_paid in (True, False, True):
            altoviz.object = {"id": 1, "isDraft": False, "isPaid": is_paid}
            process(store("InvoiceUpdated"))
    finally:
        invoice_paid.disconnect(listen)
    assert altoviz.requested[0] == "/v1/SaleInvoices/1"
    assert len(calls) == 2


class TestFallback:
    """The payload of the event is mirrored if the object can't be read."""

    @pytest.fixture(autouse=True)
    def mirrors_the_payload(self, altoviz, caplog):
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
    def test_on_an_unexpected_answer(self, altoviz, answer):
        altoviz.answer = answer

    def test_when_the_rate_limit_is_used_up(self, altoviz, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_REQUESTS_PER_MINUTE": 1}
        process(store(name="1"))
        assert Customer.objects.get().name == "now"

    def test_without_an_api_key(self, altoviz, settings):
        settings.ALTOVIZ = {**settings.ALTOVIZ, "API_KEY": ""}

    @pytest.mark.parametrize("key", ["clé-secrète", "two\nlines"])
    def test_with_an_api_key_that_cannot_be_sent(self, altoviz, settings, key):
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": key}

    def test_on_any_other_error(self, altoviz, monkeypatch):
        monkeypatch.setattr(AltovizClient, "get_object", lambda *args: {}["nothing"])

    def test_if_refetching_is_off(self, altoviz, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"REFETCH": False}


def test_settings_that_can_not_be_read_fail_the_event(altoviz, settings):
    """Processed without a refetch, the event would show what is not true any more."""
    event = store(account="acme")
    settings.ALTOVIZ = settings.ALTOVIZ | {"ACCOUNTS": {"acme": "key"}}
    process(event)
    assert event.status == Status.FAILED
    assert "ImproperlyConfigured" in event.error


class UnreachableCache(BaseCache):
    def __init__(self, location, params):
        super().__init__(params)

    def add(self, *args, **options):
        raise ConnectionError("Connection refused")


def test_the_refetch_works_without_the_cache(altoviz, settings):
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.UnreachableCache"}}
    event = store(name="payload")
    process(event)
    assert (event.status, Customer.objects.get().name) == (Status.PROCESSED, "now")


@pytest.mark.parametrize(
    "key", [SECRET_KEY, f"{SECRET_KEY}\n", f"{SECRET_KEY}é", f"a\n{SECRET_KEY}"]
)
@pytest.mark.parametrize("answer", [None, json_answer({"message": SECRET_KEY}, 401)])
def test_the_api_key_never_gets_into_the_database_or_the_log(
    altoviz, settings, caplog, key, answer
):
    settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": key}
    altoviz.answer = answer
    event = store()
    process(event)
    assert event.status == Status.PROCESSED
    event.refresh_from_db()
    assert SECRET_KEY not in f"{vars(event)} {caplog.text}"


def test_the_payload_is_used_for_an_account_no_longer_in_the_settings(altoviz):
    process(store(account="former", name="payload"))
    assert Customer.objects.get().name == "payload"


def test_a_failed_refetch_is_logged(altoviz, caplog):
    altoviz.answer = Answer(401)
    process(store())
    assert "could not be read again" in caplog.text
    assert "key" not in caplog.text.replace("API key", "").replace("API_KEY", "")


def test_a_refetched_value_must_fit_too(altoviz):
    altoviz.object["email"] = "a\x00b"
    event = store()
    process(event)
    assert event.status == Status.FAILED
    assert "email: a text with U+0000" in event.error


def test_an_event_that_waits_for_an_earlier_one_is_not_refetched(altoviz):
    def fail(**kwargs):
        raise RuntimeError

    invoice_updated.connect(fail)
    try:
        altoviz.object = {"id": 1, "lines": []}
        process(store("InvoiceUpdated"))
        assert process(store("InvoiceUpdated")) == []
    finally:
        invoice_updated.disconnect(fail)
    assert len(altoviz.requested) == 1
    assert Invoice.objects.exists()


def test_a_retry_does_not_refetch(altoviz):
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
    assert len(altoviz.requested) == 1
