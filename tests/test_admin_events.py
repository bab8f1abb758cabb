"""The list of events: what each is about, why it failed, and filters that find it."""

from __future__ import annotations

import datetime
import re
from html import unescape

import pytest
from django.db import connection
from django.utils import timezone

from django_altoviz.admin import filters
from django_altoviz.admin.display.rendering import EMPTY
from django_altoviz.models import Invoice, Status, WebhookEvent
from django_altoviz.signals import invoice_updated
from tests.conftest import body_of
from tests.test_admin import EVENTS, VIEW, client_of, html, list_of, listed, store

pytestmark = pytest.mark.django_db
DAY = datetime.timedelta(days=1)


@pytest.fixture
def viewer():
    return client_of("viewer", *VIEW)


def cells(page, column):
    """Return the texts of a column of a list."""
    found = re.findall(rf'<t[dh] class="field-{column}[^"]*">(.*?)</t[dh]>', page, re.S)
    return [unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in found]


class TestObjects:
    def test_are_named_by_their_number_and_customer(self, post, viewer):
        post(body_of("InvoiceUpdated", number="FA001050", customerName="Fonderie Brûlé"))
        post(body_of("CustomerUpdated", name="Marchand", companyName=None))
        assert cells(html(viewer, EVENTS), "linked_object") == [
            "Marchand",
            "FA001050 · Fonderie Brûlé",
        ]

    def test_that_are_not_mirrored_are_named_by_their_id(self, viewer):
        store(body_of("InvoiceUpdated", id=7))
        assert cells(html(viewer, EVENTS), "linked_object") == ["invoice 7"]

    def test_of_a_kind_that_the_reader_may_not_view_stay_unnamed(self, post):
        post(body_of("InvoiceUpdated", number="FA001050"))
        page = html(client_of("operator", "view_webhookevent"), EVENTS)
        assert cells(page, "linked_object") == ["invoice 531884"]
        assert "FA001050" not in page

    def test_are_found_by_their_number(self, post, viewer):
        post(body_of("InvoiceUpdated", number="FA001050"))
        post(body_of("InvoiceUpdated", id=7, number="FA0010501"))
        [event] = listed(viewer, list_of(WebhookEvent, q=" FA001050 "))
        assert event.object_id == 531884
        assert listed(viewer, list_of(WebhookEvent, q="FA0010")) == []
        reader = client_of("operator", "view_webhookevent")
        assert listed(reader, list_of(WebhookEvent, q="FA001050")) == []


class TestCauses:
    @pytest.fixture
    def failing(self, post):
        def book(event, **kwargs):
            raise (ConnectionError if event.object_id < 3 else TimeoutError)("no answer")

        invoice_updated.connect(book, dispatch_uid="shop.book")
        for number in (1, 2, 3):
            post(body_of("InvoiceUpdated", id=number))
        invoice_updated.disconnect(dispatch_uid="shop.book")
        post(body_of("InvoiceUpdated", id=4))

    def test_are_shown_for_failed_events_only(self, failing, viewer):
        assert cells(html(viewer, EVENTS), "reason") == [
            "—",
            "shop.book: TimeoutError",
            "shop.book: ConnectionError",
            "shop.book: ConnectionError",
        ]

    def test_group_equal_failures(self, failing, viewer):
        page = unescape(html(viewer, EVENTS))
        assert "shop.book: ConnectionError (2)" in page
        assert "shop.book: TimeoutError (1)" in page
        events = listed(viewer, list_of(WebhookEvent, cause="shop.book: ConnectionError"))
        assert {event.object_id for event in events} == {1, 2}

    def test_are_those_of_the_account_that_is_listed(self, failing, viewer):
        assert "ConnectionError" not in html(viewer, list_of(WebhookEvent, account="acme"))
        page = html(viewer, list_of(WebhookEvent, account="default"))
        assert "shop.book: ConnectionError (2)" in page

    @pytest.mark.parametrize("query", [{"status__exact": "dead"}, {"type": "other"}, {"q": "1"}])
    def test_have_no_number_in_a_list_that_has_not_all_of_them(self, failing, viewer, query):
        page = html(viewer, list_of(WebhookEvent, **query))
        assert "shop.book: ConnectionError</a>" in page

    def test_have_no_number_if_not_all_are_looked_at(self, failing, viewer, monkeypatch):
        monkeypatch.setattr(filters, "_MAX_FAILED", 2)
        assert "shop.book: ConnectionError</a>" in html(viewer, EVENTS)

    def test_have_the_number_that_their_list_has(self, failing, viewer):
        WebhookEvent.objects.filter(object_id=1).update(pruned_at=timezone.now())
        page = unescape(html(viewer, EVENTS))
        assert "shop.book: ConnectionError (2)" in page
        cause = "shop.book: ConnectionError"
        assert len(listed(viewer, list_of(WebhookEvent, cause=cause))) == 2

    def test_that_are_rare_can_still_be_chosen_by_a_link(self, failing, viewer, monkeypatch):
        monkeypatch.setattr(filters, "_MAX_CAUSES", 1)
        page = unescape(html(viewer, list_of(WebhookEvent, cause="shop.book: TimeoutError")))
        assert ">shop.book: TimeoutError</a>" in page


