from __future__ import annotations

import json
from io import StringIO

from django.core.management import call_command

from django_altoviz.event_types import EventType
from tests.commands.conftest import URL


def run(*args):
    out = StringIO()
    call_command("altoviz_list_webhooks", *args, stdout=out)
    return out.getvalue()


def line(id, verdict, name="django-altoviz (default)", url=URL, types="all"):
    return f"{id} “{name}” {url} (event types: {types}): {verdict}\n"


def test_says_of_each_whose_it_is_and_what_differs(altoviz):
    altoviz.add("n8n", "https://n8n.example/1", ["InvoiceCreated"], "theirs")
    altoviz.add_ours(types=EventType.values[:3], secret="another secret")
    altoviz.add_ours()
    altoviz.add_ours()
    assert run() == (
        line(100, "not this app's", "n8n", "https://n8n.example/1", "1")
        + line(101, "to be replaced, for it differs in types, secretKey", types="3")
        + line(102, "right")
        + line(103, "right")
        + "There are more than one. Run altoviz_register_webhook.\n"
    )


def test_all_is_right(altoviz):
    altoviz.add_ours()
    assert run() == line(100, "right") + "All is as it should be.\n"


def test_as_far_as_is_shown(altoviz):
    altoviz.behave(shows_secrets="masked")
    altoviz.add_ours()
    assert run() == line(100, "right, as far as is shown") + "All is as it should be.\n"


def test_none(altoviz, without):
    missing = "The webhook is missing. Run altoviz_register_webhook.\n"
    assert run() == missing
    without("WEBHOOK_URL")
    altoviz.add("", "", [], "")
    assert run() == line(100, "not this app's", "", "", "0") + missing


def test_what_is_wanted_can_be_said(altoviz):
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
