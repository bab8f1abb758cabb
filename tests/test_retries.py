"""Retries: their backoff, the events that wait for them, and the events that are given up."""

from __future__ import annotations

import datetime

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.core.management import call_command
from django.db import OperationalError, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.exceptions import GiveUp, RetryLater
from django_altoviz.models import Customer, ReceiverRun, Status, WebhookEvent, events, queue
from django_altoviz.processing import (
    Replay,
    claims,
    drain,
    process,
    process_again,
    receivers,
    retries,
    worker,
)
from django_altoviz.processing.history import LOST_WORKER
from django_altoviz.processing.retries import after_failure, pause_after
from django_altoviz.signals import customer_created, customer_updated, event_failed
from tests.conftest import body_of

pytestmark = pytest.mark.django_db

LEASE = datetime.timedelta(seconds=60)


def store(event_type="CustomerUpdated", **data):
    event = WebhookEvent.from_delivery(body_of(event_type, **data), "default", {})
    return WebhookEvent.objects.store(event)


def statuses():
    return list(WebhookEvent.objects.order_by("pk").values_list("status", flat=True))


def make_due():
    WebhookEvent.objects.filter(next_attempt_at__isnull=False).update(
        next_attempt_at=timezone.now()
    )


def tick():
    """Make all retries due, and process them."""
    make_due()
    return list(drain())


@pytest.fixture
def using(settings):
    def using(**values):
        settings.ALTOVIZ = settings.ALTOVIZ | values

    return using


class Receiver:
    """A receiver that raises the given errors in turn, and then succeeds."""

    def __init__(self):
        self.raises = []
        self.calls = []

    def __call__(self, event, **kwargs):
        self.calls.append(event.pk)
        if self.raises and (error := self.raises.pop(0)):
            raise error


@pytest.fixture
def receiver():
    receiver = Receiver()
    customer_updated.connect(receiver)
    yield receiver
    customer_updated.disconnect(receiver)


@pytest.fixture
def other():
    other = type("Other", (Receiver,), {})()
    customer_updated.connect(other)
    yield other
    customer_updated.disconnect(other)


class TestBackoff:
    @given(st.integers(1, 500))
    def test_pauses_double_up_to_the_maximum(self, failures):
        seconds = pause_after(failures).total_seconds()
        full = min(60 * 2 ** (failures - 1), 6 * 60 * 60)
        assert full / 2 <= seconds <= full

    def test_pauses_have_jitter(self):
        assert len({pause_after(5) for _ in range(20)}) > 1

    def test_the_pauses_can_be_set_by_the_project(self, using):
        using(RETRY_BACKOFF_SECONDS=0.5, RETRY_BACKOFF_MAX_SECONDS=1)
        assert pause_after(1).total_seconds() <= 0.5
        assert pause_after(9).total_seconds() <= 1