class TestDays:
    @pytest.fixture
    def days(self):
        """Events of today, yesterday, and 6, 7, 29, 30 and 400 days ago, by their age."""
        noon = timezone.localtime().replace(hour=12)
        return {
            age: store(body_of("InvoiceUpdated"), received_at=noon - age * DAY)
            for age in (0, 1, 6, 7, 29, 30, 400)
        }

    @pytest.mark.parametrize(
        ("value", "ages"),
        [
            ("today", {0}),
            ("yesterday", {1}),
            ("week", {0, 1, 6}),
            ("month", {0, 1, 6, 7, 29}),
            ("", {0, 1, 6, 7, 29, 30, 400}),
            ("never", set()),
            ("2026-13-45", set()),
            ("2026-02-30", set()),
            ("9999-12-31", set()),
            ("0001-01-01", set()),
        ],
    )
    def test_are_filtered_in_local_time(self, days, viewer, value, ages):
        found = listed(viewer, list_of(WebhookEvent, day=value))
        assert {*found} == {days[age] for age in ages}

    def test_of_any_date_can_be_typed_in(self, days, viewer):
        day = timezone.localdate() - 400 * DAY
        url = list_of(WebhookEvent, day=day.isoformat(), status__exact="pending")
        assert listed(viewer, url) == [days[400]]
        page = html(viewer, url)
        form = page[page.index('class="altoviz-day"') :]
        form = form[: form.index("</form>")]
        assert f'value="{day.isoformat()}"' in form
        assert '<input type="hidden" name="status__exact" value="pending">' in form

    def test_begin_at_midnight_of_the_projects_time_zone(self, viewer):
        midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        second = datetime.timedelta(seconds=1)
        before, after = (
            store(body_of("InvoiceUpdated"), received_at=midnight + shift)
            for shift in (-second, second)
        )
        assert listed(viewer, list_of(WebhookEvent, day="today")) == [after]
        assert listed(viewer, list_of(WebhookEvent, day="yesterday")) == [before]

    def test_need_no_time_zones(self, settings, viewer):
        settings.USE_TZ = False
        assert listed(viewer, list_of(WebhookEvent, day="today")) == []


class TestOtherTypes:
    def test_are_the_unknown_and_the_malformed_ones(self, post, viewer):
        post(body_of("InvoiceUpdated"))
        post(b'{"id": "evt_1", "type": "ReceiptCreated", "data": {"id": 1}}')
        post(b"nonsense")
        post(b'{"id": "evt_1", "type": "ReceiptUpdated", "data": {"id": 1}}')
        found = listed(viewer, list_of(WebhookEvent, type="other"))
        assert [event.type for event in found] == ["ReceiptUpdated", "", "ReceiptCreated"]


FILTERS = ["", *(f"status__exact={status}" for status in Status), "type=InvoiceUpdated"]
FILTERS += ["type=QuoteDeleted", "source__exact=sync", "day=today", "day=2026-01-01"]


@pytest.mark.parametrize("query", FILTERS)
def test_each_filter_has_an_index_in_the_order_of_the_list(query, viewer):
    """A database that has to sort, or to read all rows, takes seconds over a million events."""
    store(body_of("InvoiceUpdated"))
    events = viewer.get(f"{EVENTS}?{query}").context["cl"].queryset[:100]
    if connection.vendor == "sqlite":
        plan = events.explain()
        assert "INDEX altoviz_event_" in plan
        assert "TEMP B-TREE FOR ORDER BY" not in plan.replace("LAST TERM OF ", "")


def test_coloured_states_say_in_words_what_they_mean(post, viewer):
    post(body_of("InvoiceUpdated"))
    post(body_of("InvoiceUpdated", id=8, date=5))
    page = html(viewer, EVENTS)
    assert '<span class="altoviz-badge altoviz-wrong">failed</span>' in page
    assert '<span class="altoviz-badge altoviz-good">processed</span>' in page
    assert Invoice.objects.count() == 1


def test_an_event_without_type_shows_that_it_has_none(viewer):
    store(b"not an event", status=Status.MALFORMED)
    assert f'<td class="field-label">{EMPTY}</td>' in html(viewer, EVENTS)
