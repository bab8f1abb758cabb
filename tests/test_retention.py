from __future__ import annotations

import contextlib
import datetime
import threading

import pytest
from django.db import connection, transaction
from django.utils import timezone

from django_altoviz.event_types import EventType
from django_altoviz.models import Customer, ReceiverRun, Status, WebhookEvent
from django_altoviz.processing import process, process_again
from django_altoviz.retention import PRUNABLE, Pruned, prune
from django_altoviz.signals import customer_updated
from tests.conftest import body_of

pytestmark = pytest.mark.django_db


def make_old(days=100):
    WebhookEvent.with_pruned.update(received_at=timezone.now() - datetime.timedelta(days=days))


def test_an_old_event_loses_its_content_and_stays_known(post):
    post(EventType.CUSTOMER_CREATED)
    run = ReceiverRun.objects.create(event=WebhookEvent.objects.get(), receiver="a.b", seconds=1)
    assert str(run) == "a.b"
    make_old()
    assert prune(90, None) == Pruned(emptied=1)
    assert not WebhookEvent.objects.exists()
    assert not ReceiverRun.objects.exists()
    event = WebhookEvent.with_pruned.get()
    assert (event.body, event.changes, event.history, event.arrival) == ("", {}, [], {})
    assert (event.event_id, event.type) == ("evt_7b6xmxd80iuymufhrr9e9f1ca", "CustomerCreated")
    assert event.pruned_at is not None
    assert Customer.objects.exists()


def test_a_delivery_that_comes_again_after_pruning_has_no_second_effect(post):
    post(EventType.CUSTOMER_CREATED)
    post(EventType.CUSTOMER_UPDATED)
    Customer.objects.update(name="changed since")
    make_old()
    prune(90, None)
    answer = post(EventType.CUSTOMER_CREATED)
    assert answer.json()["status"] == "known"
    assert Customer.objects.get().name == "changed since"
    assert WebhookEvent.with_pruned.count() == 2


def test_young_events_stay(post):
    post(EventType.CUSTOMER_CREATED)
    make_old(days=89)
    assert prune(90, None) == Pruned()
    assert WebhookEvent.objects.exists()


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING, Status.FAILED, Status.DEAD])
def test_what_is_still_owed_stays(post, status):
    post(EventType.CUSTOMER_CREATED)
    WebhookEvent.objects.update(status=status)
    make_old()
    assert prune(90, None) == Pruned()
    assert WebhookEvent.objects.get().body


def test_what_is_known_by_its_body_goes_as_a_whole(post):
    """The same body may be sent again one day in earnest: an object set back to what it was."""
    body = body_of("CustomerUpdated", "1233", id=1, name="A")
    post(body)
    post(b"ping")
    make_old()
    assert prune(90, None) == Pruned(deleted=2)
    assert not WebhookEvent.with_pruned.exists()
    assert post(body).json()["status"] == "stored"


def test_ids_are_forgotten_only_when_asked_for(post):
    post(EventType.CUSTOMER_CREATED)
    make_old(days=400)
    prune(90, None)
    assert prune(90, 500) == Pruned()
    assert prune(90, 365) == Pruned(deleted=1)
    assert not WebhookEvent.with_pruned.exists()


def test_a_dry_run_only_counts(post):
    post(EventType.CUSTOMER_CREATED)
    post(b"ping")
    make_old()
    assert prune(90, None, dry_run=True) == Pruned(emptied=1, deleted=1)
    assert WebhookEvent.objects.count() == 2


