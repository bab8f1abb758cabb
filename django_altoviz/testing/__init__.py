"""Tools for development and tests: a fake Altoviz, and sample events. None of them needs pytest."""

from django_altoviz.testing.fake.behaviour import Behaviour
from django_altoviz.testing.fake.deliveries import Delivery
from django_altoviz.testing.fake.fake import FakeAltoviz
from django_altoviz.testing.fake.records import NoSuchObject, Refused
from django_altoviz.testing.posting import event_body, post_event, through_test_client

__all__ = [
    "Behaviour",
    "Delivery",
    "FakeAltoviz",
    "NoSuchObject",
    "Refused",
    "event_body",
    "post_event",
    "through_test_client",
]
