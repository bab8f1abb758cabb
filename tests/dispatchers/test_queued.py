"""What the dispatchers have in common that hand events to a queue."""

from __future__ import annotations

import pytest

from django_altoviz.dispatchers import queued
from django_altoviz.event_types import EventType
from django_altoviz.models import Status, WebhookEvent
from tests.conftest import body_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("deferred")]


def statuses():
    return list(WebhookEvent.objects.order_by("pk").values_list("status", flat=True))


def test_what_is_due_is_processed_in_order_up_to_a_limit(post):
    for number in range(1, 7):
        post(body_of(EventType.CUSTOMER_UPDATED, id=number))
    assert queued.process_due(limit=5) == 5
    assert statuses() == ["processed"] * 5 + ["pending"]
    assert queued.process_due() == 1
    assert queued.process_due() == 0


def test_an_event_that_has_failed_is_tried_once_in_a_run(post):
    post(body_of(EventType.CUSTOMER_UPDATED, id=1, active="maybe"))
    post(body_of(EventType.CUSTOMER_UPDATED, id=1))
    assert queued.process_due() == 2
    assert statuses() == ["failed", "processed"]
    assert WebhookEvent.objects.first().attempts == 1


class ReadsElsewhere:
    """As with a replica that has not got the event yet."""

    def db_for_read(self, model, **hints):
        return "replica"

    def db_for_write(self, model, **hints):
        return "default"


def test_events_are_read_where_they_are_written(post, settings):
    post(body_of(EventType.CUSTOMER_UPDATED))
    settings.DATABASE_ROUTERS = [ReadsElsewhere()]
    queued.process_event(WebhookEvent.objects.using("default").get().pk)
    assert WebhookEvent.objects.using("default").get().status == Status.PROCESSED
