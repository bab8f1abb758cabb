"""The part that the dispatchers with a queue have in common."""

from __future__ import annotations

import pytest
from django.db import transaction

from django_altoviz.checks import check_queue
from django_altoviz.dispatchers import queued
from django_altoviz.event_types import EventType
from django_altoviz.models import Status, WebhookEvent
from django_altoviz.processing import worker
from tests.conftest import body_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("deferred")]


def statuses():
    return list(WebhookEvent.objects.order_by("pk").values_list("status", flat=True))


def test_due_events_are_processed_in_order_up_to_a_limit(post):
    for number in range(1, 7):
        post(body_of(EventType.CUSTOMER_UPDATED, id=number))
    assert queued.process_due(limit=5) == 5
    assert statuses() == ["processed"] * 5 + ["pending"]
    assert queued.process_due() == 1
    assert queued.process_due() == 0


def test_a_failed_event_is_tried_once_per_run(post):
    post(body_of(EventType.CUSTOMER_UPDATED, id=1, active="maybe"))
    post(body_of(EventType.CUSTOMER_UPDATED, id=1))
    assert queued.process_due() == 2
    assert statuses() == ["failed", "processed"]
    assert WebhookEvent.objects.first().attempts == 1


class TestLongBacklog:
    """A task stops after a time limit, and the events that it leaves are processed later."""

    @pytest.fixture(autouse=True)
    def without_time(self, monkeypatch):
        for module in (worker, queued):
            monkeypatch.setattr(module, "TIME_BUDGET", 0)

    def test_an_event_that_a_task_leaves_gets_its_own_task(
        self, post, django_capture_on_commit_callbacks
    ):
        for _ in range(3):
            post(body_of(EventType.CUSTOMER_UPDATED, id=1))
        post(body_of(EventType.CUSTOMER_UPDATED, id=2))
        _first, second, third, _other = WebhookEvent.objects.values_list("pk", flat=True)
        enqueued = []
        for pk in (third, second, third):
            with django_capture_on_commit_callbacks(execute=True):
                queued.process_event(pk, enqueued.append)
        assert enqueued == [second, third]
        assert statuses() == ["processed"] * 3 + ["pending"]

    def test_without_a_queue_process_due_processes_the_events_that_are_left(
        self, post, monkeypatch
    ):
        for _ in range(2):
            post(body_of(EventType.CUSTOMER_UPDATED, id=1))
        queued.process_event(WebhookEvent.objects.last().pk)
        assert statuses() == ["processed", "pending"]
        assert queued.process_due() == 0  # it has no time either
        monkeypatch.undo()
        assert queued.process_due() == 1


def test_an_event_waits_for_the_commit_of_its_own_database(monkeypatch):
    asked = []
    monkeypatch.setattr(transaction, "on_commit", lambda attempt, *, using: asked.append(using))
    event = WebhookEvent(pk=1)
    event._state.db = "other"
    queued.enqueue_after_commit(event, asked.append)
    assert asked == ["other"]


class ReadsElsewhere:
    """Router that reads from a replica, which does not have the event yet."""

    def db_for_read(self, model, **hints):
        return "replica"

    def db_for_write(self, model, **hints):
        return "default"


def test_events_are_read_where_they_are_written(post, settings):
    post(body_of(EventType.CUSTOMER_UPDATED))
    settings.DATABASE_ROUTERS = [ReadsElsewhere()]
    queued.process_event(WebhookEvent.objects.using("default").get().pk)
    assert WebhookEvent.objects.using("default").get().status == Status.PROCESSED


class TestCheckOfTheQueue:
    """Two projects on one broker must not use the same queue."""

    @pytest.mark.parametrize(
        ("dispatcher", "queue", "expected"),
        [
            ("celery", "celery", ["django_altoviz.W017"]),
            ("celery", "altoviz", ["django_altoviz.W017"]),
            ("celery", "shop-altoviz", []),
            ("inline", "celery", []),
            ("nowhere", "celery", []),
        ],
    )
    def test_its_name_must_tell_the_project(
        self, celery_app, settings, dispatcher, queue, expected
    ):
        settings.ALTOVIZ = {"DISPATCHER": f"django_altoviz.dispatchers.{dispatcher}"}
        celery_app.conf.task_default_queue = "celery"
        celery_app.conf.task_routes = {"django_altoviz.*": {"queue": queue}}
        assert [message.id for message in check_queue()] == expected


def test_a_task_of_another_project_is_told(caplog):
    queued.process_event(5)
    assert "There is no event 5. Does another project use this queue, too?" in caplog.text
