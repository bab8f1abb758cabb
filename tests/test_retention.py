from __future__ import annotations

import datetime

import pytest
from django.utils import timezone

from django_altoviz.event_types import EventType
from django_altoviz.models import Customer, ReceiverRun, Status, WebhookEvent
from django_altoviz.retention import PRUNABLE, Pruned, prune
from tests.conftest import body_of

pytestmark = pytest.mark.django_db


def make_old(days=100):
    WebhookEvent.with_pruned.update(received_at=timezone.now() - datetime.timedelta(days=days))


def test_an_old_event_loses_its_content_and_stays_known(post):
    post(EventType.CUSTOMER_CREATED)
    run = ReceiverRun.objects.create(event=WebhookEvent.objects.get(), receiver="a.b", seconds=1)
    assert str(run) == "a.b"
    make_old()
    assert prune(90, None) == Pruned(emptied=1)
    assert not WebhookEvent.objects.exists()
    assert not ReceiverRun.objects.exists()
    event = WebhookEvent.with_pruned.get()
    assert (event.body, event.changes, event.history, event.arrival) == ("", {}, [], {})
    assert (event.event_id, event.type) == ("evt_7b6xmxd80iuymufhrr9e9f1ca", "CustomerCreated")
    assert event.pruned_at is not None
    assert Customer.objects.exists()


def test_a_delivery_that_comes_again_after_pruning_has_no_second_effect(post):
    post(EventType.CUSTOMER_CREATED)
    post(EventType.CUSTOMER_UPDATED)
    Customer.objects.update(name="changed since")
    make_old()
    prune(90, None)
    answer = post(EventType.CUSTOMER_CREATED)
    assert answer.json()["status"] == "known"
    assert Customer.objects.get().name == "changed since"
    assert WebhookEvent.with_pruned.count() == 2


def test_young_events_stay(post):
    post(EventType.CUSTOMER_CREATED)
    make_old(days=89)
    assert prune(90, None) == Pruned()
    assert WebhookEvent.objects.exists()


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING, Status.FAILED, Status.DEAD])
def test_what_is_still_owed_stays(post, status):
    post(EventType.CUSTOMER_CREATED)
    WebhookEvent.objects.update(status=status)
    make_old()
    assert prune(90, None) == Pruned()
    assert WebhookEvent.objects.get().body


def test_what_is_known_by_its_body_goes_as_a_whole(post):
    """The same body may be sent again one day in earnest: an object set back to what it was."""
    body = body_of("CustomerUpdated", "1233", id=1, name="A")
    post(body)
    post(b"ping")
    make_old()
    assert prune(90, None) == Pruned(deleted=2)
    assert not WebhookEvent.with_pruned.exists()
    assert post(body).json()["status"] == "stored"


def test_ids_are_forgotten_only_when_asked_for(post):
    post(EventType.CUSTOMER_CREATED)
    make_old(days=400)
    prune(90, None)
    assert prune(90, 500) == Pruned()
    assert prune(90, 365) == Pruned(deleted=1)
    assert not WebhookEvent.with_pruned.exists()


def test_a_dry_run_only_counts(post):
    post(EventType.CUSTOMER_CREATED)
    post(b"ping")
    make_old()
    assert prune(90, None, dry_run=True) == Pruned(emptied=1, deleted=1)
    assert WebhookEvent.objects.count() == 2


def test_works_in_batches(post, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr("django_altoviz.retention._BATCH", 2)
    for _ in range(5):
        post(body_of("CustomerUpdated"))
    make_old()
    assert prune(90, None) == Pruned(emptied=5)
    with django_assert_max_num_queries(2):
        assert prune(90, None) == Pruned()


def test_each_status_may_have_a_window_of_its_own(post):
    for number, status in enumerate(PRUNABLE):
        post(body_of("CustomerUpdated", id=number + 1))
        WebhookEvent.objects.filter(object_id=number + 1).update(status=status)
    make_old()
    kept = {"processed": None, "ignored": 101, "malformed": 99, "dead": 99, "failed": 99}
    assert prune(90, None, by_status=kept) == Pruned(emptied=3)
    left = WebhookEvent.objects.values_list("status", flat=True)
    assert {*left} == {Status.PROCESSED, Status.IGNORED}


def test_what_failed_and_is_pruned_is_given_up(post):
    """Its body is gone: if it came again, nothing could be done with it."""
    body = body_of("CustomerUpdated", active="maybe")
    post(body)
    make_old()
    prune(90, None, by_status={"failed": 90})
    event = WebhookEvent.with_pruned.get()
    assert (event.status, event.body) == (Status.DEAD, "")
    assert post(body).json()["status"] == "known"
    assert WebhookEvent.with_pruned.get().status == Status.DEAD


@pytest.mark.parametrize(
    "by_status", [{"pending": 5}, {"gone": 5}, {"dead": 0}, {"dead": True}, {"dead": "5"}]
)
def test_a_window_that_is_none_is_refused(by_status):
    with pytest.raises(ValueError, match=r"is not one of|no number of days"):
        prune(90, None, by_status=by_status)
