"""The Celery dispatcher: real brokers and workers, and brokers that fail."""

from __future__ import annotations

import contextlib
import time

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from kombu.exceptions import OperationalError

from django_altoviz.dispatchers import celery as dispatcher
from django_altoviz.dispatchers import queued
from django_altoviz.event_types import EventType
from django_altoviz.models import Customer, Status, WebhookEvent
from django_altoviz.processing import worker
from tests.conftest import body_of
from tests.dispatchers import brokers
from tests.dispatchers.proxy import Proxy
from tests.dispatchers.workers import eventually

UPDATED = EventType.CUSTOMER_UPDATED
#: Seconds that everything else may take on a busy machine.
SLACK = 20


def processed(count=1):
    return lambda: WebhookEvent.objects.filter(status=Status.PROCESSED).count() == count


@pytest.mark.django_db(transaction=True)
class TestWorkers:
    def test_an_event_is_processed_by_a_worker(self, post, start_worker):
        assert post(body_of(UPDATED)).status_code == 200
        assert WebhookEvent.objects.get().status == Status.PENDING
        with start_worker():
            assert eventually(processed())
        assert Customer.objects.exists()
        assert Group.objects.count() == 1

    def test_events_published_twice_before_the_worker_started_have_one_effect(
        self, post, start_worker
    ):
        bodies = [body_of(UPDATED, id=number) for number in range(1, 6)]
        for body in bodies * 2:
            assert post(body).status_code == 200
        for event in WebhookEvent.objects.all():
            dispatcher.dispatch(event)
        with start_worker():
            assert eventually(processed(5))
            assert post(body_of(UPDATED, id=6)).status_code == 200
            assert eventually(processed(6))
        assert Group.objects.count() == 6

    def test_a_worker_that_is_killed_loses_nothing_and_repeats_nothing(
        self, post, start_worker, tmp_path
    ):
        (tmp_path / "trap").touch()
        post(body_of(UPDATED))
        with start_worker():
            assert eventually(lambda: not (tmp_path / "trap").exists())
            # The task comes back at once, but the dead worker still holds the lease of two
            # seconds. The sleep lets it expire.
            time.sleep(2.2)
            dispatcher.process_due.delay()
            assert eventually(processed())
        assert WebhookEvent.objects.get().attempts == 2
        assert Group.objects.count() == 1


@pytest.mark.django_db(transaction=True)
class TestCommit:
    def test_an_event_is_published_when_workers_can_see_it(self, celery_app, published):
        with transaction.atomic():
            body = body_of(UPDATED)
            event = WebhookEvent.objects.store(WebhookEvent.from_delivery(body, "default", {}))
            dispatcher.dispatch(event)
            assert published == []
        assert published == [(event.pk,)]

    def test_an_event_that_is_rolled_back_is_not_published(self, celery_app, published):
        with transaction.atomic():
            body = body_of(UPDATED)
            event = WebhookEvent.objects.store(WebhookEvent.from_delivery(body, "default", {}))
            dispatcher.dispatch(event)
            transaction.set_rollback(True)
        assert published == []

    def test_a_failing_broker_does_not_break_the_transaction(self, celery_app, caplog):
        celery_app.conf.broker_url = f"redis://127.0.0.1:{brokers.refusing_port()}/0"
        with transaction.atomic():
            body = body_of(UPDATED)
            event = WebhookEvent.objects.store(WebhookEvent.from_delivery(body, "default", {}))
            dispatcher.dispatch(event)
            transaction.on_commit(lambda: Group.objects.create(name="a later on_commit"))
        assert Group.objects.exists()
        assert (
            f"Event {event.pk} is stored but could not be dispatched. Run altoviz_process_events."
            in caplog.messages
        )


@pytest.mark.django_db(transaction=True)
class TestTasks:
    def test_a_task_for_a_missing_or_processed_event_does_nothing(self, celery_app, post):
        post(body_of(UPDATED))
        event = WebhookEvent.objects.get()
        dispatcher.process_event(event.pk)
        dispatcher.process_event(event.pk)
        assert WebhookEvent.objects.get().attempts == 1
        event.delete()
        dispatcher.process_event(event.pk)

    def test_eager_tasks_process_the_event_at_once(self, celery_app, post):
        celery_app.conf.task_always_eager = True
        post(body_of(UPDATED))
        assert WebhookEvent.objects.get().status == Status.PROCESSED

    def test_a_task_is_redelivered_if_its_worker_dies(self, celery_app):
        task = celery_app.tasks["django_altoviz.dispatchers.celery.process_event"]
        assert (task.acks_late, task.reject_on_worker_lost) == (True, True)

    def test_a_task_enqueues_the_events_that_it_leaves_of_an_object(
        self, celery_app, post, published, monkeypatch
    ):
        for _ in range(3):
            post(body_of(UPDATED, id=1))
        for module in (worker, queued):
            monkeypatch.setattr(module, "TIME_BUDGET", 0)
        while published:
            dispatcher.process_event(*published.pop())
        assert WebhookEvent.objects.filter(status=Status.PROCESSED).count() == 3

    def test_process_due_processes_events_that_no_task_has_processed(self, celery_app, post):
        for number in (1, 2, 3):
            post(body_of(UPDATED, id=number))
        dispatcher.process_due(limit=2)
        assert WebhookEvent.objects.filter(status=Status.PROCESSED).count() == 2
        dispatcher.process_due()
        assert WebhookEvent.objects.filter(status=Status.PROCESSED).count() == 3


