"""An Altoviz to develop and test against. Nothing here needs pytest."""

from django_altoviz.testing.behaviour import Behaviour
from django_altoviz.testing.deliveries import Delivery
from django_altoviz.testing.fake import FakeAltoviz
from django_altoviz.testing.posting import event_body, post_event, through_test_client
from django_altoviz.testing.records import NoSuchObject, Refused

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
