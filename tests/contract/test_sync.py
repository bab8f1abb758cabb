"""A sync of random objects that the official description allows."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from django_altoviz.models import MIRRORS, Status, WebhookEvent
from django_altoviz.sync import ENTITIES, sync
from tests.settings import ALTOVIZ


@pytest.fixture(scope="module")
def random_api(prism):
    with prism("mock", "-d") as url:
        yield url


@pytest.mark.django_db
@pytest.mark.parametrize("entity", ENTITIES)
def test_allowed_objects_are_mirrored_or_fail_with_an_error_that_names_the_field(
    random_api, entity, settings, caplog
):
    cache.clear()  # the client counts its requests there
    api = {"API_KEY": "key", "BASE_URL": random_api, "API_REQUESTS_PER_MINUTE": 100_000}
    settings.ALTOVIZ = ALTOVIZ | api
    runs = [sync(entities=[entity], signals=True, all_gone=True)[0] for _ in range(10)]
    assert all(run.finished_at is not None for run in runs)
    assert sum(run.seen for run in runs) > 10
    assert MIRRORS[entity].objects.exists()
    failed = WebhookEvent.objects.filter(status=Status.FAILED)
    assert all("exceptions.InvalidPayload: " in event.error for event in failed)
    # Prism answers a request for one object with a random one, whose id is another.
    unreadable = caplog.text.count("could not be read: UnexpectedAnswer")
    assert sum(run.failed for run in runs) == failed.count() + unreadable
