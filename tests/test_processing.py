"""Processing of events: order, tombstones, receivers, failures, concurrency."""

from __future__ import annotations

import datetime
import json
import threading
import time

import pytest
from django.db import (
    DatabaseError,
    IntegrityError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.db.models.signals import post_save
from django.utils import timezone

from django_altoviz.event_types import SENT_TYPES
from django_altoviz.exceptions import GiveUp
from django_altoviz.models import (
    Customer,
    Invoice,
    InvoiceLine,
    Product,
    ReceiverRun,
    Source,
    Status,
    WebhookEvent,
)
from django_altoviz.processing import (
    Replay,
    claims,
    drain,
    process,
    process_again,
    receivers,
    replay,
    worker,
)
from django_altoviz.signals import (
    customer_created,
    customer_deleted,
    customer_updated,
    event_failed,
    event_processed,
    invoice_created,
    invoice_updated,
)
from tests.conftest import body_of

pytestmark = pytest.mark.django_db


def store(event_type, source=Source.WEBHOOK, event_id=None, account="default", **data):
    body = body_of(event_type, event_id, **data)
    return WebhookEvent.objects.store(WebhookEvent.from_delivery(body, account, {}, source))


def failed(event):
    """Return the event after a failed attempt that did not mirror it: it does not block others."""
    claims.claim(event)
    claims.settle(event, Status.FAILED)
    return event


def outcomes():
    return list(WebhookEvent.objects.order_by("pk").values_list("status", flat=True))


@pytest.fixture
def connect():
    """Return a function that connects a receiver until the end of the test."""
    connected = []

    def connect(signal, receiver, **options):
        signal.connect(receiver, weak=False, **options)
        connected.append((signal, receiver, options))
        return receiver

    yield connect
    for signal, receiver, options in connected:
        signal.disconnect(receiver, sender=options.get("sender"))


class TestOrder:
    def test_an_older_event_never_overwrites_a_newer_one(self):
        older = failed(store("CustomerUpdated", id=1, name="older"))
        newer = store("CustomerUpdated", id=1, name="newer")
        process(newer)
        process(older)
        customer = Customer.objects.get()
        assert (customer.name, customer.last_event_id) == ("newer", newer.pk)
        assert outcomes() == ["processed", "processed"]

    def test_a_late_event_does_not_revive_a_deleted_object(self):
        for event_type in ("CustomerCreated", "CustomerDeleted", "CustomerUpdated"):
            process(store(event_type, id=1))
        assert not Customer.objects.exists()
        assert outcomes() == ["processed", "processed", "ignored"]
        assert "deleted before" in WebhookEvent.objects.last().error

    def test_a_deletion_still_deletes_when_it_is_processed_late(self):
        deletion = failed(store("CustomerDeleted", id=1))
        process(store("CustomerUpdated", id=1))
        process(deletion)
        assert Customer.with_deleted.get().deleted_at == deletion.received_at

    def test_a_deletion_that_leaves_out_only_what_was_null_is_shown(self):
        process(store("CustomerCreated", id=1, name="A", nickname=None))
        data = {**Customer.objects.get().data, "name": "B"}
        del data["nickname"]
        body = json.dumps({"id": "evt_1", "type": "CustomerDeleted", "data": data}, default=float)
        event = WebhookEvent.from_delivery(body.encode(), "default", {})
        process(WebhookEvent.objects.store(event))
        assert Customer.with_deleted.get().name == "B"

    def test_the_clock_of_another_server_does_not_make_an_older_event_newer(self):
        older = failed(store("CustomerUpdated", id=1, name="older"))
        newer = store("CustomerUpdated", id=1, name="newer")
        process(newer)
        older.received_at = timezone.now() + datetime.timedelta(minutes=1)
        process(older)
        assert Customer.objects.get().name == "newer"

    def test_a_late_deletion_does_not_make_older_events_newer_than_the_row(self):
        deletion = failed(store("CustomerDeleted", id=1))
        newer = store("CustomerUpdated", id=1)
        process(newer)
        process(deletion)
        assert Customer.with_deleted.get().last_event_id == newer.pk

    def test_a_second_deletion_changes_nothing(self):
        first = store("CustomerDeleted", id=1)
        process(first)
        process(store("CustomerDeleted", id=1))
        assert Customer.with_deleted.get().deleted_at == first.received_at

    def test_a_deleted_object_is_revived_if_a_sync_finds_it(self):
        process(store("CustomerDeleted", id=1))
        seen = store("CustomerUpdated", Source.SYNC, id=1, name="alive")
        process(seen)
        assert Customer.objects.get().name == "alive"
        assert "deleted_at" in seen.changes

    def test_a_deletion_received_before_a_sync_found_the_object_is_ignored(self):
        deletion = failed(store("CustomerDeleted", id=1))
        process(store("CustomerUpdated", Source.SYNC, id=1))
        process(store("CustomerUpdated", id=1))
        process(deletion)
        assert Customer.objects.exists()
        assert deletion.status == Status.IGNORED

    def test_an_event_never_touches_an_object_of_another_account(self):
        process(store("CustomerCreated", id=1, name="ours"))
        process(store("CustomerUpdated", account="acme", id=1, name="theirs"))
        process(store("CustomerDeleted", account="acme", id=1))
        customer = Customer.objects.get()
        assert (customer.account, customer.name) == ("default", "ours")
        assert outcomes() == ["processed"] * 3
        assert Customer.with_deleted.exclude(deleted_at=None).get().account == "acme"


class TestTurns:
    """The order of the events of one object: one at a time, in order of arrival."""

    def test_earlier_events_of_the_object_are_processed_first(self, connect):
        order = []
        connect(customer_updated, lambda event, **kwargs: order.append(event.pk))
        events = [store("CustomerUpdated", id=1) for _ in range(4)]
        other = store("CustomerUpdated", id=2)
        assert process(events[2]) == events
        assert order == [event.pk for event in events]
        assert process(other) == [other]

    def test_an_event_and_those_behind_it_are_left_to_the_worker_that_claimed_it(self):
        first, second = (store("CustomerUpdated", id=1) for _ in range(2))
        claims.claim(first)
        assert process(second) == []
        assert process(store("CustomerUpdated", id=2))
        assert outcomes() == ["processing", "pending", "processed"]

    def test_a_worker_goes_on_with_an_event_stored_while_it_was_busy(self, connect):
        order = []

        def receive(event, instance, **kwargs):
            if not order:
                late = store("CustomerUpdated", id=1, name="late")
                assert process(late) == []
            order.append((event.pk, instance.name))

        connect(customer_updated, receive)
        first = store("CustomerUpdated", id=1, name="first")
        process(first)
        assert order == [(first.pk, "first"), (first.pk + 1, "late")]
        assert outcomes() == ["processed", "processed"]

    def test_a_worker_goes_on_to_the_last_event_even_if_only_the_first_has_receivers(self, connect):
        def receive(**kwargs):
            for _ in range(2):
                assert process(store("CustomerUpdated", id=1)) == []

        connect(customer_created, receive)
        process(store("CustomerCreated", id=1))
        assert outcomes() == ["processed", "processed", "processed"]

    def test_a_worker_that_comes_too_late_leaves_the_mirror_as_it_is(self):
        event = store("CustomerCreated", id=1)
        claims.claim(WebhookEvent.objects.get())
        assert process(event) == []
        assert not Customer.objects.exists()

    def test_a_worker_stops_at_an_event_that_another_worker_has_claimed(self, connect, monkeypatch):
        events = [store("CustomerUpdated", id=1) for _ in range(3)]
        connect(customer_updated, lambda **kwargs: None)
        attempt = worker._attempt

        def attempt_after_another_claimed(event):
            if event == events[1]:
                claims.claim(WebhookEvent.objects.get(pk=event.pk))
            return attempt(event)

        monkeypatch.setattr(worker, "_attempt", attempt_after_another_claimed)
        assert process(events[0]) == [events[0]]
        assert outcomes() == ["processed", "processing", "pending"]

    def test_a_worker_asks_only_once_for_a_later_event_that_it_can_not_process(
        self, connect, django_assert_max_num_queries
    ):
        """A newer version of the app has stored it, and it waits for that version."""

        def receive(**kwargs):
            store("CustomerUpdated", id=1)
            WebhookEvent.objects.filter(attempts=0).update(business_signals=["customer_merged"])

        connect(customer_created, receive)
        event = store("CustomerCreated", id=1)
        with django_assert_max_num_queries(30):
            assert process(event) == [event]
        assert outcomes() == ["processed", "pending"]

    def test_events_of_another_account_are_not_waited_for(self):
        """Both accounts have an object with this id."""
        theirs = store("CustomerUpdated", account="acme", id=1)
        ours = store("CustomerUpdated", id=1)
        assert process(ours) == [ours]
        claims.claim(theirs)
        later = store("CustomerUpdated", id=1)
        assert process(later) == [later]
        assert outcomes() == ["processing", "processed", "processed"]

    def test_the_event_of_a_dead_worker_is_taken_over(self):
        first, second = (store("CustomerUpdated", id=1) for _ in range(2))
        claims.claim(first)
        WebhookEvent.objects.filter(pk=first.pk).update(lease_expires_at=timezone.now())
        assert process(second) == [first, second]
        assert outcomes() == ["processed", "processed"]

    def test_an_event_that_cannot_be_mirrored_does_not_block_later_ones(self):
        process(store("CustomerUpdated", id=1, active="maybe"))
        process(store("CustomerUpdated", id=1))
        assert outcomes() == ["failed", "processed"]

    def test_events_without_an_object_id_do_not_wait_for_each_other(self):
        first, second = (store("CustomerUpdated", id=None) for _ in range(2))
        assert process(second) == [second]
        assert process(first) == [first]

    def test_a_claimed_event_without_an_object_id_is_left_to_its_worker(self):
        event = store("CustomerUpdated", id=None)
        claims.claim(WebhookEvent.objects.get())
        assert process(event) == []

    def test_an_earlier_event_settled_by_another_worker_does_not_block(self, monkeypatch):
        first, second = (store("CustomerUpdated", id=1) for _ in range(2))
        attempt = worker._attempt

        def attempt_after_another_worker(event):
            if event == first:
                attempt(WebhookEvent.objects.get(pk=first.pk))
            return attempt(event)

        monkeypatch.setattr(worker, "_attempt", attempt_after_another_worker)
        assert process(second) == [second]
        assert outcomes() == ["processed", "processed"]

    def test_order_holds_on_a_database_that_cannot_query_the_table_it_updates(self, monkeypatch):
        monkeypatch.setattr(connections["default"], "vendor", "mysql")
        first, second = (store("CustomerUpdated", id=1) for _ in range(2))
        assert not claims.claim(second)
        assert process(second) == [first, second]


class TestFailures:
    @pytest.mark.parametrize(
        ("data", "error"),
        [
            ({"id": None}, "id: expected a positive integer"),
            ({"id": "418206"}, "id: expected a positive integer"),
            ({"id": 2**63}, "id: expected a positive integer"),
            ({"email": "e" * 256}, "email: 256 characters"),
            ({"name": 5}, "name: expected a text, got an integer"),
            ({"name": "a\x00b"}, "name: a text with U+0000"),
            ({"family": "F"}, "family: expected an object, got a text"),
        ],
    )
    def test_the_error_names_the_value_that_does_not_fit(self, data, error):
        event = store("CustomerCreated", **data)
        assert process(event)
        assert event.status == Status.FAILED
        assert error in event.error
        assert not Customer.with_deleted.exists()

    @pytest.mark.parametrize("data", [None, {}])
    def test_an_update_without_data_fails_and_names_the_id(self, data):
        body = json.dumps({"id": "evt_1", "type": "CustomerUpdated", "data": data}).encode()
        event = WebhookEvent.objects.store(WebhookEvent.from_delivery(body, "default", {}))
        process(event)
        assert event.status == Status.FAILED
        assert "id: expected a positive integer" in event.error

    def test_data_that_is_not_an_object_fails_the_event(self):
        body = b'{"id": "evt_1", "type": "CustomerCreated", "data": [1]}'
        event = WebhookEvent.objects.store(WebhookEvent.from_delivery(body, "default", {}))
        process(event)
        assert event.status == Status.FAILED

    def test_a_failure_is_recorded_on_its_own_event(self, connect):
        received = []
        connect(event_failed, lambda sender, **kwargs: received.append(kwargs))
        bad = store("CustomerCreated", id=1, active="maybe")
        good = store("CustomerUpdated", id=1)
        process(bad)
        process(good)
        assert outcomes() == ["failed", "processed"]
        assert bad.attempts == 1
        assert bad.history[0]["error"].endswith("active: expected true or false, got a text")
        assert [entry["event"] for entry in received] == [bad]
        assert "active" in str(received[0]["error"])

    def test_a_failed_event_can_be_processed_again_once_the_bug_is_fixed(self, monkeypatch):
        event = store("CustomerCreated", id=1)

        def broken(cls, data):
            raise RuntimeError("a bug")

        with monkeypatch.context() as patch:
            patch.setattr(Customer, "columns_from", classmethod(broken))
            process(event)
        assert event.status == Status.FAILED
        assert process(event) == []  # because its retry is not due yet
        assert process_again(event) == Replay.PROCESSED
        assert event.status == Status.PROCESSED
        assert event.error == ""
        assert [entry["status"] for entry in event.history] == ["failed", "processed"]
        assert Customer.objects.exists()

    def test_a_lost_database_connection_leaves_the_event_pending(self, monkeypatch):
        event = store("CustomerCreated", id=1)

        def lose_connection(*args, **kwargs):
            raise OperationalError("server closed the connection")

        with monkeypatch.context() as patch:
            patch.setattr(worker, "apply", lose_connection)
            patch.setattr(claims, "claim_and_settle", lose_connection)
            with pytest.raises(DatabaseError):
                process(event)
        assert outcomes() == ["pending"]
        assert process(WebhookEvent.objects.get())

    @pytest.mark.parametrize("error", [IntegrityError("altoviz_id"), OperationalError("deadlock")])
    def test_a_collision_with_another_worker_at_a_new_object_is_retried_at_once(
        self, monkeypatch, error
    ):
        event = store("CustomerCreated", id=1)
        tries = []

        def collide(event, refetched):
            tries.append(event.attempts)
            if len(tries) < 6:
                raise error
            return apply(event, refetched)

        apply = worker.apply
        monkeypatch.setattr(worker, "apply", collide)
        process(event)
        assert tries == [0] * 6
        assert outcomes() == ["processed"]

    def test_a_worker_that_waited_long_for_a_lock_does_not_retry_at_once(self, monkeypatch):
        event = store("CustomerCreated", id=1)
        tries = []

        def wait_in_vain(event, refetched):
            tries.append(1)
            raise OperationalError("Lock wait timeout exceeded")

        monkeypatch.setattr(worker, "apply", wait_in_vain)
        monkeypatch.setattr(worker, "_LONGEST_COLLISION", 0)
        process(event)
        assert (tries, event.status) == ([1], Status.PENDING)

    @pytest.mark.django_db(transaction=True)
    def test_a_failing_commit_fails_the_event(self):
        """Deferred constraints are checked at the commit, so a receiver of post_save can break it."""

        def break_it(instance, **kwargs):
            ReceiverRun.objects.create(event_id=10**9, receiver="of no event", seconds=0)

        event = store("CustomerCreated", id=1)
        post_save.connect(break_it, sender=Customer)
        try:
            assert process(event) == [event]
        finally:
            post_save.disconnect(break_it, sender=Customer)
        assert outcomes() == ["failed"]
        assert (event.status, event.failures, len(event.history)) == (Status.FAILED, 1, 1)
        assert "IntegrityError" in event.error
        assert not Customer.objects.exists()

    def test_an_event_that_can_no_longer_be_parsed_does_not_stop_the_others(self, connect):
        received = []
        connect(event_failed, lambda sender, event, data, **kwargs: received.append((event, data)))
        events = [store("CustomerCreated", id=number) for number in (1, 2)]
        WebhookEvent.objects.filter(pk=events[0].pk).update(body="{")
        assert list(drain()) == events
        assert outcomes() == ["failed", "processed"]
        assert [event for event, data in received] == events[:1]

    def test_a_lasting_conflict_fails_the_event(self, monkeypatch):
        event = store("CustomerCreated", id=1)

        def conflict(event, refetched):
            raise IntegrityError("something else")

        monkeypatch.setattr(worker, "apply", conflict)
        process(event)
        assert event.status == Status.FAILED

    def test_an_event_that_another_worker_has_processed_is_not_processed_again(self):
        event = store("CustomerCreated", id=1)
        other = WebhookEvent.objects.get()
        assert process(other)
        assert not process(event)
        assert WebhookEvent.objects.get().attempts == 1

    def test_a_failure_is_not_recorded_if_another_worker_has_settled_the_event(self, monkeypatch):
        event = store("CustomerCreated", id=1)

        def fail(event, refetched):
            raise ValueError

        def settle_elsewhere_first(*args):
            WebhookEvent.objects.update(status=Status.PROCESSED)
            return after_failure(*args)

        after_failure = worker.after_failure
        monkeypatch.setattr(worker, "apply", fail)
        monkeypatch.setattr(worker, "after_failure", settle_elsewhere_first)
        assert not process(event)


class TestReceivers:
    def test_receivers_get_the_sender_the_instance_and_the_changes(self, connect):
        received = []
        connect(customer_created, lambda **kwargs: received.append(kwargs), sender=Customer)
        connect(customer_updated, lambda **kwargs: received.append(kwargs), sender=Customer)
        connect(customer_updated, lambda **kwargs: received.append("no"), sender=Product)
        created = store("CustomerCreated", id=1, name="A", email="a@b.example")
        updated = store("CustomerUpdated", id=1, name="B", email="a@b.example")
        process(created)
        process(updated)
        first, second = received
        assert first["signal"] is customer_created
        assert first["sender"] is Customer
        assert first["event"] == created
        assert first["data"] == created.envelope.data
        assert first["changes"]["name"] == (None, "A")
        assert second["instance"] == Customer.objects.get()
        assert second["instance"].name == "B"
        assert second["changes"]["name"] == ("A", "B")
        assert "email" not in second["changes"]

    def test_receivers_of_a_deletion_get_the_deleted_row(self, connect):
        received = []
        connect(customer_deleted, lambda **kwargs: received.append(kwargs))
        process(store("CustomerCreated", id=1))
        deletion = store("CustomerDeleted", id=1)
        process(deletion)
        assert received[0]["instance"].deleted_at == deletion.received_at
        assert received[0]["changes"]["deleted_at"] == (None, deletion.received_at)

    def test_a_failing_receiver_is_named_and_does_not_stop_the_others(self, connect):
        calls = []

        def fail(**kwargs):
            calls.append("fail")
            raise RuntimeError("mail server down")

        connect(customer_created, lambda **kwargs: calls.append("first"))
        connect(customer_created, fail)
        connect(customer_created, lambda **kwargs: calls.append("last"))
        event = store("CustomerCreated", id=1)
        process(event)
        assert calls == ["first", "fail", "last"]
        assert event.status == Status.FAILED
        assert "RuntimeError: mail server down" in event.error
        assert (
            "test_a_failing_receiver_is_named_and_does_not_stop_the_others.<locals>.fail"
            in event.error
        )
        assert Customer.objects.exists()

    def test_receivers_whose_names_differ_only_in_case_are_both_called(self, connect):
        calls = []

        def thank(**kwargs):
            calls.append("thank")

        def Thank(**kwargs):
            calls.append("Thank")

        connect(customer_created, thank)
        connect(customer_created, Thank)
        event = store("CustomerCreated", id=1)
        process(event)
        assert event.status == Status.PROCESSED
        assert calls == ["thank", "Thank"]

    def test_only_the_receivers_that_failed_are_called_again(self, connect):
        calls = []

        def fail_once(**kwargs):
            calls.append(("fail_once", kwargs["changes"]["name"], kwargs["instance"].name))
            if len(calls) < 3:
                raise RuntimeError

        connect(customer_created, lambda **kwargs: calls.append("good"))
        connect(customer_created, fail_once)
        event = store("CustomerCreated", id=1, name="A")
        process(event)
        for _ in range(2):
            WebhookEvent.objects.update(next_attempt_at=None)
            process(WebhookEvent.objects.get())
        again = ("fail_once", (None, "A"), "A")
        assert calls == ["good", again, again]
        assert outcomes() == ["processed"]
        assert WebhookEvent.objects.get().attempts == 2
        assert ReceiverRun.objects.count() == 2

    def test_the_database_writes_of_a_failing_receiver_are_rolled_back(self, connect):
        def work_and_fail(**kwargs):
            Product.objects.create(altoviz_id=5, account="default", data={}, last_event_id=1)
            raise RuntimeError

        connect(customer_created, work_and_fail)
        process(store("CustomerCreated", id=1))
        assert not Product.objects.exists()

    def test_a_broken_query_in_one_receiver_does_not_affect_the_next(self, connect):
        calls = []

        def break_it(**kwargs):
            with transaction.get_connection().cursor() as cursor:
                cursor.execute("SELECT nonsense FROM nowhere")

        connect(customer_created, break_it)
        connect(customer_created, lambda **kwargs: calls.append(Customer.objects.count()))
        process(store("CustomerCreated", id=1))
        assert calls == [1]
        assert outcomes() == ["failed"]

    def test_receivers_made_by_one_function_get_different_names(self, connect):
        calls = []

        def receiver(number):
            def receive(**kwargs):
                calls.append(number)

            return receive

        for number in (1, 2):
            connect(customer_created, receiver(number))
        process(store("CustomerCreated", id=1))
        assert calls == [1, 2]
        first, second = ReceiverRun.objects.order_by("pk").values_list("receiver", flat=True)
        assert second == f"{first}#2"

    def test_receivers_may_be_coroutines(self, connect):
        calls = []

        async def receive(**kwargs):
            calls.append((kwargs["instance"].name, await Customer.objects.acount()))

        connect(customer_created, receive)
        process(store("CustomerCreated", id=1, name="A"))
        assert calls == [("A", 1)]
        assert ReceiverRun.objects.get().receiver.endswith(
            "test_receivers_may_be_coroutines.<locals>.receive"
        )

    def test_receivers_get_no_changes_for_an_outdated_event(self, connect):
        received = []
        connect(
            customer_updated,
            lambda **kwargs: received.append((kwargs["instance"].name, kwargs["changes"])),
        )
        older = failed(store("CustomerUpdated", id=1, name="older"))
        process(store("CustomerUpdated", id=1, name="newer"))
        process(older)
        assert received[1] == ("newer", {})

    def test_receivers_are_not_called_for_an_ignored_event(self, connect):
        calls = []
        connect(customer_updated, lambda **kwargs: calls.append(1))
        process(store("CustomerDeleted", id=1))
        process(store("CustomerUpdated", id=1))
        assert not calls

    def test_a_worker_that_loses_its_claim_between_two_receivers_stops(self, connect, monkeypatch):
        calls = []

        def first(**kwargs):
            calls.append("first")

        def second(**kwargs):
            calls.append("second")

        connect(customer_created, first)
        connect(customer_created, second)
        event = store("CustomerCreated", id=1)
        call = receivers._call

        def call_after_another_claim(*args):
            if calls:
                WebhookEvent.objects.update(attempts=9)
            call(*args)

        monkeypatch.setattr(receivers, "_call", call_after_another_claim)
        assert not process(event)
        assert calls == ["first"]


class TestOutcomeSignals:
    def test_event_processed_is_sent_with_the_event_and_the_instance(self, connect):
        received = []
        connect(event_processed, lambda sender, **kwargs: received.append((sender, kwargs)))
        event = store("CustomerCreated", id=1)
        process(event)
        ((sender, kwargs),) = received
        assert sender is WebhookEvent
        assert kwargs["event"].status == Status.PROCESSED
        assert kwargs["instance"] == Customer.objects.get()
        assert kwargs["data"]["id"] == 1
        assert kwargs["changes"]

    def test_a_failing_receiver_of_event_processed_does_not_fail_the_event(self, connect):
        def fail(sender, **kwargs):
            raise RuntimeError

        connect(event_processed, fail)
        process(store("CustomerCreated", id=1))
        assert outcomes() == ["processed"]

    def test_the_log_names_the_event_but_not_its_content(self, caplog):
        process(store("CustomerCreated", id=1, name="Zoé", active="maybe"))
        assert "CustomerCreated 1, account default" in caplog.text
        assert "Zoé" not in caplog.text


class TestProcessAgain:
    def test_a_processed_event_does_not_call_a_receiver_twice(self, connect):
        calls = []
        connect(customer_created, lambda **kwargs: calls.append(1))
        event = store("CustomerCreated", id=1)
        process(event)
        assert process_again(event) == Replay.PROCESSED
        assert (calls, outcomes()) == ([1], ["processed"])

    def test_a_receiver_added_later_is_called_for_an_old_event(self, connect):
        calls = []
        event = store("CustomerCreated", id=1)
        process(event)
        connect(customer_created, lambda **kwargs: calls.append(kwargs["changes"]["name"][0]))
        process_again(event)
        assert calls == [None]

    def test_an_ignored_event_can_take_effect_when_processed_again(self):
        process(store("CustomerDeleted", id=1))
        late = store("CustomerUpdated", id=1, name="late")
        process(late)
        Customer.with_deleted.update(deleted_at=None)
        assert process_again(late) == Replay.PROCESSED
        assert late.status == Status.PROCESSED
        assert Customer.objects.get().name == "late"

    def test_an_event_whose_type_has_become_known_is_processed(self):
        event = store("CustomerCreated", id=1)
        WebhookEvent.objects.update(status=Status.IGNORED, entity="")
        event.refresh_from_db()
        assert process_again(event) == Replay.PROCESSED
        assert WebhookEvent.objects.get().entity == "customer"

    def test_a_malformed_event_is_refused(self):
        WebhookEvent.objects.store(WebhookEvent.from_delivery(b"ping", "default", {}))
        assert process_again(WebhookEvent.objects.get()) == Replay.MALFORMED

    def test_all_stored_events_are_processed_again_in_order(self):
        events = [store("CustomerUpdated", id=1) for _ in range(3)]
        assert process(events[2]) == events
        outcome = [(event, Replay.PROCESSED) for event in events]
        assert list(replay(WebhookEvent.objects.all())) == outcome

    def test_an_event_that_a_worker_has_claimed_is_refused(self):
        event = store("CustomerCreated", id=1)
        claims.claim(event)
        assert process_again(WebhookEvent.objects.get()) == Replay.TAKEN

    def test_an_event_that_was_processed_after_it_was_read_is_refused(self, connect):
        calls = []
        connect(customer_created, lambda **kwargs: calls.append(1))
        store("CustomerCreated", id=1)
        stale = WebhookEvent.objects.get()
        process(WebhookEvent.objects.get())
        assert process_again(stale, from_scratch=True) == Replay.TAKEN
        assert (calls, outcomes()) == ([1], ["processed"])

    def test_an_event_that_the_database_refuses_has_not_been_processed(self, monkeypatch):
        def wait_in_vain(event, refetched):
            raise OperationalError("Lock wait timeout exceeded")

        monkeypatch.setattr(worker, "apply", wait_in_vain)
        monkeypatch.setattr(worker, "_LONGEST_COLLISION", 0)
        assert process_again(store("CustomerCreated", id=1)) == Replay.FAILED
        assert outcomes() == ["pending"]


class TestTimeBudget:
    """The limit that ends a request or a task, however many events its object has."""

    @pytest.fixture
    def calls(self, connect, monkeypatch):
        monkeypatch.setattr(worker, "TIME_BUDGET", 0)
        calls = []
        connect(customer_updated, lambda event, **kwargs: calls.append(event.pk))
        return calls

    def test_the_budget_limits_the_earlier_events_that_are_processed(self, calls):
        events = [store("CustomerUpdated", id=1) for _ in range(4)]
        assert process(events[3]) == events[:1]
        assert process(events[3]) == events[1:2]

    def test_the_budget_limits_the_later_events_that_are_processed(self, calls):
        events = [store("CustomerUpdated", id=1) for _ in range(4)]
        assert process(events[0]) == events[:1]

    @pytest.mark.parametrize("waiting", [1, 2])
    def test_an_event_that_the_budget_does_not_reach_is_still_waiting(self, calls, waiting):
        events = [store("CustomerUpdated", id=1) for _ in range(waiting + 1)]
        assert process_again(events[-1]) == Replay.BLOCKED
        assert outcomes() == ["processed", *["pending"] * waiting]

    def test_drain_comes_back_for_the_events_that_are_left(self, calls):
        events = [store("CustomerUpdated", id=1) for _ in range(4)]
        assert list(drain()) == events
        assert calls == [event.pk for event in events]


class TestExpiredLeaseInUse:
    """An expired lease whose worker still holds the row lock of the event in a transaction."""

    @pytest.fixture
    def lease_expired(self, monkeypatch):
        claims.claim(store("CustomerUpdated", id=1))
        WebhookEvent.objects.update(lease_expires_at=timezone.now())
        monkeypatch.setattr(claims, "lock_at_once", lambda event: False)
        return WebhookEvent.objects.get()

    def test_the_event_is_left_alone(self, lease_expired):
        assert process(lease_expired) == []
        assert process_again(lease_expired) == Replay.TAKEN
        assert process(store("CustomerUpdated", id=1)) == []
        assert outcomes() == ["processing", "pending"]

    def test_the_event_is_left_alone_even_after_its_last_attempt(self, lease_expired, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"MAX_ATTEMPTS": 1}
        assert process(lease_expired) == []
        assert outcomes() == ["processing"]

    def test_an_earlier_event_that_was_stored_later_waits_too(self, lease_expired):
        late = store("CustomerUpdated", id=1)
        WebhookEvent.objects.filter(pk=late.pk).update(id=lease_expired.pk - 1)
        assert process(WebhookEvent.objects.first()) == []
        assert outcomes() == ["pending", "processing"]


@pytest.mark.django_db(transaction=True)
class TestConcurrency:
    def run(self, *jobs):
        problems = []
        start = threading.Barrier(len(jobs))

        def work(job):
            try:
                start.wait()
                job()
            except Exception as error:
                problems.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work, args=[job]) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not problems

    def test_many_workers_process_an_event_once(self, connect):
        def count(**kwargs):
            Product.objects.create(altoviz_id=5, account="default", data={}, last_event_id=1)

        connect(invoice_created, count)
        store("InvoiceCreated")
        copies = [WebhookEvent.objects.get() for _ in range(5)]
        self.run(*[lambda event=event: process(event) for event in copies])
        event = WebhookEvent.objects.get()
        assert (event.status, event.attempts) == (Status.PROCESSED, 1)
        assert Product.objects.count() == 1
        assert InvoiceLine.objects.count() == 4

    def test_many_workers_call_the_receivers_of_an_object_in_order(self, connect):
        received = []
        connect(
            invoice_updated,
            lambda event, instance, **_: received.append((event.pk, instance.number)),
        )
        events = [store("InvoiceUpdated", number=str(number)) for number in range(6)]
        self.run(*[lambda event=event: process(event) for event in reversed(events)])
        assert received == [(event.pk, str(number)) for number, event in enumerate(events)]
        assert set(outcomes()) == {"processed"}

    def test_many_workers_at_one_new_object_end_with_its_newest_state(self):
        events = [store("InvoiceUpdated", number=str(number)) for number in range(6)]
        self.run(*[lambda event=event: process(event) for event in events])
        invoice = Invoice.objects.get()
        assert set(outcomes()) == {"processed"}, [e.error for e in WebhookEvent.objects.all()]
        assert (invoice.number, invoice.last_event_id) == ("5", events[-1].pk)
        assert InvoiceLine.objects.count() == 4


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
class TestSilentWorkers:
    """Workers that are still alive after their lease has expired."""

    @pytest.fixture(autouse=True)
    def lease(self, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"LEASE_SECONDS": 1}

    @pytest.fixture
    def elsewhere(self):
        """Return a function that starts a job in a new thread. Errors in it fail the test."""
        threads, problems = [], []

        def begin(job):
            def work():
                try:
                    job()
                except Exception as error:
                    problems.append(error)
                finally:
                    connections.close_all()

            threads.append(threading.Thread(target=work, daemon=True))
            threads[-1].start()
            return threads[-1]

        yield begin
        for thread in threads:
            thread.join(30)
        assert not problems

    def test_a_hanging_receiver_blocks_only_its_own_object(self, connect, elsewhere):
        calls, hangs, goes_on = [], threading.Event(), threading.Event()

        def receive(event, instance, **kwargs):
            calls.append(event.pk)
            if instance.altoviz_id == 1 and not hangs.is_set():
                hangs.set()
                goes_on.wait(180)

        connect(customer_updated, receive)
        hung, other = store("CustomerUpdated", id=1), store("CustomerUpdated", id=2)
        try:
            elsewhere(lambda: process(hung))
            assert hangs.wait(60)
            time.sleep(1.1)
            behind = store("CustomerUpdated", id=1)
            others = [
                elsewhere(lambda: list(drain())),
                elsewhere(lambda: process(behind)),
                elsewhere(lambda: process_again(WebhookEvent.objects.get(pk=hung.pk))),
            ]
            for thread in others:
                thread.join(60)
            assert not any(thread.is_alive() for thread in others)
            assert outcomes() == ["processing", "processed", "pending"]
        finally:
            goes_on.set()
        deadline = time.monotonic() + 60
        while set(outcomes()) != {"processed"} and time.monotonic() < deadline:
            time.sleep(0.05)
        assert calls == [hung.pk, other.pk, behind.pk]
        assert WebhookEvent.objects.get(pk=hung.pk).attempts == 1

    @pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has this lock")
    def test_a_hanging_receiver_that_locks_the_mirror_row_does_not_block_workers(
        self, connect, elsewhere
    ):
        hangs, goes_on = threading.Event(), threading.Event()

        def receive(event, instance, **kwargs):
            with connection.cursor() as cursor:  # the lock that a foreign key takes
                cursor.execute("SELECT 1 FROM django_altoviz_customer FOR KEY SHARE")
            hangs.set()
            goes_on.wait(180)

        connect(customer_created, receive)
        hung = store("CustomerCreated", id=1)
        try:
            elsewhere(lambda: process(hung))
            assert hangs.wait(60)
            behind = store("CustomerUpdated", id=1)
            thread = elsewhere(lambda: process(behind))
            thread.join(60)
            assert not thread.is_alive()
        finally:
            goes_on.set()

    def test_a_silent_worker_at_a_later_event_is_superseded_when_it_comes_back(
        self, connect, elsewhere, monkeypatch
    ):
        at_work, overlaps, calls = set(), [], []
        is_frozen, thaws = threading.Event(), threading.Event()

        def create(event, **kwargs):
            if not calls:
                calls.append("gave up")
                raise GiveUp("for now")
            at_work.add(event.pk)
            thaws.set()
            time.sleep(0.5)
            at_work.discard(event.pk)

        def update(event, **kwargs):
            calls.append(event.pk)
            overlaps.extend(at_work)

        connect(customer_created, create)
        connect(customer_updated, update)
        earlier, later = store("CustomerCreated", id=1), None
        process(earlier)
        call_all = worker.call_all

        def freeze(event, *args):
            if event == later and not is_frozen.is_set():
                is_frozen.set()
                thaws.wait(120)
            return call_all(event, *args)

        later = store("CustomerUpdated", id=1)
        monkeypatch.setattr(worker, "call_all", freeze)
        elsewhere(lambda: process(later))
        assert is_frozen.wait(60)
        time.sleep(1.1)
        again = process_again(WebhookEvent.objects.get(pk=earlier.pk))
        assert again == Replay.PROCESSED
        assert overlaps == []
        assert calls == ["gave up", later.pk]
        assert outcomes() == ["processed", "processed"]
        assert WebhookEvent.objects.get(pk=later.pk).failures == 1


def test_every_event_type_can_be_processed():
    for event_type in SENT_TYPES:
        process(store(event_type))
    assert set(outcomes()) <= {"processed", "ignored"}
