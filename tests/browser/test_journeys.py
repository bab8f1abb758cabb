"""Journeys through the admin, as accountants and operators take them, in a real browser."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
import requests

from django_altoviz.intake.signing import SIGNATURE_HEADER, sign
from tests.browser.conftest import WEBHOOK_URL, browsing
from tests.browser.content import CUSTOMER
from tests.browser.visits import AXE, PHONE, look_closely, visit
from tests.conftest import SECRETS, body_of

EVENTS = "/admin/django_altoviz/webhookevent/"
BUTTONS = "main :is(button, input):is([type=submit], [form], [formaction])"
new_id = itertools.count(9_000).__next__


@pytest.fixture
def deliver(site):
    """Return a function that posts an event to the project's webhook."""

    def deliver(body):
        headers = {SIGNATURE_HEADER: sign(body, SECRETS["default"])}
        answer = requests.post(f"{site.url}/altoviz/webhook/", body, headers=headers, timeout=60)
        assert answer.status_code == 200

    return deliver


@pytest.fixture
def failing_invoice(site, deliver):
    """The number of an invoice whose payment the ledger was not told; the ledger answers again."""
    id = new_id()
    number = f"FA{id}"
    deliver(body_of("InvoiceUpdated", id=id, number=number, customerName=CUSTOMER, isPaid=False))
    site.trap.touch()
    deliver(body_of("InvoiceUpdated", id=id, number=number, customerName=CUSTOMER, isPaid=True))
    site.trap.unlink()
    return number


def find(page, number):
    """Find an invoice by its number, and open it."""
    page.goto("/admin/django_altoviz/invoice/")
    page.fill("#searchbar", number)
    page.press("#searchbar", "Enter")
    page.click(f"#result_list a:text-is('{number}')")


def test_a_failed_event_is_found_and_processed_again(page, failing_invoice):
    find(page, failing_invoice)
    story = page.inner_text("#history")
    assert "Invoice updated" in story
    assert "The ledger does not answer" in story
    page.locator("#history li.altoviz-wrong").get_by_role("link", name=re.compile("#")).click()
    assert "The ledger does not answer" in page.inner_text(".altoviz-note")
    page.get_by_role("button", name="Process again").click()
    assert "1 event was processed." in page.inner_text(".messagelist")
    assert "processed" in page.inner_text(".field-state")
    assert page.locator(".altoviz-note").count() == 0
    find(page, failing_invoice)
    assert page.locator("#history li.altoviz-wrong").count() == 0


def test_the_webhook_is_registered_from_the_overview(page, site):
    page.goto("/admin/")
    page.locator("main").get_by_role("link", name="Overview", exact=True).click()
    default = page.locator("section", has_text="Account “default”")
    assert "Not asked yet." in default.inner_text()
    default.get_by_role("button", name="Register the webhook", exact=True).click()
    assert f"Would register: {WEBHOOK_URL}" in page.inner_text("main")
    assert site.altoviz.webhooks.registered() == []
    page.get_by_role("button", name="Yes, do it").click()
    assert WEBHOOK_URL in page.inner_text(".messagelist")
    [webhook] = site.altoviz.webhooks.registered()
    assert webhook.url == WEBHOOK_URL
    page.context.add_init_script(path=AXE)
    page.get_by_role("button", name="Ask Altoviz now").click()
    assert "right" in default.inner_text()
    assert SECRETS["default"] not in page.content()
    visited = visit(page, look_closely)
    assert visited.problems == {}


def test_a_failed_event_is_processed_again_from_its_invoice(page, failing_invoice):
    find(page, failing_invoice)
    page.locator(".altoviz-note").get_by_role("button", name="Process again").click()
    assert failing_invoice in page.title()
    assert "1 event was processed." in page.inner_text(".messagelist")
    assert page.locator(".altoviz-note").count() == 0


def test_an_event_is_processed_from_scratch_after_a_question(page, failing_invoice):
    page.context.add_init_script(path=AXE)
    find(page, failing_invoice)
    page.click("#history li:last-child a")
    page.get_by_role("button", name="Process from scratch").click()
    question = visit(page, look_closely)
    assert "tell_the_ledger" in question.text
    assert question.problems == {}
    page.get_by_role("button", name="Yes, call them again").click()
    assert "1 event was processed." in page.inner_text(".messagelist")


def test_a_text_that_turns_the_direction_turns_only_itself(page, deliver):
    id = new_id()
    for subject in ("before \u202e 123", "after 456"):
        deliver(body_of("InvoiceUpdated", id=id, number=f"FA{id}", subject=subject))
    find(page, f"FA{id}")
    old, new = (page.locator(f"#history dd {name}").first.bounding_box() for name in ("del", "ins"))
    assert old["x"] + old["width"] <= new["x"]


