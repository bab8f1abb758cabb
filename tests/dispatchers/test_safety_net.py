"""The safety net processes what the broker does not."""

from __future__ import annotations

import datetime
import shutil
import subprocess

import pytest

from django_altoviz.dispatchers import celery as dispatcher
from django_altoviz.models import Status, WebhookEvent
from django_altoviz.signals import customer_updated
from tests.chaos.servers import free_port
from tests.conftest import body_of
from tests.dispatchers.workers import eventually, working
from tests.processes import Process

pytestmark = pytest.mark.django_db(transaction=True)
NET = ["-m", "django", "altoviz_process_events", "--watch", "--interval", "0.2"]


@pytest.fixture
def net(tmp_path):
    """Run the safety net as the docs say, in a process that has no broker."""
    with working(NET, tmp_path, WORKER_DISPATCHER="django_altoviz.dispatchers.deferred"):
        yield


def all_processed():
    statuses = set(WebhookEvent.objects.values_list("status", flat=True))
    return statuses == {Status.PROCESSED}


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "amqp://127.0.0.1:1//"])
def test_without_a_broker_events_are_stored_and_processed(post, celery_app, net, url):
    celery_app.conf.broker_url = url
    for number in range(1, 4):
        assert post(body_of("CustomerUpdated", id=number)).status_code == 200
    assert eventually(all_processed)


def test_events_behind_a_full_queue_are_processed(post, celery_app, broker, net):
    """Nobody takes anything out of the queue, as when the workers end at once."""
    for number in range(1, 4):
        assert post(body_of("CustomerUpdated", id=number)).status_code == 200
    assert eventually(all_processed)


@pytest.fixture
def full_redis():
    """The URL of a Redis of this test, whose memory is full."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    command += ["--maxmemory", "1", "--maxmemory-policy", "noeviction"]
    with Process(command, stdout=subprocess.DEVNULL):
        yield f"redis://127.0.0.1:{port}/0"


def test_a_broker_without_memory_loses_nothing(post, celery_app, net, full_redis, caplog):
    celery_app.conf.broker_url = full_redis
    for number in range(1, 4):
        assert post(body_of("CustomerUpdated", id=number)).status_code == 200
    assert "could not be dispatched" in caplog.text
    assert eventually(all_processed)


def test_a_run_of_the_task_ends_well_below_the_limits_of_the_queue(post, settings, monkeypatch):
    """Each event takes four seconds. The run begins none after five."""
    settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": "django_altoviz.dispatchers.deferred"}
    for number in range(1, 5):
        post(body_of("CustomerUpdated", id=number))
    passed = datetime.timedelta()
    monkeypatch.setattr(
        "django_altoviz.processing.backlog.time.monotonic", lambda: passed.total_seconds()
    )

    def take_four_seconds(**kwargs):
        nonlocal passed
        passed += datetime.timedelta(seconds=4)

    customer_updated.connect(take_four_seconds)
    try:
        dispatcher.process_due()
    finally:
        customer_updated.disconnect(take_four_seconds)
    assert WebhookEvent.objects.filter(status=Status.PROCESSED).count() == 2
