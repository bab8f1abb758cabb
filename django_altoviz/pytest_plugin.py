"""Fixtures for pytest. Opt in: ``pytest_plugins = ["django_altoviz.pytest_plugin"]``."""

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
    """The project's ``ALTOVIZ``; a secret is set where it comes from an environment that has none."""
    secrets = get_account("default").webhook_secrets
    return {**configured()} if secrets else {**configured(), "WEBHOOK_SECRET": _SECRET}


@pytest.fixture
def post_altoviz_event() -> Iterator[Callable[..., HttpResponseBase]]:
    """``django_altoviz.testing.post_event``, with a secret where the settings have none."""
    with override_settings(ALTOVIZ=_with_secret()):
        yield post_event


@pytest.fixture
def fake_altoviz() -> Iterator[FakeAltoviz]:
    """A fake Altoviz, to which ``ALTOVIZ`` leads, and which has the project's webhook registered.

    What happens to its objects is delivered when the test calls ``fake_altoviz.wait()``, with
    Django's test client, so that the test's transaction sees it. It has no quota and no lag.
    """
    behaviour = Behaviour(quota=None, list_lag=(0.0,))
    with FakeAltoviz(behaviour=behaviour, transport=through_test_client) as altoviz:
        unpaced = {"API_REQUESTS_PER_MINUTE": 1_000_000}
        with override_settings(ALTOVIZ=_with_secret() | altoviz.settings | unpaced):
            secret = get_account("default").webhook_secrets[0]
            altoviz.webhooks.register(f"http://testserver{webhook_path()}", secret)
            yield altoviz
