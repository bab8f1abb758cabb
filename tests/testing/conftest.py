from __future__ import annotations

import pytest
import requests
from django.core.cache import cache

from django_altoviz.client import AltovizClient
from django_altoviz.testing import FakeAltoviz


class Clock:
    """A clock that only the test moves. Its ``sleep`` returns at once."""

    def __init__(self, now=1_790_000_000.0):
        self.now = now

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def altoviz(clock):
    cache.clear()  # the client counts its requests there
    with FakeAltoviz(clock=clock) as altoviz:
        yield altoviz


@pytest.fixture
def client(altoviz):
    with AltovizClient(altoviz.api_key, altoviz.url, requests_per_minute=100_000) as client:
        yield client


@pytest.fixture
def ask(altoviz):
    """Send a raw request to the fake, with its key unless the test passes other headers."""
    session = requests.Session()

    def ask(target, method="GET", headers=None, **options):
        headers = {"X-API-KEY": altoviz.api_key} if headers is None else headers
        return session.request(method, altoviz.url + target, headers=headers, timeout=10, **options)

    with session:
        yield ask
