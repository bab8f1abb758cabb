"""Another body under a known event id is kept, and left alone until somebody asks for it."""

from __future__ import annotations

import io
import json
import logging
import threading

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz import exact_json
from django_altoviz.event_types import Entity
from django_altoviz.models import Customer, Status, WebhookEvent
from django_altoviz.privacy.erasure import erase
from django_altoviz.processing import Replay, process_again
from django_altoviz.retention import prune
from django_altoviz.signals import customer_updated, event_received
from tests.conftest import body_of

pytestmark = pytest.mark.django_db

ID = "evt_1"


def body(name, **more):
    return body_of("CustomerUpdated", ID, id=7, name=name, **more)


def bodies():
    return [(event.status, event.body) for event in WebhookEvent.with_pruned.order_by("pk")]


def status(*args):
    output = io.StringIO()
    call_command("altoviz_status", "--format", "json", *args, stdout=output)
    return json.loads(output.getvalue())["accounts"][0]


@pytest.fixture
def calls():
    calls = []

    def receive(instance, **kwargs):
        calls.append(instance.name)

    customer_updated.connect(receive)
    yield calls
    customer_updated.disconnect(receive)


class TestAnotherBody:
    def test_is_kept_and_has_no_effect(self, post, calls, caplog):
        assert post(body("A")).status_code == 200
        answer = post(body("B"))
        assert (answer.status_code, answer.json()["status"]) == (200, "stored")
        first, other = WebhookEvent.objects.order_by("pk")
        assert bodies() == [
            (Status.PROCESSED, body("A").decode()),
            (Status.DEAD, body("B").decode()),
        ]
        assert (other.event_id, other.conflicts_with, other.attempts) == (ID, first.pk, 0)
        assert f"Event {first.pk} has the same id" in other.error
        assert Customer.objects.get().name == "A"
        assert calls == ["A"]
        [record] = [each for each in caplog.records if each.levelno == logging.WARNING]
        assert f"Event {other.pk} has the id of event {first.pk}" in record.getMessage()
        assert (status()["dead"], status()["conflicting"]) == (1, 1)

    def test_is_announced_once(self, post):
        received = []

        def receive(event, **kwargs):
            received.append(event.pk)

        event_received.connect(receive)
        try:
            for name in ("A", "B", "A", "B", "C", "B"):
                assert post(body(name)).status_code == 200
        finally:
            event_received.disconnect(receive)
        events = WebhookEvent.objects.order_by("pk")
        assert received == [event.pk for event in events]
        assert [event.deliveries for event in events] == [2, 3, 1]
        assert {event.conflicts_with for event in events[1:]} == {events[0].pk}

    def test_waits_for_nothing_and_holds_up_nothing(self, post):
        post(body("A"))
        post(body("B"))
        post(body_of("CustomerUpdated", id=7, name="C"))
        assert Customer.objects.get().name == "C"

    def test_can_be_processed_by_somebody(self, post, calls):
        post(body("A"))
        post(body("B"))
        other = WebhookEvent.objects.get(status=Status.DEAD)
        assert process_again(other) == Replay.PROCESSED
        assert Customer.objects.get().name == "B"
        assert calls == ["A", "B"]
        assert status()["conflicting"] == 0

    def test_is_processed_by_the_command_only_if_it_is_named(self, post):
        post(body("A"))
        post(body("B"))
        post(body_of("CustomerUpdated", id=8, active="maybe"))
        WebhookEvent.objects.filter(object_id=8).update(status=Status.DEAD, failures=8)
        output = io.StringIO()
        call_command("altoviz_process_events", "--status", "dead", "--dry-run", stdout=output)
        assert "1" in output.getvalue()
        assert Customer.objects.get().name == "A"
        call_command("altoviz_process_events", "--status", "dead", "--event", ID, stdout=output)
        assert Customer.objects.get().name == "B"

    def test_is_no_other_body_if_only_spaces_and_order_differ(self, post):
        data = exact_json.loads(body("A").decode())
        post(body("A"))
        post(exact_json.dumps(dict(reversed(data.items())), indent=2).encode())
        assert WebhookEvent.objects.get().deliveries == 2

    def test_of_an_event_in_waiting_does_not_make_it_due(self, post, deferred):
        post(body("A"))
        WebhookEvent.objects.update(status=Status.FAILED, next_attempt_at="2100-01-01T00:00:00Z")
        post(body("B"))
        first, other = WebhookEvent.objects.order_by("pk")
        assert first.next_attempt_at
        assert other.status == Status.DEAD

    def test_of_a_pruned_event_is_kept_and_a_redelivery_is_not(self, post):
        post(body("A"))
        WebhookEvent.objects.update(received_at="2020-01-01T00:00:00Z")
        assert prune(1, None).emptied == 1
        post(body("A"))
        assert WebhookEvent.with_pruned.count() == 1
        post(body("B"))
        assert bodies() == [(Status.PROCESSED, ""), (Status.DEAD, body("B").decode())]

    def test_of_an_erased_event_is_no_redelivery_of_it(self, post):
        post(body("Zoé"))
        post(body("Anna"))
        erase(Entity.CUSTOMER, 7, "default")
        assert not any("Zoé" in text or "Anna" in text for _status, text in bodies())
        for name in ("Zoé", "Anna"):
            post(body(name))
        assert len(bodies()) == 2
        assert not any("Zoé" in text or "Anna" in text for _status, text in bodies())

    def test_of_an_unknown_type_or_another_account(self, post):
        for name in ("a", "b"):
            post({"id": ID, "type": "OrderPacked", "data": {"name": name}})
        post(body("A"), account="acme")
        events = WebhookEvent.objects.order_by("pk")
        assert [event.status for event in events] == ["ignored", "dead", "processed"]

    def test_is_linked_with_the_first_in_the_admin(self, post, admin_client):
        for name in ("A", "B", "C"):
            post(body(name))
        keys = [event.pk for event in WebhookEvent.objects.order_by("pk")]
        for pk in keys:
            page = admin_client.get(f"/admin/django_altoviz/webhookevent/{pk}/change/")
            text = page.content.decode()
            for other in keys:
                link = f"/admin/django_altoviz/webhookevent/{other}/change/"
                assert (f'href="{link}' in text) == (other != pk)
        found = admin_client.get("/admin/django_altoviz/webhookevent/", {"q": ID})
        assert found.context["cl"].result_count == 3


