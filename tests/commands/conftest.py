"""Altoviz's webhooks over HTTP, for the commands that manage them."""

from __future__ import annotations

import json
import time

import pytest
from django.core.cache import cache

from django_altoviz import registration
from django_altoviz.event_types import EventType
from django_altoviz.exceptions import NotFound
from tests.client.scripted import Answer, ScriptedServer, value
from tests.settings import ALTOVIZ
from tests.webhook_list import WebhookList

KEY = "11111111-2222-3333-4444-555555555555"
URL = "https://shop.example/altoviz/webhook/"


class Altoviz(WebhookList):
    """The webhooks of one account. ``refusal`` is an answer that all requests get."""

    refusal = None

    def clock(self):
        return time.monotonic()

    def answer(self, request):
        if request.headers.get("X-API-KEY") != KEY:
            return Answer(401)
        if self.refusal:
            return self.refusal
        assert request.path == "/v1/Webhooks"
        return getattr(self, request.method.lower())(request)

    def get(self, request):
        return value(self.all())

    def post(self, request):
        sent = json.loads(request.body)
        types = [EventType(name) for name in sent["types"]]
        self.register(name=sent["name"], url=sent["url"], types=types, secret_key=sent["secretKey"])
        return value(sent | {"id": 0}, 201)

    def delete(self, request):
        assert [*request.query] == ["id"]
        try:
            self.unregister(id=int(request.query["id"]))
        except NotFound:
            return Answer(404)
        return value({})

    def add_ours(self, **changes):
        values = {
            "name": "django-altoviz (default)",
            "url": URL,
            "types": EventType.values,
            "secret": ALTOVIZ["WEBHOOK_SECRET"],
        }
        return self.add(**values | changes)


@pytest.fixture
def altoviz(settings, monkeypatch):
    cache.clear()  # the quota
    monkeypatch.setattr(registration, "PAUSES", (0.01,) * 20)
    at = Altoviz(lags=[0.03])
    with ScriptedServer(at.answer) as server:
        api = {"API_KEY": KEY, "BASE_URL": server.url}
        acme = ALTOVIZ["ACCOUNTS"]["acme"] | api | {"WEBHOOK_URL": f"{URL}acme/"}
        settings.ALTOVIZ = ALTOVIZ | api | {"WEBHOOK_URL": URL, "ACCOUNTS": {"acme": acme}}
        yield at


@pytest.fixture
def without(settings):
    """Take settings away."""

    def without(*names):
        kept = {name: value for name, value in settings.ALTOVIZ.items() if name not in names}
        settings.ALTOVIZ = kept

    return without


@pytest.fixture
def at_once(monkeypatch):
    """Repeat requests without the pauses in between."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
