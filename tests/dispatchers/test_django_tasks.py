"""The Django Tasks dispatcher: the immediate backend, the database backend, and a failing one."""

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


def test_a_task_enqueues_the_events_that_it_leaves_of_an_object(post, settings, monkeypatch):
    settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": "django_altoviz.dispatchers.deferred"}
    for _ in range(3):
        post(body_of(UPDATED, id=1))
    for module in (worker, queued):
        monkeypatch.setattr(module, "TIME_BUDGET", 0)
    dispatcher.dispatch(WebhookEvent.objects.last())
    assert processed(3)()


def test_process_due_processes_events_that_no_task_has_processed(post, settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": "django_altoviz.dispatchers.deferred"}
    for number in (1, 2, 3):
        post(body_of(UPDATED, id=number))
    dispatcher.process_due.enqueue(limit=2)
    assert processed(2)()
    dispatcher.process_due.enqueue()
    assert processed(3)()


@pytest.mark.usefixtures("database")
class TestDatabaseBackend:
    def test_a_worker_processes_each_event_once_even_if_enqueued_twice(self, post, tmp_path):
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

    def test_a_task_for_a_missing_event_does_nothing(self, post):
        post(body_of(UPDATED))
        WebhookEvent.objects.all().delete()
        call_command("db_worker", batch=True, reload=False, startup_delay=False, verbosity=0)
        assert DBTaskResult.objects.get().status == "SUCCESSFUL"


class FailingBackend:
    """Task backend whose queue is down."""

    def __init__(self, alias, params):
        self.queues = set()

    def enqueue(self, task, args, kwargs):
        raise ConnectionError("the queue is down")


def test_a_queue_that_is_down_does_not_fail_the_delivery(post, settings, caplog):
    settings.TASKS = {"default": {"BACKEND": f"{__name__}.FailingBackend"}}
    assert post(body_of(UPDATED)).status_code == 200
    event = WebhookEvent.objects.get()
    assert event.status == Status.PENDING
    assert (
        f"Event {event.pk} is stored but could not be dispatched. Run altoviz_process_events."
        in caplog.messages
    )


def test_the_check_accepts_these_settings():
    assert "django_altoviz.E005" not in {message.id for message in check_settings()}
