from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from django_altoviz.event_types import SENT_TYPES
from django_altoviz.registration import applying
from tests.client.scripted import ScriptedServer, json_answer
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


def test_registers_the_webhook_of_the_settings(altoviz):
    assert run() == f"Registered: 100 {OURS}\n"
    (webhook,) = altoviz.alive
    assert (webhook.name, webhook.url) == ("django-altoviz (default)", URL)
    assert webhook.types == {*SENT_TYPES}
    assert webhook.secret == SECRETS["default"]


def test_a_second_run_changes_nothing(altoviz):
    run()
    assert run() == f"Already registered: 100 {OURS}\n"
    assert altoviz.ids == [100]


def test_registers_the_webhook_of_another_account(altoviz):
    run("--account", "acme")
    (webhook,) = altoviz.alive
    assert (webhook.name, webhook.url) == ("django-altoviz (acme)", f"{URL}acme/")
    assert webhook.secret == SECRETS["acme"]


def test_registers_the_values_of_the_options(altoviz):
    run(
        "--url", "https://other.example/altoviz/webhook", "--name", "Our shop",
        "--types", "InvoiceUpdated, InvoiceCreated", "--types", "QuoteDeleted",
    )  # fmt: skip
    (webhook,) = altoviz.alive
    assert (webhook.name, webhook.url) == ("Our shop", "https://other.example/altoviz/webhook")
    assert webhook.types == {"InvoiceCreated", "InvoiceUpdated", "QuoteDeleted"}


def test_replaces_a_wrong_webhook_and_leaves_others_alone(altoviz):
    altoviz.add("n8n", "https://n8n.example/1", SENT_TYPES, "theirs")
    altoviz.add_ours(types=["InvoiceCreated"])
    altoviz.add_ours(url="https://staging.example/altoviz/webhook/")
    assert run() == (
        f"Registered: 103 {OURS}\n"
        "Removed: 101\n"
        "Left alone, because it may belong to another project: 102 “django-altoviz (default)” "
        "https://staging.example/altoviz/webhook/ (event types: all)\n"
    )
    assert altoviz.ids == [100, 102, 103]


def test_a_hidden_secret_can_be_replaced(altoviz):
    altoviz.behave(shows_secrets="masked")
    altoviz.add_ours(secret="another secret")
    assert run() == (
        f"Already registered: 100 {OURS}\n"
        "Altoviz does not show the webhook's secret, so it could not be compared. If the secret may "
        "be another one, run the command again with --replace.\n"
    )
    assert run("--replace") == f"Registered: 101 {OURS}\nRemoved: 100\n"
    assert [row.secret for row in altoviz.alive] == [SECRETS["default"]]


def test_the_result_as_json(altoviz):
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

    def test_a_hidden_secret(self, altoviz):
        altoviz.behave(shows_secrets="null")
        altoviz.add_ours()
        assert json.loads(run("--dry-run", "--format", "json"))["secret_compared"] is False


class TestURLs:
    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("http://shop.example/altoviz/webhook/", "it is not https, so invoices would cross the network unencrypted"),
            ("http://localhost:8000/altoviz/webhook/", "localhost is a private network name"),
            ("https://10.0.0.1/altoviz/webhook/", "10.0.0.1 is a private or reserved address"),
            ("https://shop/altoviz/webhook/", "shop is not a fully qualified domain name"),
            ("shop.example", "it is not a URL like https://host/path"),
        ],
    )  # fmt: skip
    def test_a_url_that_is_not_public_is_refused_without_force(self, altoviz, url, reason):
        assert failure("--url", url) == (
            f"Altoviz can't deliver to {url}: {reason}. To develop without a public URL, use "
            "altoviz_fake or a tunnel. Use --force to register it anyway."
        )
        assert altoviz.calls == []
        run("--url", url, "--force")
        assert [row.url for row in altoviz.alive] == [url]

    def test_a_url_that_leads_elsewhere_is_refused_without_force(self, altoviz):
        assert failure("--url", f"{URL}acme/") == (
            f"{URL}acme/ does not lead to the webhook of account “default” in this project's URLs. "
            'Compare its path with reverse("altoviz:webhook"), or use --force to register it '
            "anyway."
        )
        assert run("--url", f"{URL}acme/", "--force", "--dry-run", code=3)

    @pytest.mark.parametrize("args", [[], ["--force"]])
    def test_no_url_is_refused(self, altoviz, without, args):
        without("WEBHOOK_URL")
        assert failure(*args) == (
            "No URL: give --url, or set the WEBHOOK_URL of account “default” in ALTOVIZ."
        )


