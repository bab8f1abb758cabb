"""Events by Celery: with real brokers and workers, and with brokers that fail."""

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
from django_altoviz.processing import worker as processing
from tests.conftest import body_of
from tests.dispatchers import brokers
from tests.dispatchers.proxy import Proxy
from tests.dispatchers.workers import CELERY, eventually, working

UPDATED = EventType.CUSTOMER_UPDATED
#: What all else may take, in seconds, on a busy machine.
SLACK = 20


@pytest.fixture
def work(celery_app, broker, tmp_path):
    """Start a worker of the app."""

    def work():
        queue = celery_app.conf.task_default_queue
        return working(
            [*CELERY, f"--hostname={queue}@%h"],
            tmp_path,
            WORKER_DISPATCHER="django_altoviz.dispatchers.celery",
            WORKER_BROKER=broker,
            WORKER_QUEUE=queue,
        )

    return work


def processed(count=1):
    return lambda: WebhookEvent.objects.filter(status=Status.PROCESSED).count() == count


@pytest.mark.django_db(transaction=True)
class TestWorkers:
    def test_an_event_is_processed_by_a_worker(self, post, work):
        assert post(body_of(UPDATED)).status_code == 200
        assert WebhookEvent.objects.get().status == Status.PENDING
        with work():
            assert eventually(processed())
        assert Customer.objects.exists()
        assert Group.objects.count() == 1

    def test_what_was_published_before_the_worker_started_and_twice_has_one_effect(
        self, post, work
    ):
        bodies = [body_of(UPDATED, id=number) for number in range(1, 6)]
        for body in bodies * 2:
            assert post(body).status_code == 200
        for event in WebhookEvent.objects.all():
            dispatcher.dispatch(event)
        with work():
            assert eventually(processed(5))
            assert post(body_of(UPDATED, id=6)).status_code == 200
            assert eventually(processed(6))
        assert Group.objects.count() == 6

    def test_a_worker_that_is_killed_loses_nothing_and_repeats_nothing(self, post, work, tmp_path):
        (tmp_path / "trap").touch()
        post(body_of(UPDATED))
        with work():
            assert eventually(lambda: not (tmp_path / "trap").exists())
            # The task comes back at once, and finds the event held by the dead, until its lease
            # of two seconds lapses.
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

    def test_a_broker_that_fails_breaks_no_transaction(self, celery_app, caplog):
        celery_app.conf.broker_url = f"redis://127.0.0.1:{brokers.refusing()}/0"
        with transaction.atomic():
            body = body_of(UPDATED)
            event = WebhookEvent.objects.store(WebhookEvent.from_delivery(body, "default", {}))
            dispatcher.dispatch(event)
            transaction.on_commit(lambda: Group.objects.create(name="what comes after it"))
        assert Group.objects.exists()
        assert f"Event {event.pk} could not be dispatched; it waits." in caplog.messages


@pytest.mark.django_db(transaction=True)
class TestTasks:
    def test_an_event_that_is_gone_or_done_is_no_error(self, celery_app, post):
        post(body_of(UPDATED))
        event = WebhookEvent.objects.get()
        dispatcher.process_event(event.pk)
        dispatcher.process_event(event.pk)
        assert WebhookEvent.objects.get().attempts == 1
        event.delete()
        dispatcher.process_event(event.pk)

    def test_process_event_is_done_at_once_where_tasks_are_eager(self, celery_app, post):
        celery_app.conf.task_always_eager = True
        post(body_of(UPDATED))
        assert WebhookEvent.objects.get().status == Status.PROCESSED

    def test_a_task_whose_worker_dies_comes_back(self, celery_app):
        task = celery_app.tasks["django_altoviz.dispatchers.celery.process_event"]
        assert (task.acks_late, task.reject_on_worker_lost) == (True, True)

    def test_what_a_task_leaves_of_an_object_gets_the_next(
        self, celery_app, post, published, monkeypatch
    ):
        for _ in range(3):
            post(body_of(UPDATED, id=1))
        for module in (processing, queued):
            monkeypatch.setattr(module, "PATIENCE", 0)
        while published:
            dispatcher.process_event(*published.pop())
        assert WebhookEvent.objects.filter(status=Status.PROCESSED).count() == 3

    def test_process_due_does_what_no_task_did(self, celery_app, post):
        for number in (1, 2, 3):
            post(body_of(UPDATED, id=number))
        dispatcher.process_due(limit=2)
        assert WebhookEvent.objects.filter(status=Status.PROCESSED).count() == 2
        dispatcher.process_due()
        assert WebhookEvent.objects.filter(status=Status.PROCESSED).count() == 3


