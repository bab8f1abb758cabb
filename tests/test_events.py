"""Storage of deliveries, deduplication, and the states of an event."""

from __future__ import annotations

import threading

import pytest
from django.db import IntegrityError, connection, connections
from django.utils import timezone

from django_altoviz.event_types import EventType
from django_altoviz.exceptions import ClaimLost, MalformedBody
from django_altoviz.intake.envelopes import text_to_body
from django_altoviz.models import Status, WebhookEvent
from django_altoviz.processing import claims
from django_altoviz.samples import sample_body
from tests.conftest import body_of


def store(body, account="default"):
    return WebhookEvent.objects.store(WebhookEvent.from_delivery(body, account, {}))


@pytest.mark.django_db
class TestDeduplication:
    def test_an_event_with_a_known_id_is_a_redelivery(self):
        body = body_of("CustomerCreated", "evt_1", name="A")
        assert store(body)
        store(body)
        event = WebhookEvent.objects.get()
        assert event.body.encode() == body
        assert event.deliveries == 2

    def test_an_id_that_all_events_share_does_not_make_them_redeliveries(self):
        """Altoviz's old documentation has the id of the webhook in ``id``, so all its events share it."""
        for name in ("A", "B", "A"):
            store(body_of("CustomerUpdated", "1233", name=name))
        assert list(WebhookEvent.objects.order_by("pk").values_list("deliveries", flat=True)) == [
            2,
            1,
        ]

    def test_ids_that_differ_in_case_spaces_or_accents_are_different(self):
        for event_id in ("evt_a", "evt_A", "evt_a ", "evt_à"):
            assert store(body_of("CustomerUpdated", event_id))
        assert WebhookEvent.objects.count() == 4

    @pytest.mark.parametrize(
        ("body", "account", "key"),
        [
            (
                b'{"id": "evt_1", "type": "CustomerCreated"}',
                "default",
                "a0c87e6a-3f3e-5ea0-8b98-483ef8e8c0d2",
            ),
            (
                b'{"id": "evt_1", "type": "CustomerCreated"}',
                "acme",
                "4afcec89-fe31-5439-abb9-b917cc767a0a",
            ),
            (
                b'{"id": "1233", "type": "CustomerCreated"}',
                "default",
                "d699f2d6-7ae2-5aa1-8295-df8fe8205ab7",
            ),
            (b"ping", "default", "604afa90-e49c-5e7b-a26c-9a3120469499"),
        ],
    )
    def test_the_dedupe_key_stays_the_same_in_all_versions(self, body, account, key):
        """Redeliveries of events that an earlier version stored would be new under another key."""
        event = WebhookEvent.from_delivery(body, account, {})
        assert str(event.dedupe_key) == key

    def test_the_dedupe_key_of_another_body_stays_the_same_in_all_versions(self):
        first = store(b'{"id": "evt_1", "type": "CustomerCreated"}')
        other = WebhookEvent.from_delivery(b'{"id": "evt_1", "type": "Other"}', "default", {})
        other.set_aside(first)
        assert other.body_digest == "ee465f8a615b0b62c5c22b539a2efefc"
        assert str(other.dedupe_key) == "fb747523-3c0a-5295-8af7-e88083531670"

    def test_accounts_do_not_share_events(self):
        body = body_of("CustomerCreated", "evt_1")
        assert store(body)
        assert store(body, account="acme")
        assert WebhookEvent.objects.count() == 2

    def test_a_redelivery_of_an_unsettled_event_returns_the_event_again(self):
        body = body_of("CustomerCreated", "evt_1")
        first = store(body)
        again = store(body)
        assert again == first
        assert again.deliveries == 2

    @pytest.mark.parametrize(
        "status", [Status.PROCESSED, Status.IGNORED, Status.DEAD, Status.MALFORMED]
    )
    def test_a_redelivery_of_a_settled_event_is_only_counted(self, status):
        body = body_of("CustomerCreated", "evt_1")
        store(body)
        WebhookEvent.objects.update(status=status)
        assert store(body) is None
        assert WebhookEvent.objects.get().deliveries == 2

    @pytest.mark.parametrize("body", [b"ping", b'{"id": "evt_1", "type": "CreditCreated"}'])
    def test_what_is_settled_at_once_is_not_returned_for_processing(self, body):
        assert store(body) is None
        assert WebhookEvent.objects.get().is_settled

    def test_another_conflict_is_not_mistaken_for_a_redelivery(self):
        stored = store(body_of("CustomerCreated", "evt_1"))
        event = WebhookEvent.from_delivery(body_of("CustomerCreated", "evt_2"), "default", {})
        event.pk = stored.pk
        with pytest.raises(IntegrityError):
            WebhookEvent.objects.store(event)