SCHEMES = ["redis://127.0.0.1:{}/0", "amqp://guest:guest@127.0.0.1:{}//"]


@pytest.mark.django_db(transaction=True)
class TestBrokerDown:
    """A broker that is down does not fail a delivery and delays it only briefly."""

    def assert_stored_within(self, post, seconds):
        started = time.monotonic()
        assert post(body_of(UPDATED)).status_code == 200
        assert time.monotonic() - started < seconds
        assert WebhookEvent.objects.latest("pk").status == Status.PENDING

    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_nothing_listens_on_the_brokers_port(self, celery_app, post, scheme, caplog):
        celery_app.conf.broker_url = scheme.format(brokers.refusing_port())
        self.assert_stored_within(post, SLACK)
        assert "could not be dispatched." in caplog.text

    @pytest.fixture
    def make_silent(self):
        with contextlib.ExitStack() as stack:
            yield lambda is_full: stack.enter_context(
                contextlib.closing(brokers.SilentServer(is_full))
            )

    @pytest.mark.parametrize("is_full", [False, True])
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_the_broker_does_not_answer(
        self, celery_app, post, scheme, is_full, caplog, make_silent, monkeypatch
    ):
        silent = make_silent(is_full)
        celery_app.conf.broker_url = scheme.format(silent.port)
        self.assert_stored_within(post, dispatcher.BROKER_TIMEOUT + SLACK)
        # A second attempt would take this whole timeout.
        monkeypatch.setattr(dispatcher, "BROKER_TIMEOUT", 60)
        self.assert_stored_within(post, dispatcher.BROKER_TIMEOUT)
        assert "The circuit breaker is open" in caplog.text

    def test_after_a_pause_the_broker_is_tried_again(
        self, celery_app, post, monkeypatch, published, make_silent
    ):
        monkeypatch.setattr(dispatcher, "BROKER_TIMEOUT", 0.5)
        monkeypatch.setattr(dispatcher, "PAUSE", 100)
        celery_app.conf.broker_url = SCHEMES[0].format(make_silent(is_full=False).port)
        self.assert_stored_within(post, SLACK)
        celery_app.conf.broker_url = "memory://"
        self.assert_stored_within(post, SLACK)
        assert published == []
        assert dispatcher.broker.paused_until > time.monotonic()
        dispatcher.broker.paused_until = time.monotonic()
        self.assert_stored_within(post, SLACK)
        assert len(published) == 1

    def test_a_broker_that_refuses_connections_is_tried_for_each_event(
        self, celery_app, post, published
    ):
        celery_app.conf.broker_url = SCHEMES[0].format(brokers.refusing_port())
        started = time.monotonic()
        self.assert_stored_within(post, SLACK)
        pause = dispatcher.broker.paused_until - time.monotonic()
        assert pause < dispatcher.PAUSE * (time.monotonic() - started)
        time.sleep(max(0, pause))
        celery_app.conf.broker_url = "memory://"
        self.assert_stored_within(post, SLACK)
        assert len(published) == 1

    def test_a_lost_connection_is_replaced(self, celery_app, post, published, monkeypatch):
        self.assert_stored_within(post, SLACK)
        failures = [OperationalError("the connection was reset")]

        def send(task, args, producer, send=dispatcher._apply):
            if failures:
                raise failures.pop()
            send(task, args, producer)

        monkeypatch.setattr(dispatcher, "_apply", send)
        self.assert_stored_within(post, SLACK)
        assert len(published) == 2


@pytest.mark.django_db(transaction=True)
class TestBrokerFails:
    """Real brokers behind a proxy that breaks or silences the connection."""

    @pytest.fixture
    def proxy(self, celery_app, broker):
        address = brokers.address_of(broker)
        proxy = Proxy(*address)
        celery_app.conf.broker_url = brokers.at_port(broker, proxy.port)
        yield proxy
        proxy.close()

    def test_a_restarted_broker_gets_the_next_event(self, proxy, post, published):
        post(body_of(UPDATED))
        proxy.break_connections()
        post(body_of(UPDATED))
        assert len(published) == 2

    def test_a_broker_that_stops_answering_delays_a_delivery_only_briefly(
        self, proxy, post, published
    ):
        post(body_of(UPDATED))
        proxy.is_silent = True
        started = time.monotonic()
        assert post(body_of(UPDATED)).status_code == 200
        # Once over the old connection, and once over a new one.
        assert time.monotonic() - started < 2 * dispatcher.BROKER_TIMEOUT + SLACK
        assert len(published) == 1
