from __future__ import annotations

import uuid

import pytest
from celery import Celery, _state
from celery.signals import after_task_publish

from django_altoviz.dispatchers import celery as dispatcher
from tests.dispatchers.brokers import delete_queue, real_broker
from tests.dispatchers.workers import CELERY, working

PATH = "django_altoviz.dispatchers"


@pytest.fixture
def celery_app(settings, monkeypatch):
    """The project's Celery app with a broker in memory. The dispatcher is Celery."""
    settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": f"{PATH}.celery"}
    monkeypatch.setattr(dispatcher, "broker", dispatcher.Broker())
    monkeypatch.setattr(_state, "default_app", None)
    app = Celery("tests", broker="memory://")
    app.set_default()
    app.conf.task_default_queue = f"altoviz_{uuid.uuid4().hex}"
    yield app
    _state._set_current_app(None)
    app.close()


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request, celery_app):
    """The URL of a real broker, which the app uses."""
    celery_app.conf.broker_url = real_broker(request.param)
    yield celery_app.conf.broker_url
    delete_queue(real_broker(request.param), celery_app.conf.task_default_queue)


@pytest.fixture
def start_worker(celery_app, broker, tmp_path):
    """Return a function that starts a worker of the app."""

    def start_worker():
        queue = celery_app.conf.task_default_queue
        return working(
            [*CELERY, f"--hostname={queue}@%h"],
            tmp_path,
            WORKER_DISPATCHER="django_altoviz.dispatchers.celery",
            WORKER_BROKER=broker,
            WORKER_QUEUE=queue,
        )

    return start_worker


@pytest.fixture
def published():
    """The arguments of the published tasks."""
    published = []

    def note(body, **kwargs):
        published.append(body[0])

    after_task_publish.connect(note, weak=False)
    yield published
    after_task_publish.disconnect(note)
