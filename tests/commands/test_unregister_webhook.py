from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from django_altoviz.event_types import SENT_TYPES
from tests.commands.conftest import URL

OURS = f"“django-altoviz (default)” {URL} (event types: all)"
THEIRS = "https://n8n.example/1"
NO_WEBHOOK = (
    "No webhook to remove: give --id or --url, or set the WEBHOOK_URL of account “default” in "
    "ALTOVIZ."
)


def run(*args):
    out = StringIO()
    call_command("altoviz_unregister_webhook", *args, stdout=out)
    return out.getvalue()


def failure(*args):
    with pytest.raises(CommandError) as caught:
        run(*args)
    return str(caught.value)


@pytest.fixture
def at(altoviz):
    """Return a fake with a foreign webhook, 100, and ours, 101."""
    altoviz.add("n8n", THEIRS, ["InvoiceCreated"], "theirs")
    altoviz.add_ours()
    return altoviz


def test_removes_the_webhook_of_the_account(at):
    assert run() == f"Removed: 101 {OURS}\n"
    assert at.ids == [100]


def test_a_second_run_is_no_failure(at):
    run()
    at.requests.clear()
    assert run() == "There is no such webhook.\n"
    assert at.calls == ["GET /v1/Webhooks"]


def test_removes_all_webhooks_of_the_url(at):
    at.add_ours(url=URL.rstrip("/"), name="made by hand")
    at.add_ours(url=f"{URL}acme/")
    run()
    assert at.ids == [100, 103]


def test_removes_the_webhook_with_the_id(at):
    at.add_ours()
    run("--id", "102")
    assert at.ids == [100, 101]
    assert run("--id", "999") == "There is no such webhook.\n"


def test_removes_an_old_webhook_at_another_url(at):
    former = "https://old.example/altoviz/webhook/"
    at.add_ours(url=former)
    run("--url", former)
    assert at.ids == [100, 101]


@pytest.mark.parametrize("which", [["--id", "100"], ["--url", THEIRS]])
def test_removes_a_foreign_webhook_only_with_force(at, which):
    assert failure(*which) == (
        f"This app did not register 100 “n8n” {THEIRS} (event types: 1). Nothing was removed. Use "
        "--force to remove it anyway."
    )
    assert at.ids == [100, 101]
    run(*which, "--force")
    assert at.ids == [101]


def test_without_a_url_an_id_is_required(at, without):
    without("WEBHOOK_URL")
    assert failure() == NO_WEBHOOK
    run("--id", "101")
    assert at.ids == [100]


def test_an_empty_url_option_does_not_mean_the_accounts_url(at):
    assert failure("--url", "") == NO_WEBHOOK
    assert at.ids == [100, 101]


def test_a_dry_run_removes_nothing(at):
    assert run("--dry-run") == f"Would remove: 101 {OURS}\n"
    assert json.loads(run("--dry-run", "--format", "json")) == {"remove": [101]}
    assert at.ids == [100, 101]


def test_the_result_as_json(at):
    assert json.loads(run("--format", "json")) == {"removed": [101]}
    assert json.loads(run("--format", "json")) == {"removed": []}


@pytest.mark.parametrize("id", ["0", "-1", "x", ""])
def test_an_invalid_id_is_refused(at, id):
    assert "is not the id of a webhook: give a number from 1" in failure(f"--id={id}")


def test_an_id_and_a_url_together_are_refused(at):
    assert "not allowed with argument" in failure("--id", "101", "--url", URL)


def test_control_characters_in_a_name_are_not_printed(altoviz):
    altoviz.add_ours(name="a\x1b[2Jb", types=SENT_TYPES)
    assert run() == f"Removed: 100 “a?[2Jb” {URL} (event types: all)\n"