class TestAttempts:
    def test_an_event_is_dead_after_its_last_attempt(self, receiver, using):
        using(MAX_ATTEMPTS=3)
        receiver.raises = [RuntimeError(), RuntimeError(), RuntimeError()]
        event = store()
        process(event)
        assert (event.status, event.failures) == (Status.FAILED, 1)
        assert event.next_attempt_at > timezone.now()
        assert tick()[0].status == Status.FAILED
        assert tick()[0].status == Status.DEAD
        assert tick() == []
        event.refresh_from_db()
        assert event.settled_at is not None
        assert event.next_attempt_at is None
        assert [entry["status"] for entry in event.history] == ["failed", "failed", "dead"]

    def test_an_event_is_not_retried_before_it_is_due(self, receiver):
        receiver.raises = [RuntimeError()]
        event = store()
        process(event)
        assert list(drain()) == []
        assert process(WebhookEvent.objects.get()) == []
        assert len(receiver.calls) == 1

    def test_a_redelivery_of_a_failed_event_is_a_retry(self, post, receiver):
        """Deduplication must not drop the redelivery of an event that has failed."""
        receiver.raises = [RuntimeError()]
        body = body_of("CustomerUpdated", "evt_1")
        assert post(body).json()["status"] == "stored"
        assert statuses() == ["failed"]
        assert post(body).json()["status"] == "known"
        assert statuses() == ["failed"]
        WebhookEvent.objects.update(next_attempt_at=timezone.now())  # the end of the pause
        assert post(body).json()["status"] == "known"
        assert statuses() == ["processed"]
        assert len(receiver.calls) == 2

    def test_failures_are_counted_anew_for_an_event_that_is_processed_again(self, receiver, using):
        using(MAX_ATTEMPTS=1)
        receiver.raises = [RuntimeError()]
        event = store()
        process(event)
        assert event.status == Status.DEAD
        assert process_again(event) == Replay.PROCESSED
        assert (event.status, event.failures) == (Status.PROCESSED, 0)

    def test_attempts_that_killed_their_workers_count(self, using):
        using(MAX_ATTEMPTS=3)
        event = store(id=1)
        claims.claim(event)
        for failures in (1, 2):
            WebhookEvent.objects.update(lease_expires_at=timezone.now())
            event.refresh_from_db()
            assert claims.claim(event)
            assert event.failures == failures
        WebhookEvent.objects.update(lease_expires_at=timezone.now())
        event.refresh_from_db()
        assert process(event) == [event]
        assert event.status == Status.DEAD
        assert "died" in event.error
        assert [entry["status"] for entry in event.history] == ["failed"] * 3 + ["dead"]
        assert not Customer.objects.exists()

    def test_an_event_is_not_dead_while_another_worker_makes_its_last_attempt(self, using):
        using(MAX_ATTEMPTS=1)
        claims.claim(store(id=1))
        WebhookEvent.objects.update(lease_expires_at=timezone.now())
        stale = WebhookEvent.objects.get()
        WebhookEvent.objects.update(lease_expires_at=timezone.now() + LEASE)
        assert process(stale) == []
        assert statuses() == ["processing"]

    def test_a_crash_and_the_failure_after_it_count_as_two(self):
        event = store(id=1, active="maybe")
        claims.claim(event)
        WebhookEvent.objects.update(lease_expires_at=timezone.now())
        event.refresh_from_db()
        process(event)
        assert (event.status, event.failures) == (Status.FAILED, 2)

    def test_an_event_is_left_to_a_worker_that_has_renewed_its_lease(self):
        claims.claim(store(id=1))
        WebhookEvent.objects.update(lease_expires_at=timezone.now())
        stale = WebhookEvent.objects.get()
        WebhookEvent.objects.update(lease_expires_at=timezone.now() + LEASE)
        assert process(stale) == []

    def test_event_failed_is_sent_for_each_failure_including_the_last(self, receiver, using):
        received = []

        def listen(sender, event, error, **kwargs):
            received.append((event.status, str(error)))

        using(MAX_ATTEMPTS=2)
        receiver.raises = [RuntimeError("once"), RuntimeError("twice")]
        event_failed.connect(listen)
        try:
            process(store())
            tick()
        finally:
            event_failed.disconnect(listen)
        assert received == [("failed", "once"), ("dead", "twice")]


class TestRetryLater:
    def test_retry_later_sets_the_time_of_the_next_attempt(self, receiver):
        receiver.raises = [RetryLater(3600, "closed at night")]
        event = store()
        process(event)
        left = (event.next_attempt_at - timezone.now()).total_seconds()
        assert 3590 < left <= 3600
        assert event.status == Status.FAILED
        assert "again after 1:00:00: closed at night" in event.error
        assert tick()[0].status == Status.PROCESSED

    def test_retry_later_does_not_count_as_a_failure(self, receiver, using):
        using(MAX_ATTEMPTS=2)
        receiver.raises = [RetryLater(datetime.timedelta(seconds=1)) for _ in range(9)]
        process(store())
        for _ in range(8):
            assert tick()[0].status == Status.FAILED
        assert tick()[0].status == Status.PROCESSED
        assert WebhookEvent.objects.get().failures == 0

    def test_retry_later_does_not_count_as_a_failure_after_the_lease_either(self, receiver, using):
        using(LEASE_SECONDS=0)
        receiver.raises = [RetryLater(60)]
        event = store()
        process(event)
        assert (event.status, event.failures) == (Status.FAILED, 0)

    def test_retry_later_logs_a_warning_and_does_not_send_event_failed(self, receiver, caplog):
        received = []

        def listen(sender, **kwargs):
            received.append(sender)

        receiver.raises = [RetryLater(60, "closed at night")]
        event_failed.connect(listen)
        try:
            process(store(id=7))
        finally:
            event_failed.disconnect(listen)
        assert received == []
        (record,) = caplog.records
        assert record.levelname == "WARNING"
        assert record.message.endswith("postponed: again after 0:01:00: closed at night")

    @pytest.mark.parametrize("error", [RetryLater(datetime.timedelta.max), RuntimeError()])
    def test_the_next_attempt_is_at_most_two_years_away(self, receiver, using, error):
        using(RETRY_BACKOFF_SECONDS=1e300, RETRY_BACKOFF_MAX_SECONDS=1e300)
        receiver.raises = [error]
        event = store()
        process(event)
        assert event.status == Status.FAILED
        assert event.next_attempt_at.year <= timezone.now().year + 2

    def test_a_failure_after_the_lease_counts_once(self, receiver, using):
        using(LEASE_SECONDS=0)
        receiver.raises = [RuntimeError()]
        event = store()
        process(event)
        assert event.failures == 1

    def test_the_longest_pause_of_several_receivers_wins(self, receiver, other):
        receiver.raises, other.raises = [RetryLater(7200)], [RuntimeError()]
        event = store()
        process(event)
        assert event.failures == 1
        assert (event.next_attempt_at - timezone.now()).total_seconds() > 7000


