from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from django_altoviz.event_types import EventType
from django_altoviz.registration import applying
from tests.client.scripted import ScriptedServer, value
from tests.commands.conftest import KEY, URL
from tests.conftest import SECRETS

OURS = f"“django-altoviz (default)” {URL} (event types: all)"


def run(*args, code=0):
    out = StringIO()
    if code:
        with pytest.raises(SystemExit) as caught:
            call_command("altoviz_register_webhook", *args, stdout=out)
        assert caught.value.code == code
    else:
        call_command("altoviz_register_webhook", *args, stdout=out)
    return out.getvalue()


def failure(*args):
    with pytest.raises(CommandError) as caught:
        call_command("altoviz_register_webhook", *args, stdout=StringIO())
    assert caught.value.returncode == 1
    return str(caught.value)


def test_registers_what_the_settings_say(altoviz):
    assert run() == f"Registered: 100 {OURS}\n"
    (webhook,) = altoviz.alive
    assert (webhook.name, webhook.url) == ("django-altoviz (default)", URL)
    assert webhook.types == {*EventType}
    assert webhook.secret == SECRETS["default"]


def test_again_changes_nothing(altoviz):
    run()
    assert run() == f"Registered already: 100 {OURS}\n"
    assert altoviz.ids == [100]


def test_for_another_account(altoviz):
    run("--account", "acme")
    (webhook,) = altoviz.alive
    assert (webhook.name, webhook.url) == ("django-altoviz (acme)", f"{URL}acme/")
    assert webhook.secret == SECRETS["acme"]


def test_with_options_of_ones_own(altoviz):
    run(
        "--url", "https://other.example/altoviz/webhook", "--name", "Our shop",
        "--types", "InvoiceUpdated, InvoiceCreated", "--types", "QuoteDeleted",
    )  # fmt: skip
    (webhook,) = altoviz.alive
    assert (webhook.name, webhook.url) == ("Our shop", "https://other.example/altoviz/webhook")
    assert webhook.types == {"InvoiceCreated", "InvoiceUpdated", "QuoteDeleted"}


def test_replaces_what_differs_and_leaves_others_alone(altoviz):
    altoviz.add("n8n", "https://n8n.example/1", EventType.values, "theirs")
    altoviz.add_ours(types=["InvoiceCreated"])
    altoviz.add_ours(url="https://staging.example/altoviz/webhook/")
    assert run() == (
        f"Registered: 103 {OURS}\n"
        "Removed: 101\n"
        "Left alone, for it may be another project's: 102 “django-altoviz (default)” "
        "https://staging.example/altoviz/webhook/ (event types: all)\n"
    )
    assert altoviz.ids == [100, 102, 103]


def test_a_secret_that_is_not_shown_can_be_replaced(altoviz):
    altoviz.behave(shows_secrets="masked")
    altoviz.add_ours(secret="another secret")
    assert run() == (
        f"Registered already: 100 {OURS}\n"
        "Altoviz does not show its secret, so it could not be compared. If it may be another one, "
        "run again with --replace.\n"
    )
    assert run("--replace") == f"Registered: 101 {OURS}\nRemoved: 100\n"
    assert [row.secret for row in altoviz.alive] == [SECRETS["default"]]


def test_the_outcome_as_json(altoviz):
    altoviz.add_ours(secret="another secret")
    altoviz.add_ours(url="https://staging.example/altoviz/webhook/")
    assert json.loads(run("--format", "json")) == {
        "webhook": 102, "created": True, "removed": [100], "left": [101], "secret_compared": True
    }  # fmt: skip


class TestDryRun:
    def test_nothing_to_do(self, altoviz):
        altoviz.add_ours()
        assert run("--dry-run") == f"Would keep: 100 {OURS}\n"

    def test_something_to_do(self, altoviz):
        altoviz.add_ours(types=[])
        expected = (
            f"Would register: {URL}\n"
            f"Would remove: 100 “django-altoviz (default)” {URL} (event types: 0)\n"
        )
        assert run("--dry-run", code=3) == expected
        assert altoviz.calls == ["GET /v1/Webhooks"]

    def test_with_replace(self, altoviz):
        altoviz.add_ours()
        expected = {
            "keep": None, "create": True, "remove": [100], "left": [], "secret_compared": True
        }  # fmt: skip
        out = run("--dry-run", "--replace", "--format", "json", code=3)
        assert json.loads(out) == expected

    def test_a_secret_that_is_not_shown(self, altoviz):
        altoviz.behave(shows_secrets="null")
        altoviz.add_ours()
        assert json.loads(run("--dry-run", "--format", "json"))["secret_compared"] is False