SCHEMES = ["redis://127.0.0.1:{}/0", "amqp://guest:guest@127.0.0.1:{}//"]


@pytest.mark.django_db(transaction=True)
class TestBrokerDown:
    """No sender learns of it, and none waits long."""

    def assert_waits(self, post, seconds):
        started = time.monotonic()
        assert post(body_of(UPDATED)).status_code == 200
        assert time.monotonic() - started < seconds
        assert WebhookEvent.objects.latest("pk").status == Status.PENDING

    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_nobody_listens(self, celery_app, post, scheme, caplog):
        celery_app.conf.broker_url = scheme.format(brokers.refusing())
        self.assert_waits(post, SLACK)
        assert "could not be dispatched; it waits." in caplog.text

    @pytest.fixture
    def make_silent(self):
        with contextlib.ExitStack() as stack:
            yield lambda is_full: stack.enter_context(contextlib.closing(brokers.Silent(is_full)))

    @pytest.mark.parametrize("is_full", [False, True])
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_nobody_answers(
        self, celery_app, post, scheme, is_full, caplog, make_silent, monkeypatch
    ):
        silent = make_silent(is_full)
        celery_app.conf.broker_url = scheme.format(silent.port)
        self.assert_waits(post, dispatcher.PATIENCE + SLACK)
        # It is not asked, or this would take all of the patience.
        monkeypatch.setattr(dispatcher, "PATIENCE", 60)
        self.assert_waits(post, dispatcher.PATIENCE)
        assert "The broker did not answer a moment ago" in caplog.text

    def test_after_a_pause_the_broker_is_asked_again(
        self, celery_app, post, monkeypatch, published, make_silent
    ):
        monkeypatch.setattr(dispatcher, "PATIENCE", 0.5)
        monkeypatch.setattr(dispatcher, "PAUSE", 100)
        celery_app.conf.broker_url = SCHEMES[0].format(make_silent(is_full=False).port)
        self.assert_waits(post, SLACK)
        celery_app.conf.broker_url = "memory://"
        self.assert_waits(post, SLACK)
        assert published == []
        assert dispatcher.broker.paused_until > time.monotonic()
        dispatcher.broker.paused_until = time.monotonic()
        self.assert_waits(post, SLACK)
        assert len(published) == 1

    def test_a_broker_that_refuses_at_once_is_asked_for_each_event(
        self, celery_app, post, published
    ):
        celery_app.conf.broker_url = SCHEMES[0].format(brokers.refusing())
        started = time.monotonic()
        self.assert_waits(post, SLACK)
        pause = dispatcher.broker.paused_until - time.monotonic()
        assert pause < dispatcher.PAUSE * (time.monotonic() - started)
        time.sleep(max(0, pause))
        celery_app.conf.broker_url = "memory://"
        self.assert_waits(post, SLACK)
        assert len(published) == 1

    def test_a_connection_that_was_lost_meanwhile_is_made_anew(
        self, celery_app, post, published, monkeypatch
    ):
        self.assert_waits(post, SLACK)
        failures = [OperationalError("the connection was reset")]

        def send(pk, producer, send=dispatcher._send):
            if failures:
                raise failures.pop()
            send(pk, producer)

        monkeypatch.setattr(dispatcher, "_send", send)
        self.assert_waits(post, SLACK)
        assert len(published) == 2


@pytest.mark.django_db(transaction=True)
class TestBrokerFails:
    """The real brokers, when something happens on the way to them."""

    @pytest.fixture
    def proxy(self, celery_app, broker):
        address = brokers.address_of(broker)
        proxy = Proxy(*address)
        celery_app.conf.broker_url = brokers.at_port(broker, proxy.port)
        yield proxy
        proxy.close()

    def test_a_broker_that_was_restarted_gets_the_next_event(self, proxy, post, published):
        post(body_of(UPDATED))
        proxy.break_connections()
        post(body_of(UPDATED))
        assert len(published) == 2

    def test_a_broker_that_falls_silent_costs_a_bounded_time(self, proxy, post, published):
        post(body_of(UPDATED))
        proxy.is_silent = True
        started = time.monotonic()
        assert post(body_of(UPDATED)).status_code == 200
        # Once over the connection that it had, and once over a new one.
        assert time.monotonic() - started < 2 * dispatcher.PATIENCE + SLACK
        assert len(published) == 1
