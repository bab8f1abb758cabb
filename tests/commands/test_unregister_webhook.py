from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from django_altoviz.event_types import EventType
from tests.commands.conftest import URL

OURS = f"“django-altoviz (default)” {URL} (event types: all)"
THEIRS = "https://n8n.example/1"


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
    """100 is somebody else's, 101 is ours."""
    altoviz.add("n8n", THEIRS, ["InvoiceCreated"], "theirs")
    altoviz.add_ours()
    return altoviz


def test_removes_the_accounts_own(at):
    assert run() == f"Removed: 101 {OURS}\n"
    assert at.ids == [100]


def test_once_more_is_no_failure(at):
    run()
    at.requests.clear()
    assert run() == "There is no such webhook.\n"
    assert at.calls == ["GET /v1/Webhooks"]


def test_all_of_that_url(at):
    at.add_ours(url=URL.rstrip("/"), name="made by hand")
    at.add_ours(url=f"{URL}acme/")
    run()
    assert at.ids == [100, 103]


def test_the_one_of_an_id(at):
    at.add_ours()
    run("--id", "102")
    assert at.ids == [100, 101]
    assert run("--id", "999") == "There is no such webhook.\n"


def test_a_former_one_of_another_url(at):
    former = "https://old.example/altoviz/webhook/"
    at.add_ours(url=former)
    run("--url", former)
    assert at.ids == [100, 101]


@pytest.mark.parametrize("which", [["--id", "100"], ["--url", THEIRS]])
def test_somebody_elses_only_with_force(at, which):
    assert failure(*which) == (
        f"Not registered by this app: 100 “n8n” {THEIRS} (event types: 1). Nothing was removed; "
        "with --force it is."
    )
    assert at.ids == [100, 101]
    run(*which, "--force")
    assert at.ids == [101]


def test_without_a_url_an_id_is_needed(at, without):
    without("WEBHOOK_URL")
    assert (
        failure()
        == "No webhook: give --id or --url, or account “default” a WEBHOOK_URL in ALTOVIZ."
    )
    run("--id", "101")
    assert at.ids == [100]


def test_an_empty_url_is_not_the_accounts_own(at):
    assert (
        failure("--url", "")
        == "No webhook: give --id or --url, or account “default” a WEBHOOK_URL in ALTOVIZ."
    )
    assert at.ids == [100, 101]


def test_nothing_in_a_dry_run(at):
    assert run("--dry-run") == f"Would remove: 101 {OURS}\n"
    assert json.loads(run("--dry-run", "--format", "json")) == {"remove": [101]}
    assert at.ids == [100, 101]


def test_the_outcome_as_json(at):
    assert json.loads(run("--format", "json")) == {"removed": [101]}
    assert json.loads(run("--format", "json")) == {"removed": []}


@pytest.mark.parametrize("id", ["0", "-1", "x", ""])
def test_what_is_no_id(at, id):
    assert "is no id of a webhook: give 1 or more" in failure(f"--id={id}")


def test_either_an_id_or_a_url(at):
    assert "not allowed with argument" in failure("--id", "101", "--url", URL)


def test_a_name_that_moves_the_cursor_is_not_printed_as_it_is(altoviz):
    altoviz.add_ours(name="a\x1b[2Jb", types=EventType.values)
    assert run() == f"Removed: 100 “a?[2Jb” {URL} (event types: all)\n"
