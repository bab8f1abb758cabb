"""The buttons of the overview: permitted, confirmed, bounded and logged."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.test import Client

from django_altoviz.admin import operations
from django_altoviz.models import Status, WebhookEvent
from django_altoviz.registration import applying
from tests.conftest import SECRETS, body_of
from tests.test_admin import client_of, html
from tests.test_admin_overview import ACT, OPERATE, PAGE, VIEW
from tests.test_remote import URL, altoviz, registered  # noqa: F401  a fixture

pytestmark = pytest.mark.django_db(transaction=True)

PERMISSIONS = {
    "ask": "ask_altoviz",
    "register": "register_webhook",
    "replace": "register_webhook",
    "unregister": "register_webhook",
    "sync": "start_sync",
    "process": "process_webhookevent",
}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(applying, "PAUSES", (0.01,) * 5)
    cache.clear()


@pytest.fixture
def operator():
    return client_of("operator", *VIEW, *OPERATE)


def confirmation(client, action, account="default"):
    """Press a button. Return the sentences of the page that asks for confirmation."""
    page = client.post(ACT, {"action": action, "account": account})
    assert page.status_code == 200
    content = page.content.decode()
    content = content[content.index('id="content"') :]
    return [unescape(step).strip() for step in re.findall(r"<li>\s*(.*?)\s*</li>", content)]


def run(client, action, account="default"):
    """Press a button and confirm. Return the messages."""
    data = {"action": action, "account": account, "confirmed": "yes"}
    answer = client.post(ACT, data, follow=True)
    assert answer.redirect_chain == [(PAGE, 302)]
    return [str(message) for message in answer.context["messages"]]


def press(client, action):
    """Press a button that Altoviz's fault keeps from its confirmation. Return the messages."""
    answer = client.post(ACT, {"action": action, "account": "default"}, follow=True)
    return [str(message) for message in answer.context["messages"]]


class TestPermissions:
    def test_a_reader_has_no_buttons_and_may_not_act(self, altoviz):  # noqa: F811
        viewer = client_of("viewer", *VIEW)
        assert "<form" not in html(viewer, PAGE).split('id="content"')[1]
        altoviz.requests.clear()
        for action in (*PERMISSIONS, "explode"):
            for confirmed in ({}, {"confirmed": "yes"}):
                data = {"action": action, "account": "default"} | confirmed
                assert viewer.post(ACT, data).status_code == 403
        assert viewer.get(ACT, {"action": "process"}).url == PAGE
        assert altoviz.requests == []
        assert not LogEntry.objects.exists()

    @pytest.mark.parametrize(("action", "permission"), PERMISSIONS.items())
    def test_each_button_has_its_permission(self, action, permission):
        others = {*OPERATE} - {permission}
        client = client_of("other", *VIEW, *others)
        assert f'value="{action}"' not in html(client, PAGE)
        data = {"action": action, "account": "default", "confirmed": "yes"}
        assert client.post(ACT, data).status_code == 403
        client = client_of("this", *VIEW, permission)
        assert f'value="{action}"' in html(client, PAGE)
        # The page itself must be allowed, too.
        assert client_of("blind", permission).post(ACT, data).status_code == 403

    def test_a_request_without_the_token_or_by_get_does_nothing(self, operator):
        strict = Client(enforce_csrf_checks=True, headers={"Cookie": ""})
        strict.cookies = operator.cookies
        data = {"action": "process", "account": "default", "confirmed": "yes"}
        assert strict.post(ACT, data).status_code == 403
        assert operator.get(ACT, data).url == PAGE
        assert client_of("reader").get(ACT, data).status_code == 403
        assert not LogEntry.objects.exists()

    def test_an_unknown_account_is_not_found(self, operator):
        for account in ("nobody", "", "\0", "é" * 500):
            data = {"action": "process", "account": account, "confirmed": "yes"}
            assert operator.post(ACT, data).status_code == 404


