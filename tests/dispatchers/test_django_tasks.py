"""Events by Django Tasks: at once, by its database backend with a worker, and where it fails."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import transaction
from django_tasks_db.models import DBTaskResult

from django_altoviz.checks import check_settings
from django_altoviz.dispatchers import django_tasks as dispatcher
from django_altoviz.dispatchers import queued
from django_altoviz.event_types import EventType
from django_altoviz.models import Status, WebhookEvent
from django_altoviz.processing import worker
from tests.conftest import body_of
from tests.dispatchers.workers import DB_WORKER, eventually, working

UPDATED = EventType.CUSTOMER_UPDATED
PATH = "django_altoviz.dispatchers.django_tasks"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def chosen(settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": PATH}


@pytest.fixture
def database(settings):
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}


def processed(count):
    return lambda: WebhookEvent.objects.filter(status=Status.PROCESSED).count() == count


def test_the_immediate_backend_processes_at_once(post):
    post(body_of(UPDATED))
    assert WebhookEvent.objects.get().status == Status.PROCESSED


def test_what_a_task_leaves_of_an_object_gets_the_next(post, settings, monkeypatch):
    settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": "django_altoviz.dispatchers.deferred"}
    for _ in range(3):
        post(body_of(UPDATED, id=1))
    for module in (worker, queued):
        monkeypatch.setattr(module, "TIME_BUDGET", 0)
    dispatcher.dispatch(WebhookEvent.objects.last())
    assert processed(3)()


def test_process_due_does_what_no_task_did(post, settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": "django_altoviz.dispatchers.deferred"}
    for number in (1, 2, 3):
        post(body_of(UPDATED, id=number))
    dispatcher.process_due.enqueue(limit=2)
    assert processed(2)()
    dispatcher.process_due.enqueue()
    assert processed(3)()


@pytest.mark.usefixtures("database")
class TestDatabaseBackend:
    def test_events_are_processed_by_a_worker_also_if_enqueued_twice(self, post, tmp_path):
        for number in range(1, 6):
            assert post(body_of(UPDATED, id=number)).status_code == 200
        assert not WebhookEvent.objects.exclude(status=Status.PENDING).exists()
        for event in WebhookEvent.objects.all():
            dispatcher.dispatch(event)
        with working(DB_WORKER, tmp_path, WORKER_DISPATCHER=PATH):
            assert eventually(processed(5))
            assert post(body_of(UPDATED, id=6)).status_code == 200
            assert eventually(processed(6))
        assert Group.objects.count() == 6

    def test_a_worker_that_is_killed_loses_nothing_and_repeats_nothing(self, post, tmp_path):
        (tmp_path / "trap").touch()
        post(body_of(UPDATED))
        with working(DB_WORKER, tmp_path, WORKER_DISPATCHER=PATH) as worker:
            worker.wait(30)
        assert WebhookEvent.objects.get().status == Status.PROCESSING
        with working(DB_WORKER, tmp_path, WORKER_DISPATCHER=PATH):

            def run_the_safety_net():
                dispatcher.process_due.enqueue()
                return processed(1)()

            assert eventually(run_the_safety_net)
        assert Group.objects.count() == 1

    def test_an_event_is_enqueued_when_workers_can_see_it(self):
        with transaction.atomic():
            body = body_of(UPDATED)
            event = WebhookEvent.objects.store(WebhookEvent.from_delivery(body, "default", {}))
            dispatcher.dispatch(event)
            assert not DBTaskResult.objects.exists()
        assert DBTaskResult.objects.get().args_kwargs["args"] == [event.pk]

    def test_an_event_that_is_gone_is_no_error(self, post):
        post(body_of(UPDATED))
        WebhookEvent.objects.all().delete()
        call_command("db_worker", batch=True, reload=False, startup_delay=False, verbosity=0)
        assert DBTaskResult.objects.get().status == "SUCCESSFUL"


class FailingBackend:
    """A queue that is down."""

    def __init__(self, alias, params):
        self.queues = set()

    def enqueue(self, task, args, kwargs):
        raise ConnectionError("the queue is down")


def test_a_queue_that_is_down_never_reaches_the_sender(post, settings, caplog):
    settings.TASKS = {"default": {"BACKEND": f"{__name__}.FailingBackend"}}
    assert post(body_of(UPDATED)).status_code == 200
    event = WebhookEvent.objects.get()
    assert event.status == Status.PENDING
    assert f"Event {event.pk} could not be dispatched; it waits." in caplog.messages


def test_good_settings_have_no_fault():
    assert "django_altoviz.E005" not in {message.id for message in check_settings()}
