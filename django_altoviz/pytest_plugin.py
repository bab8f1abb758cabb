"""Fixtures for pytest. To use them: ``pytest_plugins = ["django_altoviz.pytest_plugin"]``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import HttpResponseBase
from django.test import override_settings

from django_altoviz.conf import configured, get_account
from django_altoviz.testing import Behaviour, FakeAltoviz, post_event, through_test_client
from django_altoviz.testing.posting import webhook_path

_SECRET = "only for tests"


def _with_secret() -> dict[str, Any]:
    """Return the project's ``ALTOVIZ``, with a secret for tests if the project has none.

    Projects often read the secret from the environment, and a test environment has none.
    """
    secrets = get_account("default").webhook_secrets
    return {**configured()} if secrets else {**configured(), "WEBHOOK_SECRET": _SECRET}


@pytest.fixture
def post_altoviz_event() -> Iterator[Callable[..., HttpResponseBase]]:
    """Yield ``django_altoviz.testing.post_event``. Settings without a secret get one."""
    with override_settings(ALTOVIZ=_with_secret()):
        yield post_event


@pytest.fixture
def fake_altoviz() -> Iterator[FakeAltoviz]:
    """Yield a fake Altoviz that ``ALTOVIZ`` points to and that has the project's webhook.

    Its events are delivered when the test calls ``fake_altoviz.wait()``. They go through Django's
    test client, so they are stored in the test's own transaction. It has no rate limit, and its
    list of webhooks has no lag.
    """
    behaviour = Behaviour(quota=None, list_lag=(0.0,))
    with FakeAltoviz(behaviour=behaviour, transport=through_test_client) as altoviz:
        without_pacing = {"API_REQUESTS_PER_MINUTE": 1_000_000}
        with override_settings(ALTOVIZ=_with_secret() | altoviz.settings | without_pacing):
            secret = get_account("default").webhook_secrets[0]
            altoviz.webhooks.register(f"http://testserver{webhook_path()}", secret)
            yield altoviz