class TestWebhook:
    def test_is_registered_after_a_confirmation(self, altoviz, operator):  # noqa: F811
        former = registered(altoviz, types=["InvoiceCreated"])
        assert confirmation(operator, "register") == [
            f"Would register: {URL}",
            f"Would remove: {former.id} “django-altoviz (default)” {URL}",
        ]
        assert altoviz.webhooks.registered() == [former]
        registered_now, removed = run(operator, "register")
        (made,) = altoviz.webhooks.registered()
        assert registered_now == f"Registered: {made.id} “django-altoviz (default)” {URL}"
        assert removed == f"Removed: {former.id}"
        assert made.secret == SECRETS["default"]
        assert press(operator, "register")[0].startswith(f"Already registered: {made.id}")
        assert run(operator, "register")[0].startswith(f"Already registered: {made.id}")
        entry = LogEntry.objects.earliest("pk")
        assert entry.change_message.startswith("Register the webhook: Registered: ")
        assert (entry.object_id, entry.object_repr) == ("default", "Account “default”")
        assert operator.get(entry.get_admin_url(), follow=True).redirect_chain == [(PAGE, 302)]

    def test_is_replaced_even_if_it_is_right(self, altoviz, operator):  # noqa: F811
        former = registered(altoviz)
        foreign = altoviz.webhooks.register("https://other.example/", "s", name=former.name)
        steps = confirmation(operator, "replace")
        assert [step.partition(":")[0] for step in steps] == [
            "Would register",
            "Would remove",
            "Left alone, because it may belong to another project",
        ]
        run(operator, "replace")
        assert former not in altoviz.webhooks.registered()
        assert foreign in altoviz.webhooks.registered()

    def test_is_unregistered(self, altoviz, operator):  # noqa: F811
        former = registered(altoviz)
        foreign = altoviz.webhooks.register("https://other.example/", "s", name="n8n")
        (step,) = confirmation(operator, "unregister")
        assert step.startswith(f"Would remove: {former.id} ")
        (message,) = run(operator, "unregister")
        assert message.startswith(f"Removed: {former.id} ")
        assert altoviz.webhooks.registered() == [foreign]
        assert press(operator, "unregister") == ["There is no such webhook."]
        assert run(operator, "unregister") == ["There is no such webhook."]

    def test_that_is_right_is_confirmed_if_others_are_left_alone(self, altoviz, operator):  # noqa: F811
        ours = registered(altoviz)
        altoviz.webhooks.register("https://other.example/", "s", name=ours.name)
        kept, _left = confirmation(operator, "register")
        assert kept.startswith(f"Would keep: {ours.id} ")

    def test_a_url_that_altoviz_may_not_reach_is_named(
        self,
        altoviz,  # noqa: F811
        operator,
        settings,
    ):
        url = "https://user:s3cret@localhost/nowhere/"
        settings.ALTOVIZ = settings.ALTOVIZ | {"WEBHOOK_URL": url}
        private, elsewhere, would_register = confirmation(operator, "register")
        assert private.startswith(
            "Altoviz may not be able to deliver to https://localhost/nowhere/"
        )
        assert "does not lead to the webhook of account “default”" in elsewhere
        assert would_register == "Would register: https://localhost/nowhere/"
        assert "s3cret" not in " ".join(run(operator, "register"))
        assert "s3cret" not in LogEntry.objects.get().change_message

    @pytest.mark.parametrize("setting", ["WEBHOOK_URL", "WEBHOOK_SECRET", "API_KEY"])
    def test_a_setting_that_is_missing_is_named(
        self,
        altoviz,  # noqa: F811
        operator,
        settings,
        setting,
    ):
        settings.ALTOVIZ = settings.ALTOVIZ | {setting: ""}
        text = f"Account “default” has no {setting} in ALTOVIZ."
        assert press(operator, "register") == press(operator, "unregister") == [text]

    def test_a_fault_is_explained_and_logged_only_after_the_confirmation(
        self,
        altoviz,  # noqa: F811
        operator,
    ):
        altoviz.fail_next(401)
        (message,) = press(operator, "register")
        assert "does not accept the API key" in message
        assert not LogEntry.objects.exists()
        altoviz.fail_next("reset")
        (message,) = run(operator, "register")
        assert "can't be reached" in message
        assert "can't be reached" in LogEntry.objects.get().change_message

    @pytest.mark.parametrize("action", ["register", "unregister"])
    def test_a_list_that_lags_too_long_is_not_waited_for(
        self,
        altoviz,  # noqa: F811
        operator,
        monkeypatch,
        action,
    ):
        if action == "unregister":
            registered(altoviz)
        altoviz.behave(list_lag=(0.0,))
        monkeypatch.setattr(operations, "PATIENCE", 0)
        (message,) = run(operator, action)
        assert message.startswith("Altoviz accepted the change, but its list does not show it yet.")


class TestProcess:
    @pytest.fixture(autouse=True)
    def events(self, deferred, post):
        for number in range(3):
            post(body_of("CustomerUpdated", id=number + 1))
        post(body_of("CustomerUpdated", id=1), account="acme")

    def statuses(self, account="default"):
        events = WebhookEvent.objects.filter(account=account).order_by("pk")
        return [*events.values_list("status", flat=True)]

    def test_processes_what_is_due_of_the_account(self, operator):
        (step,) = confirmation(operator, "process")
        assert step.startswith("At most 100 events that are due are processed in this request")
        assert self.statuses() == ["pending"] * 3
        assert run(operator, "process") == ["3 events were processed."]
        assert self.statuses() == ["processed"] * 3
        assert self.statuses("acme") == ["pending"]
        assert run(operator, "process") == ["No event was due."]
        message = LogEntry.objects.earliest("pk").change_message
        assert message == "Process what is due: 3 events were processed."

    def test_is_not_confirmed_if_nothing_is_due(self, operator):
        run(operator, "process")
        assert press(operator, "process") == ["No event was due."]

    def test_is_bounded_in_number(self, operator, monkeypatch):
        monkeypatch.setattr(operations, "MAX_IN_REQUEST", 2)
        assert run(operator, "process") == ["2 events were processed.", "More events may be due."]

    def test_is_bounded_in_time(self, operator, monkeypatch):
        monkeypatch.setattr(operations, "PATIENCE", 0)
        assert run(operator, "process") == ["More events may be due."]
        assert self.statuses() == ["pending"] * 3

    def test_failures_are_counted(self, operator, post):
        post(body_of("CustomerUpdated", id=8, active="maybe"))
        assert run(operator, "process") == [
            "3 events were processed.",
            "1 event failed: its page says why, and whether it is tried again.",
        ]
        assert WebhookEvent.objects.filter(status=Status.FAILED).count() == 1
