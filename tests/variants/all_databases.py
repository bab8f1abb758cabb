"""A plugin of pytest: let each test that uses the database use all databases."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if mark := item.get_closest_marker("django_db"):
            options = mark.kwargs | {"databases": "__all__"}
            item.add_marker(pytest.mark.django_db(**options), append=False)