def test_a_redelivery_takes_as_many_statements_as_ever(post, django_assert_num_queries):
    client = Client(enforce_csrf_checks=True)
    for name in ("A", "B"):
        post(body(name), client=client)
    more = connection.vendor == "mysql"  # which can't return the row of an UPDATE
    with django_assert_num_queries(5 + more):  # the insert in its savepoint, and the count
        post(body("A"), client=client)
    # The same, one for the first event, and the same again for the other.
    with django_assert_num_queries(11 + more):
        post(body("B"), client=client)


@given(st.lists(st.sampled_from("ABC"), min_size=1, max_size=6))
def test_each_body_is_kept_once_with_its_deliveries(names):
    try:
        for name in names:
            event = WebhookEvent.from_delivery(body(name), "default", {})
            WebhookEvent.objects.store(event)
        events = WebhookEvent.objects.order_by("pk")
        assert {event.body: event.deliveries for event in events} == {
            body(name).decode(): names.count(name) for name in names
        }
        assert [event.status for event in events if event.conflicts_with is None] == ["pending"]
        assert events[0].body == body(names[0]).decode()
    finally:
        WebhookEvent.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_of_bodies_that_come_at_once_one_is_the_event_and_the_others_are_kept():
    start = threading.Barrier(6)
    problems = []

    def deliver(name):
        try:
            start.wait()
            WebhookEvent.objects.store(WebhookEvent.from_delivery(body(name), "default", {}))
        except Exception as error:
            problems.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=deliver, args=[name]) for name in "ABCABC"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    events = WebhookEvent.objects.order_by("pk")
    assert sorted(event.body for event in events) == sorted(body(name).decode() for name in "ABC")
    assert [event.deliveries for event in events] == [2, 2, 2]
    assert sorted(event.status for event in events) == ["dead", "dead", "pending"]
