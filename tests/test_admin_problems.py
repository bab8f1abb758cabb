"""The admin tells what is wrong with an event or an object, and what can be done about it."""

from __future__ import annotations

import datetime
import re
from html import unescape

import pytest
from django.db.models import F
from django.utils import timezone

from django_altoviz.admin import problems
from django_altoviz.exceptions import GiveUp, RetryLater
from django_altoviz.models import Customer, Status, WebhookEvent
from django_altoviz.signals import customer_updated
from tests.conftest import body_of
from tests.test_admin import VIEW, client_of, html, page_of, store_pending

pytestmark = pytest.mark.django_db
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def operator():
    return client_of("operator", *VIEW, "process_webhookevent")


def refuse(instance, **kwargs):
    raise GiveUp("no account for this customer")


def break_down(instance, **kwargs):
    raise ConnectionError("the ledger does not answer")


@pytest.fixture
def fails(request):
    customer_updated.connect(request.param, dispatch_uid="shop.receivers.book")
    yield
    customer_updated.disconnect(dispatch_uid="shop.receivers.book")


def notes(page):
    """Return the texts of the notes on a page, without their markup."""
    found = re.findall(r'<div class="altoviz-note[^"]*">(.*?)</div>', page, re.S)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", note)).split()) for note in found]


class TestCause:
    """Equal failures have the same cause, whatever their texts."""

    @pytest.mark.parametrize("fails", [break_down], indirect=True)
    def test_names_the_receiver_and_the_kind_of_error(self, post, fails):
        for number in (1, 2):
            post(body_of("CustomerUpdated", id=number, name=f"Name {number}"))
        causes = {*WebhookEvent.objects.values_list("cause", flat=True)}
        assert causes == {"shop.receivers.book: ConnectionError"}

    @pytest.mark.parametrize("fails", [refuse], indirect=True)
    def test_names_a_receiver_that_gave_up(self, post, fails):
        post(body_of("CustomerUpdated"))
        assert WebhookEvent.objects.get().cause == "shop.receivers.book: GiveUp"

    def test_of_an_event_that_could_not_be_applied_is_the_kind_of_error(self, post):
        post(body_of("CustomerUpdated", name=5))
        assert WebhookEvent.objects.get().cause == "InvalidPayload"

    def test_of_several_receivers_is_a_real_failure(self, post):
        def later(**kwargs):
            raise RetryLater(60)

        customer_updated.connect(later, dispatch_uid="first")
        customer_updated.connect(break_down, dispatch_uid="second")
        try:
            post(body_of("CustomerUpdated"))
        finally:
            customer_updated.disconnect(dispatch_uid="first")
            customer_updated.disconnect(dispatch_uid="second")
        assert WebhookEvent.objects.get().cause == "second: ConnectionError"

    def test_goes_when_the_event_succeeds(self, post):
        customer_updated.connect(break_down, dispatch_uid="once")
        post(body_of("CustomerUpdated"))
        customer_updated.disconnect(dispatch_uid="once")
        event = WebhookEvent.objects.get()
        WebhookEvent.objects.update(next_attempt_at=None)
        post(body_of("CustomerUpdated"))
        event.refresh_from_db()
        assert (event.status, event.cause) == (Status.PROCESSED, "")

    def test_of_another_body_under_a_known_id_says_so(self, post):
        for name in ("A", "B"):
            post(body_of("CustomerUpdated", event_id="evt_1", name=name))
        assert WebhookEvent.objects.latest("pk").cause == "Another body under the same id"