class TestGiveUp:
    def test_give_up_makes_the_event_dead_and_keeps_the_reason(self, receiver, other):
        receiver.raises = [GiveUp("no such client")]
        event = store()
        process(event)
        assert event.status == Status.DEAD
        assert "Receiver: no such client" in event.error
        assert len(other.calls) == 1
        run = ReceiverRun.objects.get(gave_up="no such client")
        assert run.receiver.endswith("Receiver")

    def test_give_up_leaves_the_other_receivers_their_attempts(self, receiver, other):
        receiver.raises, other.raises = [GiveUp("")], [RuntimeError()]
        process(store())
        assert statuses() == ["failed"]
        assert tick()[0].status == Status.DEAD
        assert (len(receiver.calls), len(other.calls)) == (1, 2)
        assert "given up" in WebhookEvent.objects.get().error

    def test_give_up_after_another_receiver_succeeded_makes_the_event_dead(self, receiver, other):
        other.raises = [GiveUp("no such client")]
        process(store())
        assert statuses() == ["dead"]
        assert (len(receiver.calls), len(other.calls)) == (1, 1)

    def test_give_up_of_a_worker_that_has_lost_its_claim_is_not_recorded(
        self, receiver, monkeypatch
    ):
        reason_to_give_up = receivers.reason_to_give_up

        def reason_after_another_claim(error):
            WebhookEvent.objects.update(attempts=9)
            return reason_to_give_up(error)

        monkeypatch.setattr(receivers, "reason_to_give_up", reason_after_another_claim)
        receiver.raises = [GiveUp("too late")]
        assert process(store()) == []
        assert not ReceiverRun.objects.exists()
        assert statuses() == ["processing"]

    def test_a_run_that_gave_up_took_no_time(self, receiver, other):
        receiver.raises = [GiveUp("no such client")]
        process(store())
        gave_up, succeeded = ReceiverRun.objects.order_by("-gave_up")
        assert gave_up.seconds == 0
        assert 0 <= succeeded.seconds < 60

    def test_a_receiver_that_gave_up_is_called_when_the_event_is_processed_again(
        self, receiver, other
    ):
        receiver.raises = [GiveUp("for now")]
        event = store()
        process(event)
        assert process_again(event) == Replay.PROCESSED
        assert event.status == Status.PROCESSED
        assert (len(receiver.calls), len(other.calls)) == (2, 1)

    @pytest.mark.django_db(transaction=True)
    def test_give_up_in_on_commit_does_not_make_the_event_dead(self):
        """The receiver's run is committed by then, so the receiver is not called again."""

        def give_up():
            raise GiveUp("too late")

        def receive(event, **kwargs):
            transaction.on_commit(give_up, using=event._state.db)

        customer_updated.connect(receive)
        try:
            event = store()
            process(event)
            assert event.status == Status.FAILED
            assert "too late" in event.error
            assert tick()[0].status == Status.PROCESSED
        finally:
            customer_updated.disconnect(receive)

    def test_give_up_rolls_back_the_writes_of_the_receiver(self):
        def work_and_give_up(**kwargs):
            Customer.objects.update(name="changed")
            raise GiveUp("after all")

        customer_created.connect(work_and_give_up)
        try:
            process(store("CustomerCreated", id=1, name="A"))
        finally:
            customer_created.disconnect(work_and_give_up)
        assert Customer.objects.get().name == "A"