class TestFailures:
    def test_no_key(self, altoviz, without):
        without("API_KEY")
        assert failure() == (
            "Account “default” has no API_KEY. Create one in Altoviz, under API keys, and add it "
            "to ALTOVIZ."
        )

    @pytest.mark.parametrize("key", ["clé-secrète", "two\nlines"])
    def test_a_key_that_cannot_be_sent(self, altoviz, settings, key):
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": key}
        assert failure() == (
            "The API key contains characters that are not printable ASCII, so it can't be sent. "
            "Check API_KEY in ALTOVIZ."
        )

    def test_a_key_from_a_file_that_ends_in_a_line_break(self, altoviz, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": f"{KEY}\n"}
        assert run()

    def test_no_secret(self, altoviz, without):
        without("WEBHOOK_SECRET")
        assert failure() == (
            "Account “default” has no WEBHOOK_SECRET. Add one to ALTOVIZ, because unsigned "
            "deliveries are rejected."
        )

    def test_a_wrong_key(self, altoviz, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": "wrong"}
        assert failure() == (
            "Altoviz does not accept the API key of account “default”. Check its API_KEY and "
            "BASE_URL in ALTOVIZ."
        )

    def test_the_rate_limit(self, altoviz, at_once):
        altoviz.fail_next(*[429] * 100)
        assert failure() == (
            "Altoviz's rate limit is exceeded. Run the command again in a few minutes: that is "
            "safe."
        )

    def test_the_network(self, altoviz, settings, at_once):
        altoviz.fail_next(*["reset"] * 100)
        assert failure() == (
            f"{settings.ALTOVIZ['BASE_URL']} can't be reached, or its answer broke off. Check the "
            "network, the proxy and BASE_URL, then run the command again: that is safe."
        )

    def test_a_list_that_does_not_show_the_new_webhook(self, altoviz):
        altoviz.add_ours(types=[])
        altoviz.behave(list_lag=(0.0, *[60.0] * 100))
        assert failure() == (
            "Altoviz accepted the change, but its list does not show it yet. No webhook was removed "
            "before its replacement was listed. Run the command again in a minute: that is safe."
        )
        assert altoviz.ids == [100, 101]

    def test_a_list_that_shows_the_new_webhook_altered(self, altoviz, settings):
        rows = []

        def answer(request):
            if request.method == "POST":
                rows.append(json.loads(request.body) | {"id": 7, "name": "cut\x1b[2J"})
            return json_answer(rows) if request.method == "GET" else json_answer({"id": 0}, 201)

        with ScriptedServer(answer) as server:
            settings.ALTOVIZ = settings.ALTOVIZ | {"BASE_URL": server.url}
            assert failure() == (
                "Altoviz stored the new webhook differently from what it was sent: name: "
                "'cut\\x1b[2J' instead of 'django-altoviz (default)'. Webhook 7 is left. Running "
                "this again changes nothing: ask for the values that Altoviz stores."
            )

    def test_a_refusal_does_not_show_secrets(self, altoviz, settings):
        refusal = json_answer({"message": f"Invalid: {SECRETS['default']} {KEY}"}, 400)
        with ScriptedServer(refusal) as server:
            settings.ALTOVIZ = settings.ALTOVIZ | {"BASE_URL": server.url}
            assert failure() == (
                "GET v1/Webhooks was answered 400 (Invalid: […] […]). Correct the request. "
                "A retry fails again."
            )

    @pytest.mark.parametrize("types", ["CreditCreated", "InvoiceCreated,", "CreditCreated,,", ""])
    def test_an_unknown_type(self, altoviz, types):
        assert "no such event type; choose from ContactCreated, " in refusal_of(f"--types={types}")

    def test_a_setting_of_the_wrong_type(self, altoviz, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": 5}
        assert failure() == 'ALTOVIZ["API_KEY"] must be a text, but is a whole number.'


def refusal_of(*args):
    with pytest.raises(CommandError) as caught:
        call_command("altoviz_register_webhook", *args)
    return str(caught.value)


@pytest.mark.parametrize("args", [[], ["--dry-run"], ["--format", "json"], ["--replace"]])
def test_no_output_shows_a_secret(altoviz, args, capsys):
    altoviz.add_ours(secret="another secret")
    out = run(*args, code=3 if "--dry-run" in args else 0) + "".join(capsys.readouterr())
    assert not any(secret in out for secret in [*SECRETS.values(), "another secret", KEY])


def test_the_pauses_outlast_the_lag_of_the_list():
    assert sum(applying.PAUSES) > 20
