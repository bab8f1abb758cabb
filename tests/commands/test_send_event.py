from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from django_altoviz.event_types import EventType
from django_altoviz.models import Invoice, WebhookEvent
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

    @pytest.mark.parametrize("event_type", EventType.values)
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


def test_an_account_without_a_secret_is_an_error(settings):
    settings.ALTOVIZ = {}
    with pytest.raises(CommandError, match="has no WEBHOOK_SECRET"):
        run("QuoteCreated")


def test_a_project_without_the_webhook_is_an_error(settings):
    settings.ROOT_URLCONF = "tests.urls_without"
    with pytest.raises(CommandError, match=r"Include \"django_altoviz\.urls\""):
        run("QuoteCreated")