class TestWaiting:
    def test_later_events_wait_while_an_earlier_one_is_retried(self, receiver):
        receiver.raises = [RuntimeError()]
        events = [store(id=1) for _ in range(3)]
        for event in events:
            process(event)
        assert statuses() == ["failed", "pending", "pending"]
        assert receiver.calls == [events[0].pk]
        tick()
        assert receiver.calls == [events[0].pk, *(event.pk for event in events)]
        assert statuses() == ["processed"] * 3

    def test_later_events_no_longer_wait_for_a_dead_one(self, receiver, using):
        using(MAX_ATTEMPTS=2)
        receiver.raises = [RuntimeError(), RuntimeError()]
        first, second = store(id=1), store(id=1)
        process(first)
        assert process(second) == []
        tick()
        assert statuses() == ["dead", "processed"]

    def test_events_of_other_objects_do_not_wait(self, receiver):
        receiver.raises = [RuntimeError()]
        process(store(id=1))
        process(store(id=2))
        assert statuses() == ["failed", "processed"]

    def test_events_do_not_wait_for_one_that_cannot_be_mirrored(self):
        """Nothing is lost, because a later event has the whole object."""
        process(store(id=1, active="maybe"))
        process(store(id=1, name="newer"))
        assert statuses() == ["failed", "processed"]
        assert Customer.objects.get().name == "newer"

    def test_later_events_do_not_wait_if_the_project_says_so(self, receiver, using):
        using(WAIT_FOR_RETRIES=False)
        receiver.raises = [RuntimeError()]
        process(store(id=1))
        process(store(id=1))
        assert statuses() == ["failed", "processed"]
        tick()
        assert statuses() == ["processed", "processed"]

    def test_an_event_waits_for_a_later_one_that_is_being_processed(self, receiver):
        """Keys are assigned before the commit: a later event can be visible, and claimed, first."""
        late, taken = store(id=1), store(id=1)
        WebhookEvent.objects.filter(pk=late.pk).update(status=Status.IGNORED)
        claims.claim(WebhookEvent.objects.get(pk=taken.pk))
        WebhookEvent.objects.filter(pk=late.pk).update(status=Status.PENDING)
        assert process(late) == []
        WebhookEvent.objects.filter(pk=taken.pk).update(lease_expires_at=timezone.now())
        assert [event.pk for event in process(late)] == [late.pk, taken.pk]

    def test_the_worker_of_a_later_event_goes_on_with_an_earlier_one(self):
        early = store(id=1)
        pk = early.pk
        early.delete()

        def store_earlier(event, **kwargs):
            if event.pk != pk:
                late = WebhookEvent.from_delivery(body_of("CustomerUpdated", id=1), "default", {})
                late.pk = pk
                assert process(WebhookEvent.objects.store(late)) == []

        customer_updated.connect(store_earlier)
        try:
            tried = process(store(id=1))
        finally:
            customer_updated.disconnect(store_earlier)
        assert [event.pk for event in tried] == [pk + 1, pk]
        assert statuses() == ["processed", "processed"]


class TestSoftTimeLimits:
    """The exception that a task queue raises in a task that takes too long.

    The task must end, and the attempt counts as a failure.
    """

    class RQTimeout(type("BaseTimeoutException", (Exception,), {"__module__": "rq.timeouts"})):
        pass

    @pytest.mark.parametrize("error", [SoftTimeLimitExceeded(), RQTimeout()])
    def test_a_time_limit_in_a_receiver_ends_the_task_and_counts_as_a_failure(
        self, receiver, other, error
    ):
        receiver.raises = [error]
        events = [store(id=1) for _ in range(2)]
        with pytest.raises(type(error)):
            process(events[0])
        assert other.calls == []
        assert statuses() == ["failed", "pending"]
        assert WebhookEvent.objects.first().failures == 1
        tick()
        assert statuses() == ["processed", "processed"]

    def test_a_time_limit_while_the_event_is_mirrored_ends_the_task(self, monkeypatch):
        def apply_for_too_long(event, refetched):
            raise SoftTimeLimitExceeded

        monkeypatch.setattr(worker, "apply", apply_for_too_long)
        with pytest.raises(SoftTimeLimitExceeded):
            process(store())
        assert statuses() == ["failed"]


