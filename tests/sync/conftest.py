from __future__ import annotations

import time

import pytest
from django.core.cache import cache

from django_altoviz.client import AltovizClient
from tests.client.scripted import ScriptedServer
from tests.settings import ALTOVIZ
from tests.sync.lists import KEY, Lists


@pytest.fixture
def altoviz(settings, monkeypatch):
    cache.clear()  # the count of requests for the rate limit
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    lists = Lists()
    send = AltovizClient._send

    def send_and_notify(*args, **options):
        response = send(*args, **options)
        lists.answered()
        return response

    monkeypatch.setattr(AltovizClient, "_send", send_and_notify)
    with ScriptedServer(lists.answer) as server:
        api = {"API_KEY": KEY, "BASE_URL": server.url, "API_REQUESTS_PER_MINUTE": 100_000}
        acme = ALTOVIZ["ACCOUNTS"]["acme"] | api
        settings.ALTOVIZ = ALTOVIZ | api | {"ACCOUNTS": {"acme": acme}}
        yield lists