@pytest.mark.django_db(transaction=True)
def test_concurrent_deliveries_of_one_event_are_stored_once():
    body = body_of("CustomerCreated", "evt_1")
    start = threading.Barrier(6)
    problems = []

    def deliver():
        try:
            start.wait()
            store(body)
        except Exception as error:
            problems.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=deliver) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert WebhookEvent.objects.get().deliveries == 6


@pytest.mark.django_db
class TestBody:
    @pytest.mark.parametrize("body", [b"\x00\xff\x1b", bytes(range(256)), "é😀\r\n".encode()])
    def test_a_body_is_kept_byte_for_byte(self, body):
        store(body)
        assert text_to_body(WebhookEvent.objects.get().body) == body

    def test_the_envelope_is_parsed_again_after_loading(self):
        store(sample_body(EventType.QUOTE_CREATED))
        envelope = WebhookEvent.objects.get().envelope
        assert (envelope.type, envelope.object_id) == ("QuoteCreated", 98141)

    def test_a_malformed_body_stays_malformed(self):
        store(b"ping")
        event = WebhookEvent.objects.get()
        assert event.event_type is None
        with pytest.raises(MalformedBody):
            event.envelope  # noqa: B018


@pytest.mark.django_db
class TestClaims:
    @pytest.fixture
    def event(self):
        return store(body_of("CustomerCreated", "evt_1"))

    def test_only_one_worker_can_claim_an_event(self, event):
        other = WebhookEvent.objects.get()
        assert claims.claim(event)
        assert (event.status, event.attempts) == (Status.PROCESSING, 1)
        assert not claims.claim(other)
        assert not claims.claim(event)
        assert WebhookEvent.objects.get().attempts == 1

    def test_another_worker_can_claim_an_event_when_its_lease_has_expired(self, event):
        assert claims.claim(event)
        assert not WebhookEvent.objects.due().exists()
        WebhookEvent.objects.update(lease_expires_at=timezone.now())
        other = WebhookEvent.objects.due().get()
        assert claims.claim(other)
        for write in (lambda: claims.renew(event), lambda: claims.settle(event, Status.PROCESSED)):
            with pytest.raises(ClaimLost):
                write()
        claims.settle(other, Status.PROCESSED)
        assert WebhookEvent.objects.get().attempts == 2

    def test_a_worker_cannot_claim_an_event_that_changed_after_it_was_read(self, event):
        old = WebhookEvent.objects.get()
        claims.claim(event)
        claims.settle(event, Status.FAILED, "because")
        assert not claims.claim(old)
        assert claims.claim(WebhookEvent.objects.get())

    def test_the_history_has_every_attempt(self, event):
        claims.claim(event)
        claims.settle(event, Status.FAILED, "Traceback:\n  line\nValueError: no\x00 \ud800")
        claims.claim(event)
        claims.settle(event, Status.PROCESSED)
        stored = WebhookEvent.objects.get()
        assert stored == event
        assert [entry["status"] for entry in stored.history] == ["failed", "processed"]
        assert stored.history[0]["error"] == "ValueError: no\\x00 \\ud800"
        assert stored.error == ""
        assert stored.settled_at is not None
        assert stored.is_settled

    def test_an_event_can_be_reopened_unless_a_worker_has_it(self, event):
        claims.claim(event)
        assert not claims.reopen(event)
        claims.settle(event, Status.PROCESSED)
        assert claims.reopen(event)
        assert WebhookEvent.objects.get().status == Status.PENDING
        assert WebhookEvent.objects.get().settled_at is None
        assert WebhookEvent.objects.get().history

    def test_malformed_unknown_and_pruned_events_cannot_be_reopened(self):
        store(b"ping")
        store(b'{"id": "evt_2", "type": "CreditCreated", "data": {}}')
        store(body_of("CustomerCreated", "evt_3"))
        WebhookEvent.objects.filter(event_id="evt_3").update(
            status=Status.PROCESSED, pruned_at=timezone.now()
        )
        events = list(WebhookEvent.with_pruned.all())
        assert len(events) == 3
        assert not any(claims.reopen(event) for event in events)


@pytest.mark.django_db
def test_the_text_of_an_event_is_its_type_and_id():
    store(body_of("CustomerCreated", "evt_1"))
    store(b"ping")
    assert {str(event) for event in WebhookEvent.objects.all()} == {
        "CustomerCreated evt_1",
        f"malformed {WebhookEvent.objects.get(status=Status.MALFORMED).pk}",
    }


@pytest.mark.django_db
def test_queries_of_a_long_table_use_indexes():
    if connection.vendor != "sqlite":
        pytest.skip("other planners do not use an index of a table with few rows")
    events = WebhookEvent.with_pruned
    for query in (
        events.filter(event_id="evt_1"),
        events.filter(object_id=1, entity="customer"),
        events.filter(status="failed").order_by("-received_at"),
    ):
        assert "USING INDEX" in query.explain()