def test_works_in_batches(post, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr("django_altoviz.retention._BATCH", 2)
    for _ in range(5):
        post(body_of("CustomerUpdated"))
    make_old()
    assert prune(90, None) == Pruned(emptied=5)
    with django_assert_max_num_queries(2):
        assert prune(90, None) == Pruned()


def test_each_status_may_have_a_window_of_its_own(post):
    for number, status in enumerate(PRUNABLE):
        post(body_of("CustomerUpdated", id=number + 1))
        WebhookEvent.objects.filter(object_id=number + 1).update(status=status)
    make_old()
    kept = {"processed": None, "ignored": 101, "malformed": 99, "dead": 99, "failed": 99}
    assert prune(90, None, by_status=kept) == Pruned(emptied=3)
    left = WebhookEvent.objects.values_list("status", flat=True)
    assert {*left} == {Status.PROCESSED, Status.IGNORED}


def test_what_failed_and_is_pruned_is_given_up(post):
    """Its body is gone: if it came again, nothing could be done with it."""
    body = body_of("CustomerUpdated", active="maybe")
    post(body)
    make_old()
    prune(90, None, by_status={"failed": 90})
    event = WebhookEvent.with_pruned.get()
    assert (event.status, event.body) == (Status.DEAD, "")
    assert post(body).json()["status"] == "known"
    assert WebhookEvent.with_pruned.get().status == Status.DEAD


@pytest.mark.parametrize(
    "by_status", [{"pending": 5}, {"gone": 5}, {"dead": 0}, {"dead": True}, {"dead": "5"}]
)
def test_a_window_that_is_none_is_refused(by_status):
    with pytest.raises(ValueError, match=r"is not one of|neither a number of days"):
        prune(90, None, by_status=by_status)


class TestReopened:
    """Somebody has an event processed again while it is pruned."""

    @pytest.fixture
    def heard(self):
        """The events that a receiver has handled."""
        events = []

        def listen(event, **kwargs):
            events.append(event.pk)

        customer_updated.connect(listen)
        yield events
        customer_updated.disconnect(listen)

    @pytest.fixture
    def between(self):
        """Do something after the events to prune were chosen and before they are pruned."""

        @contextlib.contextmanager
        def between(do):
            calls = [do]

            def wrapper(execute, sql, *args):
                if not sql.startswith("SELECT") and calls:
                    calls.pop()()
                return execute(sql, *args)

            with connection.execute_wrapper(wrapper):
                yield
            assert not calls

        return between

    def test_one_that_waits_again_keeps_its_body_and_its_receivers(self, post, heard, between):
        for number in (1, 2):
            post(body_of("CustomerUpdated", id=number))
        make_old()
        event = WebhookEvent.objects.first()
        with between(event.reopen):
            assert prune(90, None) == Pruned(emptied=1)
        assert WebhookEvent.objects.get().body
        process(event)
        assert event.status == Status.PROCESSED
        assert len(heard) == 2  # each once

    def test_one_that_has_no_id_stays_as_a_whole(self, post, heard, between):
        post(body_of("CustomerUpdated", "1233", id=1))
        make_old()
        event = WebhookEvent.objects.get()
        with between(event.reopen):
            assert prune(90, None) == Pruned()
        process(event)
        assert event.status == Status.PROCESSED
        assert len(heard) == 1

    def test_one_that_has_failed_is_not_given_up_while_a_worker_tries_it(self, post, between):
        post(body_of("CustomerUpdated", active="maybe"))
        make_old()
        event = WebhookEvent.objects.get()
        with between(lambda: event.claim(datetime.timedelta(minutes=1))):
            assert prune(90, None, by_status={"failed": 90}) == Pruned()
        event.settle(Status.PROCESSED)

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("event_id", ["evt_1", "1"])
    def test_the_second_waits_for_the_first_and_finds_nothing_to_do(self, post, heard, event_id):
        post(body_of("CustomerUpdated", event_id, id=1))
        make_old()
        event = WebhookEvent.objects.get()
        pruned = []

        def prune_meanwhile():
            try:
                pruned.append(prune(90, None))
            finally:
                connection.close()

        with transaction.atomic():
            event.reopen()
            other = threading.Thread(target=prune_meanwhile)
            other.start()
            other.join(0.5)
            assert not pruned
        other.join()
        assert pruned == [Pruned()]
        process(event)
        assert len(heard) == 1
        make_old()
        prune(90, None)
        assert not process_again(event)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("event_id", ["evt_1", "1"])
def test_a_crash_on_the_way_leaves_an_event_as_it_was(post, event_id):
    """Half of it would be worse than none: its receivers would be called once more."""
    post(body_of("CustomerUpdated", event_id, id=1))
    make_old()
    ReceiverRun.objects.create(event=WebhookEvent.objects.get(), receiver="a.b", seconds=1)
    for crash_at in range(1, 20):
        number = 0

        def crash(execute, sql, *args, crash_at=crash_at):
            nonlocal number
            number += 1
            if number == crash_at:
                raise KeyboardInterrupt
            return execute(sql, *args)

        try:
            with connection.execute_wrapper(crash):
                prune(90, None)
        except KeyboardInterrupt:
            is_whole = WebhookEvent.objects.exclude(body="").exists()
            assert ReceiverRun.objects.exists() == is_whole, crash_at
        else:
            break
    assert not WebhookEvent.objects.exists()
    assert crash_at > 5