def test_a_database_error_leaves_the_event_pending(monkeypatch, receiver):
    """The failure counts, and later events of the object wait."""
    event = store(id=1)

    def deadlock(event, refetched):
        raise OperationalError("deadlock detected")

    with monkeypatch.context() as patch:
        patch.setattr(worker, "apply", deadlock)
        process(event)
    assert (event.status, event.failures) == (Status.PENDING, 1)
    assert "deadlock" in event.error
    assert process(store(id=1)) == []
    tick()
    assert statuses() == ["processed", "processed"]


def test_errors_decide_the_status_and_the_number_of_failures():
    for errors, status, failures in [
        ([RuntimeError()], Status.FAILED, 1),
        ([RetryLater(1)], Status.FAILED, 0),
        ([RetryLater(1), RuntimeError()], Status.FAILED, 1),
    ]:
        result, more = after_failure(0, errors)
        assert (result, more["failures"]) == (status, failures)


def test_the_command_counts_dead_events(receiver, using, capsys):
    using(MAX_ATTEMPTS=1)
    receiver.raises = [RuntimeError()]
    store()
    with pytest.raises(Exception, match=r"^1 event failed\."):
        call_command("altoviz_process_events")
    assert capsys.readouterr().out == "processed: 0, ignored: 0, failed: 0, dead: 1\n"


def test_a_lower_limit_of_attempts_gives_up_nothing_untried(receiver, using):
    using(MAX_ATTEMPTS=9)
    receiver.raises = [RuntimeError()] * 4
    event = store()
    for _ in range(4):
        process(event)
        event.next_attempt_at = None
        event.save()
    using(MAX_ATTEMPTS=3)
    process(event)
    assert (event.status, len(receiver.calls)) == (Status.PROCESSED, 5)


def test_a_worker_lost_long_ago_does_not_count_as_the_last_attempt(receiver, using):
    event = store()
    lost, failed = ({"at": "", "status": "failed", "error": text} for text in (LOST_WORKER, "x"))
    values = {"status": Status.FAILED, "attempts": 2, "failures": 2, "history": [lost, failed]}
    WebhookEvent.objects.filter(pk=event.pk).update(**values)
    using(MAX_ATTEMPTS=2)
    process(WebhookEvent.objects.get())
    assert (statuses(), receiver.calls) == (["processed"], [event.pk])


def test_a_failed_event_is_not_settled_and_its_cause_fits_the_column(receiver):
    receiver.raises = [type("E" * 300, (Exception,), {})()]
    event = store()
    process(event)
    assert (event.status, event.settled_at, len(event.cause)) == (Status.FAILED, None, 255)


class TestWithoutTimeZones:
    """A project with USE_TZ = False, in the night in which its clock shows an hour twice."""

    @pytest.fixture
    def clock(self, settings, monkeypatch):
        settings.USE_TZ = False
        now = [datetime.datetime(2026, 10, 25, 0, 59, 30)]  # in UTC; Paris is at 02:59:30
        for module in (queue, events, retries):
            monkeypatch.setattr(module, "clock", lambda: now[0])

        def later(seconds):
            now[0] += datetime.timedelta(seconds=seconds)

        return later

    def test_times_of_the_queue_are_in_utc(self, settings):
        settings.USE_TZ = False
        assert abs(
            queue.clock() - datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        ) < datetime.timedelta(minutes=1)

    def test_a_retry_comes_after_its_pause(self, receiver, clock, using):
        using(RETRY_BACKOFF_SECONDS=60)
        receiver.raises = [RuntimeError()]
        process(store())
        clock(61)  # Paris is at 02:00:31
        assert [event.status for event in drain()] == [Status.PROCESSED]

    def test_the_event_of_a_dead_worker_comes_after_its_lease(self, receiver, clock, using):
        using(LEASE_SECONDS=300)
        event = store()
        claims.claim(event)
        clock(299)
        assert [*drain()] == []
        clock(2)
        assert [event.status for event in drain()] == [Status.PROCESSED]
