"""Workers that die while they write an event to the mirror, when all is rolled back."""

from __future__ import annotations

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_altoviz.models import Customer, Status, WebhookEvent
from django_altoviz.processing import claims, drain, process
from tests.conftest import body_of
from tests.dispatchers.workers import eventually, working

pytestmark = pytest.mark.django_db(transaction=True)
COMMAND = ["-m", "django", "altoviz_process_events"]
LONG_AGO = datetime.timedelta(minutes=5)


def statuses():
    return list(WebhookEvent.objects.order_by("pk").values_list("status", flat=True))


def post_all(post):
    """Send an event that kills whoever writes it, and three innocent ones behind it."""
    post(body_of("CustomerUpdated", id=1, internalId="poison"))
    for number in range(2, 5):
        post(body_of("CustomerUpdated", id=number))


@pytest.mark.usefixtures("deferred")
class TestCommand:
    @pytest.fixture
    def run(self, tmp_path):
        def run():
            with working(
                COMMAND, tmp_path, WORKER_DISPATCHER="django_altoviz.dispatchers.deferred"
            ) as process:
                return process.wait(60)

        return run

    def test_an_event_that_kills_each_worker_is_dead_in_the_end(self, post, run):
        post_all(post)
        WebhookEvent.objects.update(received_at=timezone.now() - LONG_AGO)
        assert run() == 9
        poison = WebhookEvent.objects.first()
        assert (poison.status, poison.failures) == (Status.PENDING, 1)
        assert poison.next_attempt_at > poison.received_at
        # What is behind it is processed during its pause, however slow this machine is.
        later = timezone.now() + LONG_AGO
        WebhookEvent.objects.filter(pk=poison.pk).update(next_attempt_at=later)
        assert run() == 0
        assert statuses() == ["pending"] + ["processed"] * 3
        WebhookEvent.objects.update(next_attempt_at=timezone.now())
        assert run() == 9
        WebhookEvent.objects.update(next_attempt_at=timezone.now())
        assert run() == 1
        poison.refresh_from_db()
        assert (poison.status, poison.failures) == (Status.DEAD, 2)
        assert "worker that took it up died" in poison.error
        assert [entry["status"] for entry in poison.history] == ["failed", "failed", "dead"]

    def test_a_new_event_is_suspected_at_second_sight(self, post, run):
        """The first death of a new event leaves no trace. Ten seconds later it does."""
        post_all(post)
        assert run() == 9
        assert WebhookEvent.objects.first().failures == 0
        WebhookEvent.objects.update(received_at=timezone.now() - LONG_AGO)
        assert run() == 9
        assert WebhookEvent.objects.first().failures == 1


def test_a_celery_worker_dies_twice_of_an_event_and_goes_on(post, start_worker, tmp_path):
    post_all(post)
    with start_worker():
        assert eventually(lambda: statuses() == ["pending"] + ["processed"] * 3)
        assert eventually(lambda: WebhookEvent.objects.first().failures == 1)
    log = (tmp_path / "worker.log").read_text()
    assert log.count("Worker exited prematurely") <= 4


@pytest.mark.usefixtures("deferred")
class TestNote:
    """A note in advance is not seen by anybody if the worker lives."""

    @pytest.fixture
    def old_event(self, post):
        def old_event(**data):
            post(body_of("CustomerUpdated", id=1, **data))
            WebhookEvent.objects.update(received_at=timezone.now() - LONG_AGO)
            return WebhookEvent.objects.last()

        return old_event

    def test_an_event_of_a_backlog_ends_as_any_other(self, old_event):
        event = old_event()
        assert process(event) == [event]
        event.refresh_from_db()
        assert (event.status, event.attempts, event.failures) == (Status.PROCESSED, 1, 0)
        assert event.next_attempt_at is None
        assert [entry["status"] for entry in event.history] == ["processed"]
        assert event.error == ""

    def test_a_failure_is_counted_once(self, old_event):
        event = old_event(active="maybe")
        process(event)
        event.refresh_from_db()
        assert (event.status, event.attempts, event.failures) == (Status.FAILED, 1, 1)
        assert len(event.history) == 1
        assert "active" in event.error

    def test_an_event_that_waits_for_its_turn_is_as_before(self, old_event):
        first, second = old_event(), old_event()
        later = timezone.now() + LONG_AGO
        WebhookEvent.objects.filter(pk=first.pk).update(next_attempt_at=later)
        before = WebhookEvent.objects.filter(pk=second.pk).values().get()
        assert process(second) == []
        after = WebhookEvent.objects.filter(pk=second.pk).values().get()
        assert after == before | {"attempts": after["attempts"]}

    def test_two_workers_take_the_event_once(self, old_event):
        event = old_event()
        other = WebhookEvent.objects.get()
        claims.note_attempt(event)
        assert process(other) == []
        claims.withdraw_note(event)
        assert process(WebhookEvent.objects.get())
        assert Customer.objects.count() == 1

    def test_it_takes_one_statement(self, post):
        counts = []
        for age in (datetime.timedelta(), LONG_AGO):
            post(body_of("CustomerUpdated", id=1))
            WebhookEvent.objects.update(received_at=timezone.now() - age)
            with CaptureQueriesContext(connection) as queries:
                assert len([*drain()]) == 1
            counts.append(len(queries))
        assert counts[1] == counts[0] + 1
