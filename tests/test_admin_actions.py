"""Processing events again in the admin: bounded, confirmed, and with what became of each event."""

from __future__ import annotations

import datetime
import re
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from django_altoviz.admin import WebhookEventAdmin, actions, base
from django_altoviz.models import Status, WebhookEvent
from django_altoviz.signals import customer_updated
from tests.conftest import body_of
from tests.test_admin import (
    EVENTS,
    VIEW,
    client_of,
    html,
    page_of,
    run_action,
    store,
    store_pending,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator():
    return client_of("operator", *VIEW, "process_webhookevent", "replay_webhookevent")


def process_page_of(event):
    return reverse("admin:django_altoviz_webhookevent_process", args=[event.pk])


def statuses():
    return [*WebhookEvent.objects.order_by("pk").values_list("status", flat=True)]


class TestManyEvents:
    """An action takes the events that it names, and no more than a request can process."""

    def test_a_list_that_is_not_counted_to_its_end_offers_no_selection_of_all(
        self, operator, monkeypatch
    ):
        for number in range(1, 4):
            store_pending(id=number)
        monkeypatch.setattr(WebhookEventAdmin, "list_per_page", 1)
        assert 'class="question' in html(operator, EVENTS)
        monkeypatch.setattr(base, "MAX_COUNT", 2)
        page = html(operator, EVENTS)
        assert 'class="question' not in page
        assert "0 of 1 selected" in page

    def test_more_than_the_limit_are_refused(self, operator, monkeypatch):
        events = [store_pending(id=number) for number in range(1, 4)]
        monkeypatch.setattr(actions, "MAX_SELECTED", 2)
        for action in ("process_again", "process_from_scratch"):
            data = {"action": action, "select_across": 1, "confirmed": "yes"}
            [message] = run_action(operator, events[0], **data)
            assert message.startswith("These are more than 2 events. Filter the list further")
        assert statuses() == ["pending"] * 3

    def test_a_whole_list_is_confirmed_with_its_number_and_its_events(self, operator, monkeypatch):
        monkeypatch.setattr(actions, "_MAX_LISTED", 2)
        events = [store_pending(id=number) for number in range(1, 4)]
        data = {"action": "process_again", "_selected_action": events[0].pk, "select_across": 1}
        page = unescape(operator.post(EVENTS, data | {"index": 0}).content.decode())
        assert "Number of events: 3." in page
        assert page.count("customer updated 418206") == page.count("CustomerUpdated") == 0
        assert page.count("customer updated ") == 2
        assert "… and 1 more event." in page
        assert "Receivers that have succeeded" not in page
        assert statuses() == ["pending"] * 3
        late = store_pending(id=9)
        form = page[page.index("<form", page.index('id="content"')) :]
        fields = re.findall(r'name="(\w+)" value="([^"]*)"', form[: form.index("</form>")])
        data = {name: [value for n, value in fields if n == name] for name, _value in fields}
        answer = operator.post(EVENTS, data, follow=True)
        assert [str(m) for m in answer.context["messages"]] == ["3 events were processed."]
        assert WebhookEvent.objects.get(pk=late.pk).status == Status.PENDING

    @pytest.mark.parametrize("key", ["x", "", "9" * 30, "1.5", "\0"])
    def test_a_key_that_is_none_is_refused(self, operator, key):
        store_pending()
        data = {"action": "process_again", "_selected_action": key, "select_across": 0}
        assert operator.post(EVENTS, data).status_code == 400
        assert statuses() == ["pending"]

    def test_a_request_ends_in_time_and_tells_what_is_left(self, operator, monkeypatch):
        events = [store_pending(id=number) for number in range(1, 4)]
        monkeypatch.setattr(actions, "PATIENCE", 0)
        assert run_action(operator, *events) == [
            "1 event was processed.",
            "2 events were not processed, because the time was over or they are gone.",
        ]
        assert statuses() == ["processed", "pending", "pending"]

    @pytest.mark.parametrize(
        ("dispatcher", "message", "status"),
        [
            ("inline", "2 events were processed.", Status.PROCESSED),
            ("deferred", "2 events wait for a worker now.", Status.PENDING),
        ],
    )
    def test_many_are_left_to_the_workers_if_there_are_any(
        self, operator, settings, monkeypatch, dispatcher, message, status
    ):
        settings.ALTOVIZ = settings.ALTOVIZ | {
            "DISPATCHER": f"django_altoviz.dispatchers.{dispatcher}"
        }
        monkeypatch.setattr(actions, "MAX_IN_REQUEST", 1)
        events = [store_pending(id=number) for number in (1, 2)]
        WebhookEvent.objects.update(status=Status.DEAD, settled_at=F("received_at"))
        assert run_action(operator, *events) == [message]
        assert statuses() == [status] * 2

    def test_a_broker_that_does_not_answer_leaves_them_to_the_safety_net(
        self, operator, settings, monkeypatch, caplog
    ):
        settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": "tests.broken_dispatcher"}
        monkeypatch.setattr(actions, "MAX_IN_REQUEST", 1)
        events = [store_pending(id=number) for number in (1, 2)]
        assert run_action(operator, *events) == ["2 events wait for a worker now."]
        assert statuses() == [Status.PENDING] * 2
        assert caplog.text.count("could not be dispatched. Run altoviz_process_events.") == 2

    def test_what_can_not_be_queued_is_told_with_its_reason(self, operator, settings, monkeypatch):
        settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": "django_altoviz.dispatchers.deferred"}
        monkeypatch.setattr(actions, "MAX_IN_REQUEST", 1)
        events = [store_pending(id=number) for number in (1, 2)]
        WebhookEvent.objects.filter(pk=events[0].pk).update(body="", pruned_at=timezone.now())
        assert run_action(operator, *events) == [
            "1 event waits for a worker now.",
            "1 event was not processed: pruned body.",
        ]


class TestOutcomes:
    def test_an_event_that_is_ignored_again_is_not_called_processed(self, operator):
        events = [store_pending(), store(body_of("CustomerDeleted", id=418206))]
        assert run_action(operator, *events) == ["2 events were processed."]
        late = store_pending()
        assert run_action(operator, late) == ["1 event was ignored: its page says why."]
        assert WebhookEvent.objects.get(pk=late.pk).status == Status.IGNORED

    def test_are_logged(self, operator):
        run_action(operator, store_pending())
        assert "Process again: processed" in str(LogEntry.objects.get())

    def test_a_processed_event_that_fails_has_not_failed_again(self, operator):
        event = store_pending()
        run_action(operator, event)

        def fail(**kwargs):
            raise RuntimeError

        customer_updated.connect(fail)
        data = {"action": "process_from_scratch", "confirmed": "yes"}
        try:
            assert run_action(operator, event, **data) == [
                "1 event failed: its page says why, and whether it is tried again."
            ]
        finally:
            customer_updated.disconnect(fail)
        assert "Process from scratch: failed" in str(LogEntry.objects.latest("pk"))


class TestGone:
    """Events that were pruned, or that a filter of the list leaves out by now, are named as such."""

    ONE = "1 selected event is not in this list any more. Nothing was done with it."

    @pytest.mark.parametrize(
        "data",
        [
            {},
            {"select_across": 1},
            {"action": "process_from_scratch"},
            {"action": "process_from_scratch", "confirmed": "yes"},
        ],
    )
    def test_nothing_is_asked_if_none_is_left(self, operator, data):
        event = store_pending()
        WebhookEvent.objects.all().delete()
        assert run_action(operator, event, **data) == [self.ONE]

    def test_the_others_are_processed(self, operator):
        gone, event = store_pending(id=1), store_pending(id=2)
        WebhookEvent.objects.filter(pk=gone.pk).delete()
        assert run_action(operator, gone, event) == [self.ONE, "1 event was processed."]

    def test_a_whole_list_has_more_than_the_selected_events(self, operator):
        events = [store_pending(id=number) for number in (1, 2)]
        data = {"select_across": 1, "confirmed": "yes"}
        assert run_action(operator, events[0], **data) == ["2 events were processed."]


class TestOnThePage:
    """The buttons on an event's page lead back to the page that they are on."""

    def post(self, client, event, **data):
        answer = client.post(process_page_of(event), data, follow=True)
        return answer, [str(message) for message in answer.context["messages"]]

    def test_an_event_is_processed_from_scratch_after_a_confirmation(self, operator):
        calls = []

        def receiver(**kwargs):
            calls.append(1)

        customer_updated.connect(receiver)
        try:
            event = store_pending()
            here = f"{page_of(event)}?_changelist_filters=status__exact%3Ddead"
            self.post(operator, event)
            page = self.post_unconfirmed(operator, event, here)
            assert "All receivers of these events are called again" in page
            assert calls == [1]
            answer, texts = self.post(operator, event, from_scratch=1, next=here, confirmed="yes")
        finally:
            customer_updated.disconnect(receiver)
        assert texts == ["1 event was processed."]
        assert answer.redirect_chain == [(here, 302)]
        assert calls == [1, 1]

    def post_unconfirmed(self, client, event, here):
        answer = client.post(process_page_of(event), {"from_scratch": 1, "next": here})
        page = unescape(answer.content.decode())
        assert f'name="next" value="{here}"' in page
        return page

    @pytest.mark.parametrize(
        "to", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "evil", ""]
    )
    def test_they_lead_to_no_other_site(self, operator, to):
        event = store_pending()
        answer, _texts = self.post(operator, event, next=to)
        assert answer.redirect_chain == [(page_of(event), 302)]

    @pytest.mark.parametrize(
        ("codenames", "data", "status"),
        [
            (VIEW, {}, 403),
            ([*VIEW, "process_webhookevent"], {"from_scratch": 1}, 403),
            ([*VIEW, "process_webhookevent"], {}, 302),
            (["process_webhookevent", "replay_webhookevent"], {}, 403),
            ([*VIEW, "replay_webhookevent"], {}, 403),
            ([*VIEW, "replay_webhookevent"], {"from_scratch": 1}, 200),
        ],
    )
    def test_they_need_the_permissions(self, codenames, data, status):
        event = store_pending()
        client = client_of("somebody", *codenames)
        assert client.post(process_page_of(event), data).status_code == status
        expected = Status.PROCESSED if status == 302 else Status.PENDING
        assert WebhookEvent.objects.get().status == expected

    def test_they_are_not_pressed_by_get(self, operator):
        event = store_pending()
        assert operator.get(process_page_of(event)).url == page_of(event)
        assert statuses() == ["pending"]

    def test_an_event_that_is_gone_is_not_found(self, operator):
        event = store_pending()
        WebhookEvent.objects.all().delete()
        assert operator.post(process_page_of(event)).status_code == 404

    def test_they_are_offered_only_where_they_may_work(self, operator):
        event = store_pending()
        assert html(operator, page_of(event)).count(process_page_of(event)) == 2
        lease = timezone.now() + datetime.timedelta(minutes=5)
        for values in (
            {"status": Status.PROCESSING, "lease_expires_at": lease},
            {"status": Status.MALFORMED},
            {"type": "ReceiptCreated"},
            {"pruned_at": timezone.now(), "body": ""},
        ):
            other = store_pending(id=7)
            WebhookEvent.objects.filter(pk=other.pk).update(**values)
            assert process_page_of(other) not in html(operator, page_of(other)), values
