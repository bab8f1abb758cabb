"""Clients that hang up before they have an answer."""

from __future__ import annotations

import socket
import time

import pytest
from django.contrib.auth.models import Group

from django_altoviz.models import ReceiverRun, Status, WebhookEvent
from tests.conftest import body_of
from tests.dispatchers.workers import eventually
from tests.servers.serving import served
from tests.servers.test_bodies import delivery

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("server", ["uvicorn", "daphne", "gunicorn"])
def test_do_not_end_the_work_of_a_coroutine(server, tmp_path):
    bodies = [body_of("CustomerDeleted", id=number) for number in range(1, 4)]
    with served(server, tmp_path) as port:
        for body in bodies:
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(delivery(body, Content_Length=len(body)) + body)
                time.sleep(0.3)
        processed = WebhookEvent.objects.filter(status=Status.PROCESSED)
        assert eventually(lambda: processed.count() == 3, 30), [
            (event.status, event.error) for event in WebhookEvent.objects.all()
        ]
    assert Group.objects.count() == ReceiverRun.objects.count() == 3
    assert {event.attempts for event in processed} == {1}


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_hang_ups_and_redeliveries_make_no_event_dead(server, tmp_path):
    body = body_of("CustomerDeleted", id=1)
    with served(server, tmp_path) as port:
        for _ in range(6):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(delivery(body, Content_Length=len(body)) + body)
                time.sleep(0.2)
        # On a busy machine, the first delivery is stored after the last client has hung up.
        done = WebhookEvent.objects.filter(status=Status.PROCESSED, deliveries=6)
        assert eventually(done.exists, 30), [*WebhookEvent.objects.values("status", "deliveries")]
    event = WebhookEvent.objects.get()
    assert (event.attempts, event.failures) == (1, 0)
    assert Group.objects.count() == 1
