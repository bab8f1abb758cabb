from __future__ import annotations

import json
import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from django_altoviz.event_types import SENT_TYPES
from django_altoviz.models import Customer, Invoice, WebhookEvent
from django_altoviz.signals import customer_created
from tests.client.scripted import Answer, ScriptedServer
from tests.conftest import SECRETS


def run(*args):
    out = StringIO()
    call_command("altoviz_send_event", *args, stdout=out)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
class TestOverHttp:
    @pytest.fixture
    def url(self, live_server):
        return f"{live_server.url}/altoviz/webhook/"

    @pytest.mark.parametrize("event_type", SENT_TYPES)
    def test_a_sample_of_each_type_can_be_sent(self, url, event_type):
        assert run(event_type, "--url", url).startswith('200 {"status": "stored", "id": "evt_')
        event = WebhookEvent.objects.get()
        assert event.type == event_type
        assert event.arrival["content_type"] == "text/plain; charset=utf-8"

    def test_each_run_sends_another_event(self, url):
        run("InvoiceUpdated", "--url", url)
        run("InvoiceUpdated", "--url", url)
        assert WebhookEvent.objects.count() == 2

    def test_fields_and_the_id_can_be_set(self, url):
        run(
            "InvoiceUpdated", "--url", url, "--id", "evt_mine",
            "--set", "isPaid=true", "--set", "balance=0.10",
            "--set", "billingAddress.city=\"Nîmes\"",
        )  # fmt: skip
        invoice = Invoice.objects.get()
        assert WebhookEvent.objects.get().event_id == "evt_mine"
        assert (invoice.is_paid, str(invoice.balance)) == (True, "0.1")
        assert invoice.data["billingAddress"]["city"] == "Nîmes"

    def test_an_event_can_be_sent_to_another_account(self, url):
        run("CustomerCreated", "--account", "acme", "--url", f"{url}acme/")
        assert WebhookEvent.objects.get().account == "acme"

    @pytest.mark.parametrize(
        ("args", "outcome"),
        [
            (["CustomerCreated"], "processed"),
            (["CustomerCreated", "--set", "active=5"], "failed: .*active: expected true or false"),
            (["Ping"], "ignored: This version knows no such event type."),
        ],
    )
    def test_what_became_of_the_event_is_told(self, url, args, outcome):
        assert re.search(outcome, run(*args, "--url", url).splitlines()[-1])

    @pytest.mark.usefixtures("deferred")
    def test_an_event_that_waits_is_told_with_the_cure(self, url):
        assert "pending: not processed yet. A worker will do it" in run(
            "CustomerCreated", "--url", url
        )

    def test_it_is_told_if_nobody_listens(self, url):
        missing = "processed. No receiver is connected to customer_created in this process."
        assert missing in run("CustomerCreated", "--url", url)

        def listen(**kwargs):
            pass

        customer_created.connect(listen)
        try:
            assert "No receiver" not in run("CustomerCreated", "--set", "id=77", "--url", url)
        finally:
            customer_created.disconnect(listen)

    def test_a_ping_has_no_effect(self, url):
        run("Ping", "--url", url)
        assert WebhookEvent.objects.get().status == "ignored"
        assert not Customer.with_deleted.exists()

    def test_a_redirect_is_an_error_with_its_cause(self):
        redirect = Answer(301, b"", {"Location": "https://shop.example/"})
        with ScriptedServer(redirect) as server:
            with pytest.raises(CommandError, match=r"redirects to https://.*SECURE_SSL_REDIRECT"):
                run("Ping", "--url", server.url)

    def test_an_event_of_another_project_is_told(self, url, monkeypatch):
        monkeypatch.setattr(WebhookEvent.with_pruned, "for_write", WebhookEvent.objects.none)
        assert "not in this project's database" in run("Ping", "--url", url)

    def test_without_a_database_the_answer_is_told(self, url, monkeypatch):
        def fail():
            raise OperationalError("no database here")

        monkeypatch.setattr(WebhookEvent.with_pruned, "for_write", fail)
        assert "not in this project's database" in run("Ping", "--url", url)

    def test_a_refused_event_is_an_error(self, url):
        out = StringIO()
        with pytest.raises(CommandError, match="did not accept"):
            call_command("altoviz_send_event", "CustomerCreated", url=f"{url}acme/", stdout=out)
        assert out.getvalue() == '401 {"error": "invalid signature"}\n'


def test_dry_run_prints_the_request():
    out = run("QuoteCreated", "--dry-run")
    first, body = out.split("\n", 1)
    assert first == "POST http://127.0.0.1:8000/altoviz/webhook/"
    assert json.loads(body)["type"] == "QuoteCreated"
    assert SECRETS["default"] not in out
    acme = run("QuoteCreated", "--dry-run", "--account", "acme")
    assert acme.startswith("POST http://127.0.0.1:8000/altoviz/webhook/acme/\n")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["CreditCreated"], "invalid choice: 'CreditCreated'"),
        (["QuoteCreated", "--set", "status=Sent"], "is not an assignment"),
        (["QuoteCreated", "--set", "status"], "is not an assignment"),
        (["QuoteCreated", "--set", "number.x=1"], "no object “number”"),
        (["QuoteCreated", "--set", "a.b.c=1"], "no object “a.b”"),
        (["QuoteCreated", "--url", "http://127.0.0.1:9/"], "can't be reached"),
        (["QuoteCreated", "--url", "no url"], "can't be reached"),
    ],
)
def test_invalid_input_is_explained(args, message):
    with pytest.raises(CommandError, match=message):
        run(*args)


def test_no_password_in_the_url_is_printed():
    url = "http://user:pass-word@127.0.0.1:9/?token=token-word"
    with pytest.raises(CommandError) as caught:
        run("QuoteCreated", "--url", url)
    assert "http://127.0.0.1:9/ can't be reached" in str(caught.value)
    assert "word" not in str(caught.value) + run("QuoteCreated", "--url", url, "--dry-run")


def test_an_account_without_a_secret_is_an_error(settings):
    settings.ALTOVIZ = {}
    with pytest.raises(CommandError, match="has no WEBHOOK_SECRET"):
        run("QuoteCreated")


def test_a_project_without_the_webhook_is_an_error(settings):
    settings.ROOT_URLCONF = "tests.urls_without"
    with pytest.raises(CommandError, match=r"Include \"django_altoviz\.urls\""):
        run("QuoteCreated")