def test_a_long_word_makes_no_column_of_a_list_wide(page, deliver):
    id = new_id()
    word = "W" * 60
    deliver(body_of("InvoiceUpdated", id=id, number=word, customerName=f"{word} {id}"))
    page.goto(f"/admin/django_altoviz/invoice/?q={word}+{id}")
    widths = page.evaluate(
        "[...document.querySelectorAll('#result_list tr:last-child > *')].map((cell) => cell.offsetWidth)"
    )
    assert len(widths) > 8
    assert max(widths) < 250


def test_who_may_only_view_finds_no_button_and_can_not_act(chromium, site, failing_invoice):
    with browsing(chromium, site, "viewer") as page:
        find(page, failing_invoice)
        assert "The ledger does not answer" in page.inner_text(".altoviz-note")
        assert page.locator(BUTTONS).count() == 0
        page.locator("#history li.altoviz-wrong").get_by_role("link").click()
        assert page.locator(BUTTONS).count() == 0
        token = next(c["value"] for c in page.context.cookies() if c["name"] == "csrftoken")
        form = {"csrfmiddlewaretoken": token, "confirmed": "yes"}
        url = page.url.partition("?")[0].replace("/change/", "/process/")
        for data in (form, form | {"from_scratch": "1"}):
            assert page.request.post(url, form=data).status == 403
        page.goto(EVENTS)
        assert page.locator("[name=action], [name=_selected_action]").count() == 0


def test_the_admin_is_french_for_the_french(chromium, site, failing_invoice):
    with browsing(chromium, site, locale="fr-FR") as page:
        find(page, failing_invoice)
        assert "Facture modifiée" in page.inner_text("#history")
        page.locator(".altoviz-note").get_by_role("button", name="Traiter à nouveau").click()
        assert "1 événement a été traité." in page.inner_text(".messagelist")


def test_an_invoice_is_found_on_a_phone(chromium, site, failing_invoice):
    with browsing(chromium, site, viewport=PHONE) as page:
        find(page, failing_invoice)
        page.locator(".altoviz-note").get_by_role("button", name="Process again").click()
        assert "1 event was processed." in page.inner_text(".messagelist")


class TestBody:
    """The body of an event folds, and is copied and downloaded as it was received."""

    @pytest.fixture
    def body(self, deliver):
        body = body_of("InvoiceUpdated", id=new_id(), subject="Deux  espaces, 1.10 €")
        deliver(body)
        return body

    def open_latest(self, page):
        page.goto(EVENTS)
        page.click("#result_list tbody tr:first-child th a")

    def test_it_is_copied_and_downloaded(self, page, body):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.open_latest(page)
        page.get_by_role("button", name="Copy").click()
        page.wait_for_selector("text=Copied.")
        assert page.evaluate("() => navigator.clipboard.readText()") == body.decode()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the body").click()
        assert Path(download.value.path()).read_bytes() == body

    def test_it_folds_without_scripts(self, chromium, site, body):
        with browsing(chromium, site, java_script_enabled=False) as page:
            self.open_latest(page)
            assert not page.locator(".altoviz-copy").is_visible()
            name = page.locator(".altoviz-key", has_text="zipcode").first
            assert not name.is_visible()
            for fold in ("billingAddress", "lines"):
                page.locator("summary", has_text=fold).first.click()
            assert name.is_visible()


class TestKeyboard:
    def reached(self, page, presses):
        """Press the Tab key, and return what has had the focus."""
        found = []
        for _press in range(presses):
            page.keyboard.press("Tab")
            found.append(page.evaluate("() => document.activeElement.outerHTML"))
        return "\n".join(found)

    def test_the_first_key_skips_to_the_content(self, page):
        page.goto(EVENTS)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.url.endswith("#content-start")

    def test_search_filters_and_actions_are_reached(self, page):
        page.goto(f"{EVENTS}?status__exact=failed#content-start")
        focused = self.reached(page, 70)
        for part in ('id="searchbar"', 'name="action"', "status__exact=dead", 'type="date"'):
            assert part in focused

    def test_an_event_is_processed_again_without_a_mouse(self, page, failing_invoice):
        find(page, failing_invoice)
        page.click("#history li.altoviz-wrong a")
        page.goto(f"{page.url}#content-start")
        assert ">Process again<" in self.reached(page, 1)
        page.keyboard.press("Enter")
        assert "1 event was processed." in page.inner_text(".messagelist")

    def test_wide_tables_are_reached_and_named(self, page, failing_invoice):
        find(page, failing_invoice)
        page.set_viewport_size(PHONE)
        lines = page.get_by_role("region", name=re.compile("^Lines"))
        lines.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("() => document.activeElement.scrollLeft > 0")
