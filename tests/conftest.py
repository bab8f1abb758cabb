from __future__ import annotations

import json

import hypothesis
import pytest
from django.test import Client

from django_altoviz.event_types import EventType
from django_altoviz.intake import signing
from django_altoviz.samples import new_event_id, sample, sample_body, to_body
from tests.settings import ALTOVIZ

pytest_plugins = ["django_altoviz.pytest_plugin", "pytester"]

# On a busy machine the time of an example says nothing.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

SECRETS = {
    "default": ALTOVIZ["WEBHOOK_SECRET"],
    "acme": ALTOVIZ["ACCOUNTS"]["acme"]["WEBHOOK_SECRET"],
}


def body_of(event_type, event_id=None, **data):
    """Return the body of a delivery: the sample of the type with some of its data changed."""
    envelope = sample(EventType(event_type))
    return to_body(type(envelope)(event_id or new_event_id(), envelope.type, envelope.data | data))


@pytest.fixture
def post():
    """Return a function that posts a body to the webhook, signed unless a signature is given."""

    def post(body, *, account="default", signature=None, client=None, path=None, **extra):
        if isinstance(body, EventType):
            body = sample_body(body)
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        if signature is None:
            signature = signing.sign(body, SECRETS[account])
        if path is None:
            path = "/altoviz/webhook/" + ("" if account == "default" else f"{account}/")
        extra.setdefault("content_type", "text/plain; charset=utf-8")
        client = client or Client(enforce_csrf_checks=True)
        return client.post(path, body, HTTP_X_SIGNATURE=signature, **extra)

    return post


@pytest.fixture
def deferred(settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": "django_altoviz.dispatchers.deferred"}
