"""The mistakes that newcomers make: each is told with its cause and its cure, where they look."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, ProgrammingError, connection
from django.test import override_settings

from django_altoviz.checks import check_connected, check_security, check_settings
from django_altoviz.event_types import EventType
from django_altoviz.management.database_command import NO_DATABASE
from django_altoviz.models import WebhookEvent
from tests.client.scripted import Answer, ScriptedServer
from tests.conftest import body_of, without_table

pytestmark = pytest.mark.django_db

GOOD = {
    "WEBHOOK_SECRET": "a-secret-of-decent-length",
    "API_KEY": "11111111-2222-3333-4444-555555555555",
    "WEBHOOK_URL": "https://shop.example/altoviz/webhook/",
}


def told_by_checks(altoviz=GOOD, **project):
    """Return what ``check --deploy`` says of the settings, with the hints."""
    with (
        override_settings(ALLOWED_HOSTS=["shop.example"]),
        override_settings(ALTOVIZ=altoviz, **project),
    ):
        messages = [*check_settings(), *check_security(), *check_connected()]
    return "\n".join(f"{message.msg} {message.hint}" for message in messages)


def told_by(command, *args):
    """Return what a failing command says, and its exit code."""
    with pytest.raises(CommandError) as caught:
        call_command(command, *args, stdout=StringIO(), stderr=StringIO())
    return str(caught.value), caught.value.returncode


@pytest.mark.parametrize(
    ("altoviz", "project", "cause", "cure"),
    [
        (
            {},
            {"ROOT_URLCONF": "tests.urls_without"},
            "URLs do not include the webhook",
            'path("altoviz/", include("django_altoviz.urls"))',
        ),
        ({"WEBHOOK_SECRET": ""}, {}, "has no WEBHOOK_SECRET", "Set one. Until then"),
        (
            {"WEBHOOK_SECRET": None},
            {},
            "must be a text or a list of texts, but is None",
            "is the environment variable set",
        ),
        (
            {"WEBHOOK_URL": "https://shop.example/webhooks/altoviz/"},
            {},
            "WEBHOOK_URL does not lead to its webhook",
            'Use the path that reverse("altoviz:webhook") returns',
        ),
        (
            {"WEBHOOK_URL": "http://shop.example/altoviz/webhook/"},
            {},
            "WEBHOOK_URL is not https",
            "Use https.",
        ),
        (
            {"WEBHOOK_URL": "https://localhost/altoviz/webhook/"},
            {},
            "Altoviz can't deliver to WEBHOOK_URL: localhost is a private",
            "Use an https URL that is reachable",
        ),
        ({"WEBHOK_SECRET": "x"}, {}, "is not a setting", "Did you mean WEBHOOK_SECRET?"),
        (
            {},
            {"ALTOVIZ_WEBHOOK_SECRET": "x"},
            "The setting ALTOVIZ_WEBHOOK_SECRET has no effect",
            'Put it into the dictionary ALTOVIZ, as "WEBHOOK_SECRET"',
        ),
        ({"RETENTION_DAYS": "90"}, {}, "must be a whole number, but is a text", "docs/reference/settings.rst"),
        ({"ALLOWED_IPS": "20.23.10.180"}, {}, "must be a list of texts, but is a text", "docs/reference/settings.rst"),
        (
            {"DISPATCHER": "django_altoviz.dispatchers.inline.dispatch"},
            {},
            "dispatch",
            "Use “django_altoviz.dispatchers.inline”",
        ),
        (
            {"BASE_URL": "https://api.altoviz.com/v1"},
            {},
            "BASE_URL must be a scheme and a host only",
            "Use https://api.altoviz.com.",
        ),
        ({}, {"ALLOWED_HOSTS": ["other.example"]}, "ALLOWED_HOSTS lacks the host", "Add it."),
        (
            {},
            {"SECURE_SSL_REDIRECT": True, "MIDDLEWARE": ["django.middleware.security.SecurityMiddleware"]},
            "SECURE_SSL_REDIRECT may redirect",
            "set SECURE_PROXY_SSL_HEADER",
        ),
        ({}, {}, "No receiver is connected", "in the ready() of an AppConfig"),
    ],
)  # fmt: skip
def test_wrong_settings_are_told_by_the_checks(altoviz, project, cause, cure):
    told = told_by_checks(GOOD | altoviz, **project)
    assert cause in told
    assert cure in told


def test_no_settings_at_all_are_told_by_the_checks():
    assert "has no WEBHOOK_SECRET. Set one." in told_by_checks({})


@pytest.mark.parametrize(
    ("altoviz", "told"),
    [
        ({"API_KEY": ""}, r"has no API_KEY\. Create one in Altoviz, under API keys"),
        ({"WEBHOOK_URL": ""}, r"No URL: give --url, or set the WEBHOOK_URL"),
        (
            {"WEBHOOK_URL": "https://localhost/altoviz/webhook/"},
            r"localhost is a private .* use altoviz_fake or a tunnel",
        ),
        ({"WEBHOOK_URL": "/altoviz/webhook/"}, r"it is not a URL like https://host/path"),
        (
            {"WEBHOOK_URL": "https://shop.example/elsewhere/"},
            r"does not lead to the webhook .*Compare its path with reverse",
        ),
    ],
)
def test_a_registration_that_can_not_work_is_refused_with_the_cure(settings, altoviz, told):
    settings.ALTOVIZ = GOOD | altoviz
    assert re.search(told, told_by("altoviz_register_webhook")[0])


def test_a_key_that_altoviz_refuses_is_told_by_its_settings(settings):
    with ScriptedServer(Answer(401, b"{}")) as altoviz:
        settings.ALTOVIZ = GOOD | {"BASE_URL": altoviz.url}
        text, _code = told_by("altoviz_list_webhooks")
    assert "does not accept the API key of account “default”. Check its API_KEY" in text


class TestDeliveries:
    def test_another_secret_is_told_by_the_log_and_the_status(self, post, caplog):
        post(EventType.CUSTOMER_CREATED, signature="0" * 64)
        assert "rejected: wrong signature" in caplog.text
        out = StringIO()
        call_command("altoviz_status", stdout=out)
        assert "invalid signature: 1" in out.getvalue()

    def test_a_proxy_that_is_not_trusted_is_told_by_the_log(self, post, settings, caplog):
        settings.ALTOVIZ = settings.ALTOVIZ | {"ALLOWED_IPS": ["20.23.10.180"]}
        assert post(EventType.CUSTOMER_CREATED).status_code == 403
        assert "127.0.0.1 is not in ALLOWED_IPS; list your proxy in TRUSTED_PROXIES" in caplog.text


class TestSamples:
    URL = "/altoviz/webhook/"

    @pytest.mark.parametrize(
        ("answer", "told"),
        [
            (
                Answer(301, b"", {"Location": "https://a.example/"}),
                r"redirects.*SECURE_SSL_REDIRECT",
            ),
            (Answer(400, b"<h1>Bad", {"Content-Type": "text/html"}), r"in ALLOWED_HOSTS\?"),
            (Answer(400, b"bad", {"Content-Type": ""}), "The log of its server says why"),
            (Answer(400, b"{}", {"Content-Type": "application/json"}), r"The log .* says why"),
            (Answer(503, b"{}", {"Content-Type": "application/json"}), r"The log .* says why"),
        ],
    )
    def test_that_are_not_accepted_are_an_error(self, answer, told):
        with ScriptedServer(answer) as server:
            text, code = told_by("altoviz_send_event", "Ping", "--url", server.url)
        assert re.search(told, text)
        assert code == 1

    def test_no_answer_forges_a_line_on_the_terminal(self):
        forged = "x\nCRITICAL forged \x1b[2J\u2028"
        out = StringIO()
        answer = Answer(400, forged.encode() + b"y" * 9000, {"Content-Type": "text/plain"})
        with ScriptedServer(answer) as server, pytest.raises(CommandError):
            call_command("altoviz_send_event", "Ping", "--url", server.url, stdout=out)
        [line] = out.getvalue().splitlines()
        assert "CRITICAL" in line
        assert "\x1b" not in line
        assert len(line) < 3000

    @pytest.mark.django_db(transaction=True)
    def test_of_a_deleted_object_are_told_with_the_cure(self, live_server, post):
        post(body_of("CustomerCreated", id=76))
        post(body_of("CustomerDeleted", id=76))
        told = []
        for number in (76, 77):
            out = StringIO()
            options = ["--set", f"id={number}", "--url", live_server.url + self.URL]
            call_command("altoviz_send_event", "CustomerUpdated", *options, stdout=out)
            told.append(out.getvalue().splitlines()[-1])
        assert re.search(
            r"ignored: .*deleted.* Give the sample another object: --set id=77", told[0]
        )
        assert told[1].startswith("processed")

    def test_with_a_text_for_json_are_told_with_an_example(self):
        with pytest.raises(CommandError, match="Write FIELD=JSON, for example isPaid=true"):
            call_command("altoviz_send_event", "InvoiceUpdated", "--set", "number=FA7")


COMMANDS = [
    ("altoviz_status",),
    ("altoviz_process_events",),
    ("altoviz_process_events", "--watch"),
    ("altoviz_prune_events",),
    ("altoviz_forget", "customer", "1"),
    ("altoviz_sync",),
]


class TestDatabase:
    @pytest.fixture
    def altoviz(self, settings):
        with ScriptedServer(Answer(200, b"[]")) as server:
            settings.ALTOVIZ = GOOD | {"BASE_URL": server.url}
            yield

    @pytest.mark.usefixtures("altoviz")
    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_forgotten_migrations_are_told_by_each_command(self, command):
        with without_table(WebhookEvent):
            text, code = told_by(*command)
        assert text == (
            "Tables are missing. Run manage.py migrate. Missing: django_altoviz_webhookevent"
        )
        assert code == NO_DATABASE

    def test_a_database_that_does_not_answer_is_no_passed_limit(self):
        def refuse(*args):
            raise OperationalError("server closed the connection")

        with connection.execute_wrapper(refuse):
            text, code = told_by("altoviz_status", "--max-failed", "0")
        assert (
            text
            == "The database “default” did not answer, or refused: server closed the connection"
        )
        assert code == NO_DATABASE

    def test_a_fault_of_this_app_keeps_its_traceback(self):
        def refuse(*args):
            raise ProgrammingError("syntax error")

        with connection.execute_wrapper(refuse), pytest.raises(ProgrammingError):
            call_command("altoviz_status")
