"""Fixtures for pytest. To use them: ``pytest_plugins = ["django_altoviz.pytest_plugin"]``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connections, router
from django.http import HttpResponseBase
from django.test import override_settings

from django_altoviz.conf import configured, get_account
from django_altoviz.testing import Behaviour, FakeAltoviz, post_event, through_test_client
from django_altoviz.testing.posting import webhook_path

_SECRET = "only for tests"  # nosec B105  # it protects nothing
_NOT_STORED = 503


def _for_tests() -> dict[str, Any]:
    """Return the project's ``ALTOVIZ``, whose events are processed at once and by no worker.

    It has a secret for tests if the project has none. Projects often read the secret from the
    environment, and a test environment has none.
    """
    secrets = get_account("default").webhook_secrets
    secret = {} if secrets else {"WEBHOOK_SECRET": _SECRET}
    return {**configured(), "DISPATCHER": "django_altoviz.dispatchers.inline", **secret}


@pytest.fixture
def post_altoviz_event() -> Iterator[Callable[..., HttpResponseBase]]:
    """Yield ``django_altoviz.testing.post_event``, whose events are processed before it returns.

    Settings without a secret get one. In a test that may not use the database, the call fails and says
    so.
    """
    with override_settings(ALTOVIZ=_for_tests()):
        yield _post


def _post(*args: Any, **options: Any) -> HttpResponseBase:
    response = post_event(*args, **options)
    if response.status_code == _NOT_STORED:
        # If the test may not use the database, pytest-django says here how it may.
        events = apps.get_model("django_altoviz", "WebhookEvent")  # this module is imported early
        connections[router.db_for_write(events)].ensure_connection()
    return response


@pytest.fixture
def fake_altoviz() -> Iterator[FakeAltoviz]:
    """Yield a fake Altoviz that ``ALTOVIZ`` points to and that has the project's webhook.

    Its events are delivered when the test calls ``fake_altoviz.wait()``. They go through Django's
    test client, so they are stored in the test's own transaction, and processed at once. It has no
    rate limit, and its list of webhooks has no lag.
    """
    behaviour = Behaviour(quota=None, list_lag=(0.0,))
    with FakeAltoviz(behaviour=behaviour, transport=through_test_client) as altoviz:
        without_pacing = {"API_REQUESTS_PER_MINUTE": 1_000_000}
        with override_settings(ALTOVIZ=_for_tests() | altoviz.settings | without_pacing):
            secret = get_account("default").webhook_secrets[0]
            altoviz.webhooks.register(f"http://testserver{webhook_path()}", secret)
            yield altoviz
