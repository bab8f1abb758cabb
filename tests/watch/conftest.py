from __future__ import annotations

from collections import Counter

import pytest
from django.core.cache import cache

from django_altoviz.signals import BY_BUSINESS_SIGNAL, BY_EVENT_TYPE
from django_altoviz.testing import Behaviour, FakeAltoviz, through_test_client
from tests.settings import ALTOVIZ


@pytest.fixture
def connect(settings):
    """Connect the project with a fake: its API, and its deliveries if it has a webhook."""
    fakes = []

    def connect(*, has_webhook=False, requests=10**6, clock=None, seed=0, **switches):
        cache.clear()  # the count of requests for the rate limit
        options = {"clock": clock} if clock else {}
        altoviz = FakeAltoviz(
            seed=seed,
            behaviour=Behaviour(**{"quota": None} | switches),
            transport=through_test_client,
            **options,
        )
        fakes.append(altoviz.start())
        if has_webhook:
            url = "https://shop.example/altoviz/webhook/"
            altoviz.webhooks.register(url, ALTOVIZ["WEBHOOK_SECRET"])
        api = {"API_REQUESTS_PER_MINUTE": requests}
        settings.ALTOVIZ = ALTOVIZ | altoviz.settings | api
        return altoviz

    yield connect
    for altoviz in fakes:
        altoviz.stop()


@pytest.fixture
def sent():
    """Count how often each signal is sent for each object."""
    counts, receivers = Counter(), []
    signals = {event_type.name.lower(): signal for event_type, signal in BY_EVENT_TYPE.items()}
    for name, signal in (signals | BY_BUSINESS_SIGNAL).items():

        def count(instance, name=name, **kwargs):
            counts[name, instance.altoviz_id] += 1

        signal.connect(count)
        receivers.append((signal, count))
    yield counts
    for signal, count in receivers:
        signal.disconnect(count)
