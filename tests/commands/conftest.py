"""Fixtures: a fake Altoviz over HTTP, for the commands that manage webhooks."""

from __future__ import annotations

import time

import pytest
from django.core.cache import cache

from django_altoviz.event_types import SENT_TYPES
from django_altoviz.registration import applying
from django_altoviz.testing import Behaviour, FakeAltoviz
from tests.settings import ALTOVIZ

KEY = "11111111-2222-3333-4444-555555555555"
URL = "https://shop.example/altoviz/webhook/"


class Altoviz(FakeAltoviz):
    def add(self, name, url, types, secret):
        return self.webhooks.register(url, secret, types=types, name=name).id

    def add_ours(self, **changes):
        values = {
            "name": "django-altoviz (default)",
            "url": URL,
            "types": SENT_TYPES,
            "secret": ALTOVIZ["WEBHOOK_SECRET"],
        }
        return self.add(**values | changes)

    @property
    def alive(self):
        return self.webhooks.registered()

    @property
    def ids(self):
        return [webhook.id for webhook in self.alive]

    @property
    def calls(self):
        return [f"{request.method} {request.path}" for request in self.requests]


@pytest.fixture
def altoviz(settings, monkeypatch):
    cache.clear()  # the count of requests for the rate limit
    monkeypatch.setattr(applying, "PAUSES", (0.01,) * 20)
    behaviour = Behaviour(quota=None, list_lag=(0.03,))
    with Altoviz(api_key=KEY, behaviour=behaviour) as at:
        api = at.settings
        acme = ALTOVIZ["ACCOUNTS"]["acme"] | api | {"WEBHOOK_URL": f"{URL}acme/"}
        settings.ALTOVIZ = ALTOVIZ | api | {"WEBHOOK_URL": URL, "ACCOUNTS": {"acme": acme}}
        yield at


@pytest.fixture
def without(settings):
    """Remove settings of ALTOVIZ."""

    def without(*names):
        kept = {name: value for name, value in settings.ALTOVIZ.items() if name not in names}
        settings.ALTOVIZ = kept

    return without


@pytest.fixture
def at_once(monkeypatch):
    """Retry requests without pauses."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