class TestURLs:
    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("http://shop.example/altoviz/webhook/", "it is not https, so that invoices would cross the network in clear"),
            ("http://localhost:8000/altoviz/webhook/", "localhost is a name of a private network"),
            ("https://10.0.0.1/altoviz/webhook/", "10.0.0.1 is a private or reserved address"),
            ("https://shop/altoviz/webhook/", "shop is no complete domain name"),
            ("shop.example", "it is no URL of the form https://host/path"),
        ],
    )  # fmt: skip
    def test_one_that_is_not_public_is_refused(self, altoviz, url, reason):
        assert failure("--url", url) == (
            f"Altoviz can't deliver to {url}: {reason}. With --force it is registered anyway."
        )
        assert altoviz.calls == []
        run("--url", url, "--force")
        assert [row.url for row in altoviz.alive] == [url]

    def test_one_that_leads_elsewhere_is_refused(self, altoviz):
        assert failure("--url", f"{URL}acme/") == (
            f"{URL}acme/ does not lead to the webhook of account “default” in this project's URLs: "
            'compare its path with reverse("altoviz:webhook"). With --force it is registered '
            "anyway."
        )
        assert run("--url", f"{URL}acme/", "--force", "--dry-run", code=3)

    @pytest.mark.parametrize("args", [[], ["--force"]])
    def test_none(self, altoviz, without, args):
        without("WEBHOOK_URL")
        assert failure(*args) == (
            "No URL: give --url, or account “default” a WEBHOOK_URL in ALTOVIZ."
        )


class TestFailures:
    def test_no_key(self, altoviz, without):
        without("API_KEY")
        assert failure() == (
            "Account “default” has no API_KEY. Create one in Altoviz, under API keys, and put it "
            "into ALTOVIZ."
        )

    @pytest.mark.parametrize("key", ["clé-secrète", "two\nlines"])
    def test_a_key_that_cannot_be_sent(self, altoviz, settings, key):
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": key}
        assert failure() == (
            "The API key has characters that can't be sent: a key is of printable ASCII. Check "
            "API_KEY in ALTOVIZ."
        )

    def test_a_key_from_a_file_that_ends_in_a_line_break(self, altoviz, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": f"{KEY}\n"}
        assert run()

    def test_no_secret(self, altoviz, without):
        without("WEBHOOK_SECRET")
        assert failure() == (
            "Account “default” has no WEBHOOK_SECRET. Put one into ALTOVIZ: unsigned deliveries "
            "are not accepted."
        )

    def test_a_wrong_key(self, altoviz, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": "wrong"}
        assert failure() == (
            "Altoviz does not accept the API key of account “default”. Check its API_KEY and "
            "BASE_URL in ALTOVIZ."
        )

    def test_the_quota(self, altoviz, at_once):
        altoviz.fail_next(*[429] * 100)
        assert failure() == (
            "Altoviz takes no more requests for now. Run the command again in some minutes: that "
            "is safe."
        )

    def test_the_network(self, altoviz, settings, at_once):
        altoviz.fail_next(*["reset"] * 100)
        assert failure() == (
            f"{settings.ALTOVIZ['BASE_URL']} can't be reached, or its answer broke off. Check the "
            "network, the proxy and BASE_URL, and run the command again: that is safe."
        )

    def test_a_list_that_does_not_show_it(self, altoviz):
        altoviz.add_ours(types=[])
        altoviz.behave(list_lag=(0.0, *[60.0] * 100))
        assert failure() == (
            "Altoviz took the change, but its list does not show it yet. Nothing was removed whose "
            "successor is not listed. Run the command again in a minute: that is safe."
        )
        assert altoviz.ids == [100, 101]

    def test_a_list_that_shows_it_otherwise(self, altoviz, settings):
        rows = []

        def answer(request):
            if request.method == "POST":
                rows.append(json.loads(request.body) | {"id": 7, "name": "cut\x1b[2J"})
            return value(rows) if request.method == "GET" else value({"id": 0}, 201)

        with ScriptedServer(answer) as server:
            settings.ALTOVIZ = settings.ALTOVIZ | {"BASE_URL": server.url}
            assert failure() == (
                "Altoviz lists the new webhook otherwise than it was sent: name: 'cut\\x1b[2J' "
                "instead of 'django-altoviz (default)'. Webhook 7 is left. Ask for what Altoviz "
                "keeps; to run this again changes nothing."
            )

    def test_a_refusal_does_not_show_what_was_sent(self, altoviz, settings):
        refusal = value({"message": f"Invalid: {SECRETS['default']} {KEY}"}, 400)
        with ScriptedServer(refusal) as server:
            settings.ALTOVIZ = settings.ALTOVIZ | {"BASE_URL": server.url}
            assert failure() == (
                "GET v1/Webhooks was answered 400 (Invalid: […] […]). Correct the request. "
                "A retry fails again."
            )

    @pytest.mark.parametrize("types", ["CreditCreated", "InvoiceCreated,", "CreditCreated,,", ""])
    def test_an_unknown_type(self, altoviz, types):
        assert "no such event type; choose from ContactCreated, " in bad(f"--types={types}")

    def test_a_setting_of_the_wrong_type(self, altoviz, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": 5}
        assert failure() == 'ALTOVIZ["API_KEY"] is of the wrong type.'


def bad(*args):
    with pytest.raises(CommandError) as caught:
        call_command("altoviz_register_webhook", *args)
    return str(caught.value)


@pytest.mark.parametrize("args", [[], ["--dry-run"], ["--format", "json"], ["--replace"]])
def test_no_output_shows_a_secret(altoviz, args, capsys):
    altoviz.add_ours(secret="another secret")
    out = run(*args, code=3 if "--dry-run" in args else 0) + "".join(capsys.readouterr())
    assert not any(secret in out for secret in [*SECRETS.values(), "another secret", KEY])


def test_the_pauses_are_those_of_a_list_that_lags_by_seconds():
    assert sum(applying.PAUSES) > 20
