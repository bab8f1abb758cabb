"""A plugin of pytest: record the lines of tests that draw examples, too, which the coverage excludes."""

from __future__ import annotations

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    for item in items:
        item.own_markers = [mark for mark in item.own_markers if mark.name != "no_cover"]
