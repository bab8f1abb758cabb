"""Each page of the admin, in a browser, with content that attacks its readers."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import browsing
from tests.browser.visits import AXE, look_closely, visit_all


@pytest.fixture(scope="module")
def visits(chromium, site):
    with browsing(chromium, site) as page:
        page.context.add_init_script(path=AXE)
        return visit_all(page, look_closely)


def found(visits, name):
    """Return what was found under this name, by the path of the page."""
    return {visit.path: finds for visit in visits if (finds := getattr(visit, name))}


def test_every_page_is_visited(visits):
    """The index, its lists, and rows of each of them."""
    paths = " ".join(visit.path for visit in visits)
    for model in ("webhookevent", "customer", "contact", "product", "invoice", "quote", "syncrun"):
        assert f" /admin/django_altoviz/{model}/ " in paths
        assert re.search(rf" /admin/django_altoviz/{model}/\d+/change/ ", paths)


def test_the_strict_policy_is_kept(visits):
    assert found(visits, "violations") == {}


def test_every_page_loads_and_no_script_of_a_sender_runs(visits):
    assert found(visits, "complaints") == {}


def test_no_page_is_wider_than_a_phone(visits):
    assert found(visits, "too_wide") == {}


def test_each_scrolling_region_has_a_name_and_is_reached_by_keys(visits):
    assert found(visits, "mute_regions") == {}


def test_the_pages_are_accessible_in_light_and_dark(visits):
    assert found(visits, "inaccessible") == {}


def test_no_english_is_left_on_a_french_page(chromium, site):
    """Errors and their tracebacks are in English, as Python writes them."""
    english = re.compile(
        r"\b(the|this|has|been|was|were|not|event|events|search|show|all|yes)\b", re.I
    )
    quoted = re.compile(r"Error|InvalidPayload|script>|line \d|^ ")
    with browsing(chromium, site, locale="fr-FR") as page:
        visits = visit_all(page, lambda page, visited: None)
    lines = {line for visit in visits for line in visit.text.splitlines()}
    assert [line for line in lines if english.search(line) and not quoted.search(line)] == []
