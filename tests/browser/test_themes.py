"""Other themes of the admin show everything that Django's shows, and can do everything."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.browser.conftest import browsing, served, skip
from tests.browser.content import CUSTOMER, NUMBER
from tests.browser.themes import THEMES

INVOICES = "/admin/django_altoviz/invoice/"
EVENTS = "/admin/django_altoviz/webhookevent/"


@pytest.fixture(scope="module", params=THEMES)
def themed(request, chromium, tmp_path_factory):
    for app in THEMES[request.param]:
        if find_spec(app) is None:
            skip(f"{app} is not installed")
    with served(tmp_path_factory.mktemp(request.param), request.param) as site:
        yield site


@pytest.fixture
def page(chromium, themed):
    with browsing(chromium, themed) as page:
        yield page


def open_invoice(page):
    page.goto(f"{INVOICES}?q={NUMBER}")
    page.locator("#result_list").get_by_role("link", name=NUMBER).click()
    page.wait_for_url("**/change/**")


def open_failed_event(page):
    open_invoice(page)
    page.locator("#history li.altoviz-wrong a").first.click()
    page.wait_for_url("**/webhookevent/*/change/**")


def await_success(page):
    page.get_by_text("event was processed").first.wait_for(state="attached")
    page.wait_for_load_state()


def test_an_invoice_is_whole(page):
    open_invoice(page)
    text = page.locator("body").inner_text().lower()
    for shown in (CUSTOMER, "moule aluminium", "amount with tax", "invoice created", "at altoviz"):
        assert shown.lower() in text
    assert page.locator(".altoviz-lines tbody tr").count() > 1
    assert page.locator(".altoviz-note").count() == 2


def test_notes_badges_and_tables_are_told_apart_from_the_text(page):
    open_invoice(page)
    none = "rgba(0, 0, 0, 0)"
    for note in page.locator(".altoviz-note").all():
        assert note.evaluate("(note) => getComputedStyle(note).backgroundColor") != none
    for cell in page.locator(".altoviz-lines td").all():
        assert cell.evaluate("(cell) => parseFloat(getComputedStyle(cell).paddingLeft)") >= 4
    page.goto(f"{EVENTS}?status__exact=failed")
    badge = page.locator(".altoviz-badge.altoviz-wrong").first
    assert badge.evaluate("(badge) => parseFloat(getComputedStyle(badge).borderTopWidth)") >= 1


def test_every_button_is_readable(page):
    open_invoice(page)
    sizes = [button.bounding_box() for button in page.locator(".altoviz-button").all()]
    assert sizes
    assert all(size["width"] > 80 and size["height"] > 20 for size in sizes)


def test_an_event_shows_all_of_itself(page):
    open_failed_event(page)
    # Jazzmin has tabs, of which one is visible.
    text = page.locator("body").evaluate("(body) => body.textContent")
    for shown in ("The ledger does not answer", "Attempts", "Download the body", "Dedupe key"):
        assert shown in text
    assert page.locator(".altoviz-json").count() == 1


def test_lists_have_their_filters_and_actions(page):
    page.goto(EVENTS)
    text = page.locator("body").evaluate("(body) => body.textContent")
    for shown in ("Process again", "Process from scratch", "cause of failure", "Past 7 days"):
        assert shown.lower() in text.lower()


def test_events_are_processed_again_from_each_button(page):
    """The last test of a theme: no event is failed after it."""
    open_failed_event(page)
    event = page.url
    open_invoice(page)
    page.get_by_role("button", name="Process again").last.click()
    await_success(page)
    assert page.locator(".altoviz-note").count() == 0
    page.goto(event)
    page.get_by_role("button", name="Process from scratch").click()
    page.get_by_role("button", name="Yes, call them again").click()
    await_success(page)
