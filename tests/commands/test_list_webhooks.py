from __future__ import annotations

import json
from io import StringIO

from django.core.management import call_command

from django_altoviz.event_types import SENT_TYPES
from tests.commands.conftest import URL


def run(*args):
    out = StringIO()
    call_command("altoviz_list_webhooks", *args, stdout=out)
    return out.getvalue()


def line(id, verdict, name="django-altoviz (default)", url=URL, types="all"):
    return f"{id} “{name}” {url} (event types: {types}): {verdict}\n"


def test_shows_owner_and_differences_of_each_webhook(altoviz):
    altoviz.add("n8n", "https://n8n.example/1", ["InvoiceCreated"], "theirs")
    altoviz.add_ours(types=SENT_TYPES[:3], secret="another secret")
    altoviz.add_ours()
    altoviz.add_ours()
    assert run() == (
        line(100, "not this app's", "n8n", "https://n8n.example/1", "1")
        + line(101, "would be replaced, because it differs in types, secretKey", types="3")
        + line(102, "right")
        + line(103, "right")
        + "There is more than one. Run altoviz_register_webhook.\n"
    )


def test_a_right_webhook(altoviz):
    altoviz.add_ours()
    assert run() == line(100, "right") + "Everything is as it should be.\n"


def test_a_right_webhook_with_a_hidden_secret(altoviz):
    altoviz.behave(shows_secrets="masked")
    altoviz.add_ours()
    assert (
        run()
        == line(100, "right, but its secret is not shown") + "Everything is as it should be.\n"
    )


def test_a_missing_webhook(altoviz, without):
    missing = "The webhook is missing. Run altoviz_register_webhook.\n"
    assert run() == missing
    without("WEBHOOK_URL")
    altoviz.add("", "", [], "")
    assert run() == line(100, "not this app's", "", "", "0") + missing


def test_the_options_change_what_is_wanted(altoviz):
    altoviz.add_ours(name="Our shop", url="https://other.example/", types=["InvoiceCreated"])
    args = ["--name", "Our shop", "--url", "https://other.example", "--types", "InvoiceCreated"]
    assert json.loads(run(*args, "--format", "json"))["drift"] is False


def test_as_json(altoviz):
    altoviz.add_ours(types=["QuoteDeleted", "InvoiceCreated"])
    assert json.loads(run("--format", "json")) == {
        "account": "default",
        "drift": True,
        "webhooks": [
            {
                "id": 100,
                "name": "django-altoviz (default)",
                "url": URL,
                "types": ["InvoiceCreated", "QuoteDeleted"],
                "ours": True,
                "right": False,
                "differs": ["types"],
                "secret_compared": True,
            }
        ],
    }