class TestOnTheObjectsPage:
    @pytest.mark.parametrize("fails", [refuse, break_down], indirect=True)
    def test_a_receiver_that_was_not_told_is_named_with_the_reason(self, post, operator, fails):
        post(body_of("CustomerUpdated"))
        event = WebhookEvent.objects.get()
        assert event.mirrored_at is not None
        [note] = notes(html(operator, page_of(Customer.objects.get())))
        assert "has not had its whole effect" in note
        assert f"#{event.pk}" in note
        assert "shop.receivers.book: " in note
        assert ("no account" in note) != ("ConnectionError: the ledger" in note)

    @pytest.mark.parametrize("fails", [break_down], indirect=True)
    def test_the_button_processes_the_event_and_comes_back(self, post, operator, fails):
        post(body_of("CustomerUpdated"))
        customer_updated.disconnect(dispatch_uid="shop.receivers.book")
        here = page_of(Customer.objects.get())
        page = html(operator, here)
        [action] = re.findall(r'action="([^"]*/process/)"', page)
        answer = operator.post(action, {"next": here}, follow=True)
        assert answer.redirect_chain == [(here, 302)]
        assert notes(answer.content.decode()) == []
        assert WebhookEvent.objects.get().status == Status.PROCESSED

    @pytest.mark.parametrize("fails", [refuse], indirect=True)
    def test_readers_of_customers_only_see_that_there_is_something(self, post, fails):
        post(body_of("CustomerUpdated"))
        page = html(client_of("accountant", "view_customer"), page_of(Customer.objects.get()))
        [note] = notes(page)
        assert "has not had its whole effect: dead" in note
        for hidden in ("shop.receivers", "no account", "#", "formaction"):
            assert hidden not in note
        assert "/process/" not in page

    def test_a_reader_without_the_permission_sees_no_button(self, post):
        post(body_of("CustomerUpdated"))
        post(body_of("CustomerUpdated", name=5))
        page = html(client_of("viewer", *VIEW), page_of(Customer.objects.get()))
        assert len(notes(page)) == 1
        assert "/process/" not in page

    def test_many_are_cut_with_a_sign(self, post, operator):
        post(body_of("CustomerUpdated"))
        for number in range(problems.MAX_PROBLEMS + 1):
            post(body_of("CustomerUpdated", name=number))
            page = html(operator, page_of(Customer.objects.get()))
            has_more = number == problems.MAX_PROBLEMS
            assert ("Other events of this object" in page) == has_more
        assert len(notes(page)) == problems.MAX_PROBLEMS

    def test_there_are_none_if_all_went_well(self, post, operator):
        post(body_of("CustomerUpdated"))
        assert notes(html(operator, page_of(Customer.objects.get()))) == []


class TestWaiting:
    """An event that is not settled says what it waits for."""

    def note(self, client, event):
        [note] = notes(html(client, page_of(event)))
        return note

    def test_for_an_earlier_event_of_its_object(self, post, operator):
        customer_updated.connect(break_down, dispatch_uid="down")
        try:
            post(body_of("CustomerUpdated"))
            post(body_of("CustomerUpdated"))
        finally:
            customer_updated.disconnect(dispatch_uid="down")
        first, second = WebhookEvent.objects.order_by("pk")
        assert f"It waits for the earlier event #{first.pk} of the object" in self.note(
            operator, second
        )
        assert "(status: failed)" in self.note(operator, second)
        assert "It is tried again at" in self.note(operator, first)

    def test_for_a_worker_that_has_it(self, operator):
        event = store_pending()
        WebhookEvent.objects.update(
            status=Status.PROCESSING, lease_expires_at=timezone.now() + HOUR
        )
        assert "A worker has it until" in self.note(operator, event)

    def test_for_a_worker_that_is_lost(self, operator):
        event = store_pending()
        WebhookEvent.objects.update(
            status=Status.PROCESSING, lease_expires_at=timezone.now() - HOUR
        )
        assert "Its worker did not come back in time." in self.note(operator, event)

    @pytest.mark.parametrize("changes", [{}, {"object_id": None}])
    def test_for_anybody_to_take_it(self, operator, changes):
        event = store_pending()
        WebhookEvent.objects.update(received_at=F("received_at"), **changes)
        note = self.note(operator, event)
        assert "nobody has taken it. Check that the workers" in note

    def test_a_dead_event_waits_for_nothing(self, post, operator):
        customer_updated.connect(refuse, dispatch_uid="no")
        post(body_of("CustomerUpdated"))
        customer_updated.disconnect(dispatch_uid="no")
        assert self.note(operator, WebhookEvent.objects.get()).startswith("Dead. no: no account")

    @pytest.mark.parametrize("codename", ["view_customer", None])
    def test_the_text_of_an_error_is_for_those_who_may_view_the_object(self, post, codename):
        customer_updated.connect(refuse, dispatch_uid="no")
        post(body_of("CustomerUpdated"))
        customer_updated.disconnect(dispatch_uid="no")
        client = client_of("reader", *filter(None, ["view_webhookevent", codename]))
        note = self.note(client, WebhookEvent.objects.get())
        assert ("no account" in note) == (codename is not None)
        assert "no: " in note

    def test_a_pruned_event_has_no_note_because_nothing_can_be_done(self, post, operator):
        customer_updated.connect(refuse, dispatch_uid="no")
        post(body_of("CustomerUpdated"))
        customer_updated.disconnect(dispatch_uid="no")
        WebhookEvent.objects.update(body="", pruned_at=timezone.now())
        assert notes(html(operator, page_of(WebhookEvent.with_pruned.get()))) == []

    def test_a_settled_event_has_no_note(self, post, operator):
        post(body_of("CustomerUpdated"))
        assert notes(html(operator, page_of(WebhookEvent.objects.get()))) == []
