"""Tasks without effect that go round: the doctor sees that workers work."""

from __future__ import annotations

import contextlib
import io
import json
from importlib import import_module

import django
import pytest
from django.core.management import CommandError, call_command
from kombu import Connection

from django_altoviz.dispatchers import celery, goes_round
from django_altoviz.models import WebhookEvent
from tests.dispatchers import brokers
from tests.dispatchers.workers import DB_WORKER, working

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "django_altoviz.dispatchers"
TASKS = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"


def told_of_the_task(*args):
    """Return what the doctor says of the task that it sends round."""
    out = io.StringIO()
    with contextlib.suppress(CommandError):
        call_command("altoviz_doctor", "--offline", "--format", "json", *args, stdout=out)
    [found] = [each for each in json.loads(out.getvalue())["findings"] if each["name"] == "task"]
    return f"{found['state']} {found['cause']} {found['cure']}".strip()


class ForgetfulBackend(import_module(f"{TASKS}.backends.dummy").DummyBackend):
    """A backend that takes tasks and, as Django allows, keeps no results."""

    get_result = import_module(f"{TASKS}.backends.base").BaseTaskBackend.get_result


def traces_in(url, queue):
    """Return what the broker still has of the queues of answers."""
    with Connection(url) as connection:
        return [
            key
            for key in connection.default_channel.client.keys("*")
            if f"{queue}.".encode() in key
        ]


class TestCelery:
    def test_a_worker_answers(self, start_worker, broker, celery_app):
        with start_worker():
            assert told_of_the_task("--wait", "60") == "ok A worker has answered a task."
        assert not WebhookEvent.objects.exists()
        if broker.startswith("redis"):
            assert traces_in(broker, celery_app.conf.task_default_queue) == []

    def test_without_a_worker_nobody_answers(self, broker):
        told = told_of_the_task("--wait", "0.5")
        assert told.startswith(
            "failure The queue took a task, and no worker answered in 0.5 seconds."
        )
        assert "Start a worker of this project that takes tasks from the queue" in told

    def test_a_worker_in_this_process_answers(self, celery_app):
        celery_app.conf.task_always_eager = True
        assert goes_round(5)

    def test_a_broker_that_is_down_is_told(self, celery_app):
        celery_app.conf.broker_url = brokers.at_port(brokers.REDIS, brokers.refusing_port())
        told = told_of_the_task()
        assert told.startswith("failure The queue does not take a task: ")
        assert "Start the broker, or correct its URL." in told

    def test_a_queue_with_an_ordinary_name_is_told(self, celery_app):
        celery_app.conf.task_default_queue = "celery"
        celery_app.conf.task_always_eager = True
        out = io.StringIO()
        call_command("altoviz_doctor", "--offline", stdout=out)
        assert "The tasks go to the queue “celery”, which other projects may use" in out.getvalue()

    def test_the_queue_of_the_events_is_used_even_if_routes_name_only_their_task(self, celery_app):
        celery_app.conf.task_routes = {celery.process_event.name: {"queue": "of_events"}}
        assert goes_round(0.1) is False
        with celery_app.connection() as connection:
            assert connection.SimpleQueue("of_events").qsize() == 1


class TestDjangoTasks:
    @pytest.fixture(autouse=True)
    def chosen(self, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": f"{PATH}.django_tasks"}

    def test_the_immediate_backend_answers(self):
        assert told_of_the_task() == "ok A worker has answered a task."

    def test_a_worker_answers(self, settings, tmp_path):
        settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
        with working(DB_WORKER, tmp_path, WORKER_DISPATCHER=f"{PATH}.django_tasks"):
            assert told_of_the_task("--wait", "60") == "ok A worker has answered a task."

    def test_without_a_worker_nobody_answers(self, settings):
        settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
        assert told_of_the_task("--wait", "0.3").startswith("failure The queue took a task")

    def test_a_backend_without_results_is_not_waited_for(self, settings):
        settings.TASKS = {"default": {"BACKEND": f"{__name__}.ForgetfulBackend"}}
        assert told_of_the_task().startswith("skipped The dispatcher has no queue, or its queue")


def test_a_dispatcher_without_a_queue_has_none_to_try():
    assert told_of_the_task().startswith("skipped The dispatcher has no queue")
