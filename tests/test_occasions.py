"""The signals come when docs/reference/signals.rst says: "When each can come"."""

from __future__ import annotations

import pytest

from django_altoviz import signals
from django_altoviz.models import Customer, Status, WebhookEvent
from tests.conftest import body_of

pytestmark = pytest.mark.django_db
NAMES = ("customer_created", "customer_updated", "customer_deleted")


@pytest.fixture
def sent(post):
    """Return a function that posts an event and returns the signals that it causes."""
    received = []

    def receive(signal, instance, changes, **kwargs):
        received.append((signal, instance, changes))

    def send(type, **fields):
        received.clear()
        post(body_of(type, **fields))
        return [
            (next(name for name in NAMES if getattr(signals, name) is signal), *rest)
            for signal, *rest in received
        ]

    for name in NAMES:
        getattr(signals, name).connect(receive)
    yield send
    for name in NAMES:
        getattr(signals, name).disconnect(receive)


def test_an_update_may_be_the_first_event_of_an_object(sent):
    ((name, _customer, changes),) = sent("CustomerUpdated", id=5)
    assert name == "customer_updated"
    assert {old for old, _new in changes.values()} == {None}


def test_a_creation_is_signalled_for_an_object_that_the_mirror_has_already(sent):
    sent("CustomerUpdated", id=5)
    ((name, _customer, changes),) = sent("CustomerCreated", id=5, email="new@shop.example")
    assert name == "customer_created"
    assert changes["email"][1] == "new@shop.example"


def test_a_deletion_is_signalled_for_an_object_that_the_mirror_never_had(sent):
    ((name, customer, _changes),) = sent("CustomerDeleted", id=6)
    assert name == "customer_deleted"
    assert customer.deleted_at is not None
    assert Customer.with_deleted.get() == customer


def test_a_second_deletion_is_signalled_with_empty_changes(sent):
    sent("CustomerDeleted", id=6)
    ((name, _customer, changes),) = sent("CustomerDeleted", id=6)
    assert (name, changes) == ("customer_deleted", {})


def test_an_event_after_the_deletion_is_ignored_and_sends_nothing(sent):
    sent("CustomerDeleted", id=6)
    assert sent("CustomerUpdated", id=6) == []
    assert WebhookEvent.objects.latest("pk").status == Status.IGNORED
