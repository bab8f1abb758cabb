"""The style sheet of the admin: a browser drops what it can't read without a word."""

from __future__ import annotations

import re
from pathlib import Path

import django_altoviz

SHEET = Path(django_altoviz.__file__).parent / "static" / "django_altoviz" / "admin.css"


def depths(css):
    """Return how deep each line stands in rules, without comments and texts."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    depth, found = 0, []
    for line in re.sub(r'"[^"]*"', "", css).splitlines():
        depth += line.count("{") - line.count("}")
        found.append((depth, line))
    return found


def test_each_rule_is_closed_before_the_next_one():
    outside_of_media = SHEET.read_text().split("@media")[0]
    found = depths(outside_of_media)
    assert [line for depth, line in found if depth not in (0, 1)] == []
    assert found[-1][0] == 0


def test_an_open_rule_is_noticed():
    assert [depth for depth, _line in depths("td {\n/* } */\nth {\n}")] == [1, 1, 2, 1]
