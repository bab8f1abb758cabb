from __future__ import annotations

import contextlib
import datetime
import threading

import pytest
from django.db import connection, transaction
from django.utils import timezone

from django_altoviz.event_types import EventType
from django_altoviz.models import Customer, ReceiverRun, Status, WebhookEvent
from django_altoviz.processing import claims, process, process_again
from django_altoviz.retention import PRUNABLE, Pruned, longest, prune
from django_altoviz.signals import customer_updated
from tests.conftest import body_of

pytestmark = pytest.mark.django_db


def make_old(days=100):
    WebhookEvent.with_pruned.update(received_at=timezone.now() - datetime.timedelta(days=days))


def test_an_old_event_loses_its_content_and_keeps_its_id(post):
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


def test_windows_that_keep_all_events_for_ever_have_no_longest_one():
    assert longest(90, dict.fromkeys(PRUNABLE)) == 0
    assert longest(90, {Status.DEAD: 100, Status.FAILED: None}) == 100


def test_a_redelivery_of_a_pruned_event_has_no_effect(post):
    post(EventType.CUSTOMER_CREATED)
    post(EventType.CUSTOMER_UPDATED)
    Customer.objects.update(name="changed since")
    make_old()
    prune(90, None)
    answer = post(EventType.CUSTOMER_CREATED)
    assert answer.json()["status"] == "known"
    assert Customer.objects.get().name == "changed since"
    assert WebhookEvent.with_pruned.count() == 2


def test_recent_events_are_kept(post):
    post(EventType.CUSTOMER_CREATED)
    make_old(days=89)
    assert prune(90, None) == Pruned()
    assert WebhookEvent.objects.exists()


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING, Status.FAILED, Status.DEAD])
def test_events_that_still_need_processing_are_kept(post, status):
    post(EventType.CUSTOMER_CREATED)
    lease = timezone.now() if status == Status.PROCESSING else None
    WebhookEvent.objects.update(status=status, lease_expires_at=lease)
    make_old()
    assert prune(90, None) == Pruned()
    assert WebhookEvent.objects.get().body


def test_an_event_without_an_id_is_deleted(post):
    """Only its body identifies it, and the same body may be a new event one day."""
    body = body_of("CustomerUpdated", "1233", id=1, name="A")
    post(body)
    post(b"ping")
    make_old()
    assert prune(90, None) == Pruned(deleted=2)
    assert not WebhookEvent.with_pruned.exists()
    assert post(body).json()["status"] == "stored"


def test_ids_are_deleted_only_after_dedupe_days(post):
    post(EventType.CUSTOMER_CREATED)
    make_old(days=400)
    prune(90, None)
    assert prune(90, 500) == Pruned()
    assert prune(90, 365) == Pruned(deleted=1)
    assert not WebhookEvent.with_pruned.exists()


def test_a_dry_run_counts_and_changes_nothing(post):
    post(EventType.CUSTOMER_CREATED)
    post(b"ping")
    make_old()
    assert prune(90, None, dry_run=True) == Pruned(emptied=1, deleted=1)
    assert WebhookEvent.objects.count() == 2
    prune(90, None)
    make_old(days=400)
    assert prune(90, 365, dry_run=True) == Pruned(deleted=1)
    assert WebhookEvent.with_pruned.count() == 1


def test_events_are_pruned_in_batches(post, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr("django_altoviz.retention._BATCH", 2)
    for _ in range(5):
        post(body_of("CustomerUpdated"))
    make_old()
    assert prune(90, None) == Pruned(emptied=5)
    with django_assert_max_num_queries(3):
        assert prune(90, None) == Pruned()


def test_each_status_can_have_its_own_window(post):
    for number, status in enumerate(PRUNABLE):
        post(body_of("CustomerUpdated", id=number + 1))
        WebhookEvent.objects.filter(object_id=number + 1).update(status=status)
    make_old()
    kept = {"processed": None, "ignored": 101, "malformed": 99, "dead": 99, "failed": 99}
    assert prune(90, None, by_status=kept) == Pruned(emptied=3)
    left = WebhookEvent.objects.values_list("status", flat=True)
    assert {*left} == {Status.PROCESSED, Status.IGNORED}


def test_a_failed_event_that_is_pruned_becomes_dead(post):
    """Retries need the body, and a redelivery must not reopen the event."""
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
def test_an_invalid_window_is_refused(by_status):
    with pytest.raises(ValueError, match=r"is not one of|neither a number of days"):
        prune(90, None, by_status=by_status)


class TestReopenedWhilePruning:
    """Somebody reopens an event while it is being pruned."""

    @pytest.fixture
    def handled(self):
        """Record the events that a receiver handles."""
        events = []

        def listen(event, **kwargs):
            events.append(event.pk)

        customer_updated.connect(listen)
        yield events
        customer_updated.disconnect(listen)

    @pytest.fixture
    def before_first_write(self):
        """Call a function after the events were selected, before the first write of the pruning."""

        @contextlib.contextmanager
        def before_first_write(do):
            calls = [do]

            def wrapper(execute, sql, *args):
                if not sql.startswith("SELECT") and calls:
                    calls.pop()()
                return execute(sql, *args)

            with connection.execute_wrapper(wrapper):
                yield
            assert not calls

        return before_first_write

    def test_a_reopened_event_keeps_its_body_and_its_receiver_runs(
        self, post, handled, before_first_write
    ):
        for number in (1, 2):
            post(body_of("CustomerUpdated", id=number))
        make_old()
        event = WebhookEvent.objects.first()
        with before_first_write(lambda: claims.reopen(event)):
            assert prune(90, None) == Pruned(emptied=1)
        assert WebhookEvent.objects.get().body
        process(event)
        assert event.status == Status.PROCESSED
        assert len(handled) == 2  # once for each event

    def test_a_reopened_event_without_an_id_is_not_deleted(self, post, handled, before_first_write):
        post(body_of("CustomerUpdated", "1233", id=1))
        make_old()
        event = WebhookEvent.objects.get()
        with before_first_write(lambda: claims.reopen(event)):
            assert prune(90, None) == Pruned()
        process(event)
        assert event.status == Status.PROCESSED
        assert len(handled) == 1

    def test_a_failed_event_that_a_worker_retries_is_not_given_up(self, post, before_first_write):
        post(body_of("CustomerUpdated", active="maybe"))
        make_old()
        event = WebhookEvent.objects.get()
        with before_first_write(lambda: claims.claim(event)):
            assert prune(90, None, by_status={"failed": 90}) == Pruned()
        claims.settle(event, Status.PROCESSED)

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("event_id", ["evt_1", "1"])
    def test_pruning_waits_for_the_transaction_that_reopens_and_skips_the_event(
        self, post, handled, event_id
    ):
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
            claims.reopen(event)
            other = threading.Thread(target=prune_meanwhile)
            other.start()
            other.join(0.5)
            assert not pruned
        other.join()
        assert pruned == [Pruned()]
        process(event)
        assert len(handled) == 1
        make_old()
        prune(90, None)
        assert process_again(event).is_refusal


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("event_id", ["evt_1", "1"])
def test_a_crash_never_leaves_an_event_half_pruned(post, event_id):
    """An event with a body and without receiver runs would call its receivers again."""
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
