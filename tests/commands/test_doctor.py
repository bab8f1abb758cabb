"""The doctor: each mistake of newcomers with its cause and its cure, and a project that is well.

The numbers are those of the mistakes. With some of them no command of Django runs (5: the settings read a
variable that is not set; 27: ``INSTALLED_APPS`` is wrong), or another command tells of itself (25 and
26: options of ``altoviz_fake`` and ``altoviz_send_event``).
"""

from __future__ import annotations

import base64
import datetime
import hmac
import io
import json
import sys
import time

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.models.signals import post_save, pre_save
from django.test import override_settings
from django.urls import set_script_prefix
from django.utils import timezone

from django_altoviz import rejections
from django_altoviz.doctor import SUBJECTS
from django_altoviz.event_types import EventType
from django_altoviz.intake import signing
from django_altoviz.models import Status, WebhookEvent
from django_altoviz.signals import event_received, invoice_paid, webhook_rejected
from tests.client.scripted import Answer, ScriptedServer, json_answer
from tests.commands.conftest import KEY
from tests.conftest import SECRETS, body_of, without_table
from tests.dispatchers.brokers import refusing_port

pytestmark = pytest.mark.django_db


def examined(*args):
    """Return what the doctor prints, and its error or nothing."""
    out, error = io.StringIO(), ""
    try:
        call_command("altoviz_doctor", "--account", "default", *args, stdout=out)
    except CommandError as caught:
        error = str(caught)
    return out.getvalue(), error


def findings_in(*args):
    return json.loads(examined("--format", "json", *args)[0])["findings"]


def said(*args, **conditions):
    """Return the cause and the cure of the findings of that kind, on one line each."""
    return "\n".join(
        f"{each['state']} {each['cause']} {each['cure']}"
        for each in findings_in(*args)
        if conditions.items() <= each.items()
    )


def paid(**kwargs):
    """Receiver of the project that is well."""


@pytest.fixture
def healthy(altoviz, settings, post):
    """A project with which everything is well."""
    settings.ALLOWED_HOSTS = ["shop.example", "testserver"]
    settings.ALTOVIZ = {
        name: settings.ALTOVIZ[name] for name in settings.ALTOVIZ if name != "ACCOUNTS"
    }
    altoviz.behave(list_lag=())
    customer = altoviz.customers.create()["id"]
    altoviz.add_ours()
    post(body_of("CustomerCreated", id=customer))
    invoice_paid.connect(paid)
    yield altoviz
    invoice_paid.disconnect(paid)


@pytest.fixture
def change(healthy, settings):
    """Return a function that changes settings of ALTOVIZ."""

    def change(**changes):
        settings.ALTOVIZ = settings.ALTOVIZ | changes

    return change


@pytest.mark.usefixtures("healthy")
class TestAProjectThatIsWell:
    def test_has_neither_a_failure_nor_a_warning(self):
        text, error = examined("--fail-on-warning")
        assert error == ""
        assert "✔" in text
        assert "!" not in text
        assert "✘" not in text

    def test_is_told_by_every_subject(self):
        assert {each["subject"] for each in findings_in()} == {*SUBJECTS}

    def test_has_nothing_to_say_with_verbosity_0(self):
        assert examined("--verbosity", "0") == ("", "")

    def test_names_the_receivers(self):
        assert "tests.commands.test_doctor.paid" in said(subject="receivers", name="invoice_paid")

    def test_shows_no_secret(self):
        for args in ((), ("--format", "json")):
            text = examined(*args)[0]
            assert KEY not in text
            assert not [secret for secret in SECRETS.values() if secret in text]


SETTINGS = [
    ("1 include", {}, {"ROOT_URLCONF": "tests.urls_without"}, "URLs do not include the webhook", 'Add path("altoviz/"'),
    ("3 secret", {"WEBHOOK_SECRET": ""}, {}, "has no WEBHOOK_SECRET", "Set one. Until then"),
    ("4 unset", {"WEBHOOK_SECRET": None}, {}, "must be a text or a list of texts, but is None", "is the environment variable set"),
    ("6 key", {"API_KEY": "22222222-2222-3333-4444-555555555555"}, {}, "does not accept the API key of account “default”", "Check its API_KEY"),
    ("7 no key", {"API_KEY": ""}, {}, "“default” has no API_KEY", "Create one in Altoviz, under API keys"),
    ("9 path", {"WEBHOOK_URL": "https://shop.example/webhooks/altoviz/"}, {}, "it answers 404", 'reverse("altoviz:webhook")'),
    ("10 http", {"WEBHOOK_URL": "http://shop.example/altoviz/webhook/"}, {}, "WEBHOOK_URL is not https", "Use https."),
    ("11 local", {"WEBHOOK_URL": "https://localhost/altoviz/webhook/"}, {}, "localhost is a private network name", "Use an https URL that is reachable"),
    ("12 path only", {"WEBHOOK_URL": "/altoviz/webhook/"}, {}, "is not a URL: /altoviz/webhook/", "such as https://shop.example/altoviz/webhook/"),
    ("12 no scheme", {"WEBHOOK_URL": "shop.example/altoviz/webhook/"}, {}, "is not a URL: shop.example", "such as https://shop.example/altoviz/webhook/"),
    ("13 no URL", {"WEBHOOK_URL": ""}, {}, "lacks a WEBHOOK_URL", "Set both in ALTOVIZ"),
    ("14 typo", {"WEBHOK_SECRET": "x"}, {}, 'ALTOVIZ["WEBHOK_SECRET"] is not a setting', "Did you mean WEBHOOK_SECRET?"),
    ("15 flat", {}, {"ALTOVIZ_WEBHOOK_SECRET": "x"}, "The setting ALTOVIZ_WEBHOOK_SECRET has no effect", "Put it into the dictionary ALTOVIZ"),
    ("16 days", {"RETENTION_DAYS": "90"}, {}, "must be a whole number, but is a text", "docs/reference/settings.rst"),
    ("16 addresses", {"ALLOWED_IPS": "20.23.10.180"}, {}, "must be a list of texts, but is a text", "docs/reference/settings.rst"),
    ("16 bytes", {"WEBHOOK_SECRET": b"secret"}, {}, "but is bytes", "docs/reference/settings.rst"),
    ("17 function", {"DISPATCHER": "django_altoviz.dispatchers.inline.dispatch"}, {}, "not a module with a function", "Use “django_altoviz.dispatchers.inline”"),
    ("20 proxy", {"ALLOWED_IPS": ["20.23.10.180"]}, {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}, "TRUSTED_PROXIES is empty", "List the addresses of the proxy"),
    ("21 host", {}, {"ALLOWED_HOSTS": ["other.example"]}, "refuses the host", "Add the host to ALLOWED_HOSTS"),
    ("22 redirect", {}, {"SECURE_SSL_REDIRECT": True}, "SECURE_SSL_REDIRECT may redirect", "set SECURE_PROXY_SSL_HEADER"),
    ("22 www", {}, {"PREPEND_WWW": True, "ALLOWED_HOSTS": ["*"]}, "is redirected to https://www.shop.example/altoviz/webhook/", "PREPEND_WWW"),
    ("23 base", {"BASE_URL": "https://api.altoviz.com/v1"}, {}, "BASE_URL must be a scheme and a host only", "Use https://api.altoviz.com."),
    ("24 network", {"BASE_URL": f"http://127.0.0.1:{refusing_port()}"}, {}, "can't be asked at http://127.0.0.1", "Check the network"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("altoviz_settings", "project", "cause", "cure"),
    [each[1:] for each in SETTINGS],
    ids=[each[0] for each in SETTINGS],
)
def test_a_mistake_in_the_settings_is_told(change, altoviz_settings, project, cause, cure):
    change(**altoviz_settings)
    offline = ["--offline"] if "/v1" in str(altoviz_settings) else []
    with override_settings(**project):
        told = said(*offline)
    [*lines] = [line for line in told.splitlines() if cause in line and not line.startswith("ok")]
    assert [line for line in lines if cure in line], told


def test_no_settings_at_all_are_told(settings, healthy):
    settings.ALTOVIZ = {}
    told = said("--offline", name="probe")
    assert told.startswith("failure The webhook of account “default” rejects a signed delivery")
    assert "the account has no WEBHOOK_SECRET Correct this setting in ALTOVIZ" in told


def test_settings_that_are_no_dictionary_are_told(settings, healthy):
    settings.ALTOVIZ = "secret"
    told = said("--offline")
    assert "failure The setting ALTOVIZ must be a dictionary." in told
    assert "skipped The settings of no account can be read." in told
    with pytest.raises(CommandError):
        call_command("altoviz_doctor", "--offline", stdout=io.StringIO())


def test_mistake_18_a_queue_without_its_package_is_told(change, monkeypatch):
    monkeypatch.setitem(sys.modules, "celery", None)
    monkeypatch.delitem(sys.modules, "django_altoviz.dispatchers.celery", raising=False)
    change(DISPATCHER="django_altoviz.dispatchers.celery")
    assert "Install the extra: django-altoviz[celery]." in said(subject="settings")
    assert said(name="dispatcher").startswith("failure ")


def test_receivers_that_can_not_be_told_apart_are_told(healthy):
    def make():
        def receiver(**kwargs):
            """Receiver whose name another one has."""

        return receiver

    receivers = make(), make()
    for receiver in receivers:
        invoice_paid.connect(receiver)
    told = said(name="W013")
    for receiver in receivers:
        invoice_paid.disconnect(receiver)
    assert told.startswith("warning Several receivers of invoice_paid have the name")
    assert "Connect each with a dispatch_uid of its own." in told


class TestMistakesOnTheWay:
    def test_2_a_secret_that_altoviz_does_not_have_is_told_by_its_list(self, healthy, change):
        change(WEBHOOK_SECRET="another-secret-of-decent-length")
        told = said(name="registration")
        assert "differs from the settings in: secretKey" in told
        assert "Run altoviz_register_webhook" in told

    @pytest.mark.parametrize(
        ("rejected", "cause", "cure"),
        [
            ({"signature": "0" * 64}, "“invalid signature”", "with --body and --signature"),
            ({"REMOTE_ADDR": "10.0.0.1"}, "“forbidden”", "list it in TRUSTED_PROXIES"),
            ({"path": "/altoviz/webhook/nobody/"}, "for an account that does not exist", "ACCOUNTS"),
        ],
    )  # fmt: skip
    def test_2_and_20_rejected_deliveries_are_told(self, change, post, rejected, cause, cure):
        change(ALLOWED_IPS=["127.0.0.1"])
        assert post(EventType.CUSTOMER_CREATED, **rejected).status_code >= 400
        rejections.tally.write()
        told = said(name="rejected")
        assert cause in told
        assert cure in told

    def test_7b_a_sample_of_an_object_that_was_deleted_is_told(self, healthy, post):
        post(body_of("CustomerCreated", id=76))
        post(body_of("CustomerDeleted", id=76))
        post(body_of("CustomerUpdated", id=76))
        told = said(name="ignored")
        assert "had no effect: The object was deleted before" in told
        assert "altoviz_send_event --set id=77" in told

    def test_19_a_module_of_receivers_that_nobody_imports_is_told(self, healthy):
        invoice_paid.disconnect(paid)
        told = said(name="I001")
        assert told.startswith("warning No receiver is connected")
        assert "Import the module with your receivers in the ready()" in told


@pytest.mark.django_db(transaction=True)
class TestDatabase:
    def test_mistake_8_forgotten_migrations_are_told(self, healthy):
        with without_table(WebhookEvent):
            told = said()
        assert "failure Tables are missing" in told
        assert "manage.py migrate" in told
        assert "skipped The events can't be read" in told

    def test_unapplied_migrations_are_named(self, healthy):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET app = 'x' WHERE app = 'django_altoviz'")
        try:
            told = said(name="migrations")
        finally:
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE django_migrations SET app = 'django_altoviz' WHERE app = 'x'"
                )
        assert told.startswith("failure Migrations are not applied: django_altoviz.0001_initial")
        assert told.endswith("Run manage.py migrate.")

    def test_a_database_that_is_down_is_told_and_the_rest_examined(self, healthy):
        def refuse(*args):
            raise OperationalError("server closed the connection")

        with connection.execute_wrapper(refuse):
            told = said()
        assert "failure The database “default” does not answer, or refuses: server closed" in told
        assert "ok The key of account “default” is valid" in told
        assert "ok A signed delivery for account “default” reaches the webhook" in told

    @pytest.mark.skipif(connection.vendor != "sqlite", reason="a mode of SQLite")
    def test_a_sqlite_without_wal_is_told(self, healthy):
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode=DELETE")
        try:
            told = said(name="mode")
        finally:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA journal_mode=WAL")
        assert told.startswith("warning SQLite is not in WAL mode (“default”: delete)")
        assert "PRAGMA journal_mode=WAL;" in told

    def test_a_database_that_does_not_store_is_told(self, healthy):
        def refuse(execute, sql, *rest):
            if sql.startswith("INSERT"):
                raise OperationalError("database or disk is full")
            return execute(sql, *rest)

        with connection.execute_wrapper(refuse):
            told = said(name="storing")
        assert told.startswith("failure The database does not store an event: database or disk is")


def rows():
    return {
        model: model._base_manager.count() for model in apps.get_models(include_auto_created=True)
    }


class TestProbe:
    """Probe through the whole project: middleware, URLs and view."""

    def test_leaves_no_row_and_calls_nobody(self, healthy, change, tally):
        called = []

        def note(**kwargs):
            called.append(kwargs)

        signals = (event_received, webhook_rejected, pre_save, post_save)
        for signal in signals:
            signal.connect(note)
        try:
            before = rows()
            examined()
            change(WEBHOOK_SECRET="")
            examined()
        finally:
            for signal in signals:
                signal.disconnect(note)
        assert (rows(), called) == (before, [])
        tally.write()
        assert rows() == before

    def test_of_a_middleware_that_writes_leaves_no_row(self, healthy, settings):
        settings.MIDDLEWARE = ["tests.commands.middleware.writing"]
        before = rows()
        assert said(name="probe").startswith("ok ")
        assert rows() == before

    def test_knows_the_prefix_under_which_the_project_is_served(self, change):
        set_script_prefix("/shop/")
        try:
            change(WEBHOOK_URL="https://shop.example/shop/altoviz/webhook/")
            assert said(name="probe").startswith("ok ")
        finally:
            set_script_prefix("/")

    def test_hides_a_password_in_the_url(self, change):
        change(WEBHOOK_URL="https://user:pass-word@shop.example/elsewhere/?token=abcdefgh")
        told = said()
        assert "shop.example/elsewhere/" in told
        assert "pass-word" not in told
        assert "abcdefgh" not in told

    def test_is_no_way_in_for_a_request_from_outside(self, healthy, post):
        post(
            EventType.CUSTOMER_UPDATED,
            HTTP_DJANGO_ALTOVIZ_PROBE="1",
            **{"django_altoviz.probe": "1"},
        )
        assert WebhookEvent.objects.filter(type="CustomerUpdated").exists()

    @pytest.mark.parametrize(
        ("middleware", "cause", "cure"),
        [
            ("failing", "answers 500 before the webhook does: ZeroDivisionError", "Exempt the webhook's path"),
            ("refusing", "A middleware answers 403", "for example from a login"),
            ("listing", "A middleware answers 200", "Exempt the webhook's path"),
            ("consuming", "the body was already consumed", "A middleware reads request.POST"),
            ("altering", "rejects a signed delivery with 401: wrong signature", "changes the body"),
        ],
    )  # fmt: skip
    def test_names_a_middleware_that_answers_or_spoils(
        self, healthy, settings, middleware, cause, cure
    ):
        settings.MIDDLEWARE = [f"tests.commands.middleware.{middleware}"]
        told = said(name="probe")
        assert told.startswith("failure ")
        assert cause in told
        assert cure in told

    def test_passes_a_login_and_a_proxy_that_ends_tls(self, healthy, settings):
        settings.SECURE_SSL_REDIRECT = True
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
        settings.MIDDLEWARE = [
            *settings.MIDDLEWARE,
            "django.contrib.auth.middleware.LoginRequiredMiddleware",
        ]
        assert said(name="probe").startswith("ok ")

    def test_comes_from_an_address_that_is_allowed(self, change):
        change(ALLOWED_IPS=["20.23.10.0/24"])
        assert said(name="probe").startswith("ok ")

    def test_of_a_wrong_list_of_addresses_names_the_setting(self, change):
        change(ALLOWED_IPS=["nonsense"])
        assert "Correct this setting in ALTOVIZ" in said(name="probe")

    def test_goes_to_the_path_of_the_urls_without_a_webhook_url(self, change, settings):
        change(WEBHOOK_URL="")
        settings.ALLOWED_HOSTS = [".shop.example"]
        assert "reaches the webhook at https://shop.example/altoviz/webhook/." in said(name="probe")

    def test_without_urls_and_without_a_webhook_url_says_what_to_include(self, change, settings):
        change(WEBHOOK_URL="")
        settings.ROOT_URLCONF = "tests.urls_without"
        assert 'Add path("altoviz/"' in said(name="probe")

    def test_of_urls_that_can_not_be_imported_breaks_off_alone(self, healthy, settings):
        settings.ROOT_URLCONF = "tests.nowhere"
        told = said(name="probe") + said(name="settings")
        assert told.count("failure The examination broke off: ModuleNotFoundError") == 2
        assert said(name="API key").startswith("ok ")

    def test_follows_the_account(self, altoviz, settings):
        settings.ALLOWED_HOSTS = ["shop.example"]
        out = io.StringIO()
        with pytest.raises(CommandError):
            call_command("altoviz_doctor", "--account", "acme", stdout=out)
        assert (
            "“acme” reaches the webhook at https://shop.example/altoviz/webhook/acme/"
            in out.getvalue()
        )


BODY = '{"id": "é", "type": "InvoicePaid", "data": {"a": 1.50, "b": "x & \\"y\\"/z", "c": [1, 2]}}'
COMPACT = json.dumps(
    json.loads(BODY, parse_float=str), separators=(",", ":"), ensure_ascii=False
).replace('"1.50"', "1.50")
REWRITTEN = "the JSON was read and written again"
DOTNET = COMPACT.replace("é", "\\u00E9").replace("&", "\\u0026").replace('\\"', "\\u0022")
CAPTURES = [
    (BODY, b"\xef\xbb\xbf" + BODY.encode(), "a BOM was added"),
    ("\ufeff" + BODY, BODY.encode(), "its BOM was removed"),
    (BODY, BODY.encode() + b"\n", "line breaks or spaces were added"),
    (BODY + "\n", BODY.encode(), "its last line break was removed"),
    (BODY.replace(", ", ",\r\n"), BODY.replace(", ", ",\n").encode(), "its line breaks were changed"),
    (BODY, BODY.encode()[:-1], "its last brackets were cut off"),
    (BODY, BODY.encode() + b"<!-- cut -->", "something was added behind it"),
    (BODY, json.dumps(BODY).encode(), "it was encoded as a JSON string"),
    (BODY, BODY.encode("latin-1"), "it was written in Latin-1"),
    (BODY, BODY.encode().decode("latin-1").encode(), "its UTF-8 was read as Latin-1"),
    (BODY, COMPACT.encode(), REWRITTEN),
    (COMPACT, BODY.encode(), REWRITTEN),
    (BODY.replace("é", "\\u00e9"), COMPACT.encode(), REWRITTEN),
    (DOTNET, BODY.encode(), REWRITTEN),
    (COMPACT.replace("/", "\\/"), BODY.encode(), REWRITTEN),
    (COMPACT + "\n", BODY.encode(), "again, without the last line break"),
    ("\ufeff" + COMPACT, BODY.encode(), "again, without its BOM"),
    (json.dumps({"a": [1]}, indent=2).replace("\n", "\r\n"), b'{"a":[1]}', REWRITTEN),
]  # fmt: skip


@pytest.fixture
def diagnosis(change, tmp_path):
    """Return a function that gives a captured delivery to the doctor."""

    def diagnosis(body, signature, *args):
        (tmp_path / "body").write_bytes(body)
        options = ["--body", str(tmp_path / "body"), "--signature", signature, "--offline", *args]
        told = said(*options, subject="capture")
        assert not [
            secret for secret in ("old-secret-0123456789", SECRETS["default"]) if secret in told
        ]
        return told

    change(WEBHOOK_SECRET=[SECRETS["default"], "old-secret-0123456789"])
    return diagnosis


class TestCapture:
    """Captured delivery: a body and its signature."""

    def test_that_is_right_names_the_secret_and_the_encoding(self, diagnosis):
        digest = signing.digest(b"{}", "old-secret-0123456789")
        told = diagnosis(b"{}", "sha256=" + base64.b64encode(digest).decode())
        assert told.startswith(
            "ok Secret 2 of account “default” made this signature (encoding: base64)"
        )

    @pytest.mark.parametrize(("sent", "came", "what"), CAPTURES)
    def test_that_was_altered_names_the_alteration(self, diagnosis, sent, came, what):
        told = diagnosis(came, signing.sign(sent.encode(), SECRETS["default"]))
        assert told.startswith("failure The body was altered on the way: ")
        assert what in told
        assert "with secret 1 of account “default”" in told
        assert "It must pass the body on byte by byte." in told

    @pytest.mark.parametrize(
        ("key", "what"),
        [
            (b"old-secret-0123456789\n", "secret 2 of account “default” with a line break at its end"),
            (b'"old-secret-0123456789"', "in quotation marks"),
            ("old-secret-0123456789".encode("utf-16-le"), "in UTF-16"),
        ],
    )  # fmt: skip
    def test_signed_with_a_spelling_of_the_secret_names_it(self, diagnosis, key, what):
        told = diagnosis(b"{}", hmac.new(key, b"{}", "sha256").hexdigest())
        assert what in told
        assert "Register the webhook again with altoviz_register_webhook" in told

    def test_for_another_account_names_it(self, diagnosis, change):
        change(ACCOUNTS={"acme": {"WEBHOOK_SECRET": SECRETS["acme"]}})
        told = diagnosis(b"{}", signing.sign(b"{}", SECRETS["acme"]))
        assert told.startswith("failure Secret 1 of account “acme”")
        assert "Correct the URL that Altoviz delivers to." in told

    @pytest.mark.parametrize(
        "body", [b'{"id": "1", "data": {"na', b'{"id": "1", "data":', b'[{"a": 1},']
    )
    def test_that_is_cut_short_says_so(self, diagnosis, body):
        assert "cut short: its JSON ends in the middle" in diagnosis(body, "0" * 64)

    @pytest.mark.parametrize(
        "body", [b"", b"\xff\xfe", b"{}", b'{"a" 1, "b": 2}', b"[" * 100_000, b"9" * 9999]
    )
    def test_of_another_secret_or_of_anything_at_all_says_what_to_compare(self, diagnosis, body):
        told = diagnosis(body, "0" * 64)
        assert told.startswith("failure ")
        assert "Compare WEBHOOK_SECRET" in told or "Capture the whole body" in told

    def test_with_no_signature_says_what_to_copy(self, diagnosis):
        assert "it has 3 characters. Copy the whole value of X-SIGNATURE" in diagnosis(b"{}", "abc")

    def test_needs_both_options_and_a_file(self):
        assert examined("--signature", "x")[1] == "--body and --signature belong together."
        assert "can't be read" in examined("--signature", "x", "--body", "/nowhere")[1]


class TestEvents:
    @pytest.mark.parametrize("status", [Status.FAILED, Status.DEAD])
    def test_that_failed_are_told_with_their_causes(self, healthy, post, status):
        for number in range(3):
            post(body_of("CustomerUpdated", id=number + 1))
        error = "Traceback\nKeyError: 'vat'"
        WebhookEvent.objects.filter(type="CustomerUpdated").update(status=status, error=error)
        told = said(name=status.value)
        assert "(3): " in told
        assert "KeyError: 'vat' (3)" in told
        assert f"altoviz_process_events --status {status.value}" in told

    def test_that_nobody_processes_are_told(self, change, post):
        change(DISPATCHER="django_altoviz.dispatchers.deferred")
        post(body_of("CustomerUpdated", id=1))
        assert said(name="backlog").startswith("ok ")
        ago = timezone.now() - datetime.timedelta(hours=2)
        WebhookEvent.objects.filter(object_id=1).update(received_at=ago)
        told = said(name="backlog")
        assert told.startswith(
            "failure Account “default”: events that wait to be processed: 1, the oldest for 2:00:0"
        )
        assert "Run altoviz_process_events now" in told
        WebhookEvent.objects.update(received_at=timezone.now() + datetime.timedelta(hours=2))
        assert "Synchronise all clocks with NTP" in said(name="backlog")

    def test_that_are_malformed_are_told(self, healthy, post):
        post(b"ping")
        assert "authentic deliveries that are no events (1): " in said(name="malformed")

    def test_that_stay_away_are_told(self, healthy):
        WebhookEvent.objects.update(received_at=timezone.now() - datetime.timedelta(days=9))
        assert "nothing has been received for 9 days" in said(name="silence")
        WebhookEvent.objects.all().delete()
        assert "nothing has ever been received" in said(name="silence")

    def test_of_a_former_account_are_told(self, healthy, post):
        post(b"ping")
        WebhookEvent.objects.update(account="former")
        out = io.StringIO()
        call_command("altoviz_doctor", "--offline", stdout=out)
        assert "Account “former”: authentic deliveries that are no events (1)" in out.getvalue()
        assert "Account “former”: nothing" not in out.getvalue()
        assert "former" not in said()


class TestAltoviz:
    def test_is_told_apart_from_a_webhook_that_is_missing_or_doubled(self, healthy):
        healthy.add_ours()
        assert "registered more than once" in said(name="registration")
        for id in healthy.ids:
            healthy.webhooks.unregister(id=id)
        assert "No webhook of account “default” is registered" in said(name="registration")

    def test_that_hides_the_secret_of_the_webhook_leaves_that_open(self, healthy):
        assert "hidden" not in said(name="registration")
        healthy.behave(shows_secrets="masked")
        told = said(name="registration")
        assert told.startswith("ok ")
        assert "as far as Altoviz shows it: its secret is hidden." in told

    def test_with_another_companys_key_is_told(self, healthy, post):
        healthy.customers.delete(WebhookEvent.objects.get().object_id)
        assert "It is another company's." in said(name="API key")

    @pytest.mark.parametrize(
        ("stated", "told"),
        [
            ("2020-01-01T00:00:00Z", "warning The clock of this machine differs"),
            ("2020-01-01T00:00:00", "skipped Altoviz did not tell its time."),
            ("2020-99-01T00:00:00Z", "skipped Altoviz did not tell its time."),
            (None, "skipped Altoviz did not tell its time."),
        ],
    )
    def test_has_a_clock(self, change, stated, told):
        hello = json_answer({"companyName": "Shop", "serverTimestamp": stated})
        with ScriptedServer(lambda r: hello if "Hello" in r.path else json_answer([])) as server:
            change(BASE_URL=server.url)
            assert said(name="clock").startswith(told)

    def test_that_fails_once_the_key_is_known_leaves_the_clock_out(self, change):
        answers = [json_answer({"companyName": "Shop"}), Answer(500)]
        with ScriptedServer(*answers) as server:
            change(BASE_URL=server.url)
            assert said(name="clock").startswith("skipped Altoviz did not tell its time: ")
            assert said(name="registration").startswith("skipped ")

    def test_that_limits_the_requests_is_told(self, change):
        with ScriptedServer(Answer(429, b"", {"Retry-After": "30"})) as server:
            change(BASE_URL=server.url)
            assert "is used up. Wait a minute." in said(name="quota")

    def test_with_too_many_requests_allowed_is_told(self, change):
        change(API_REQUESTS_PER_MINUTE=600)
        assert "Set it to 80" in said(name="quota")

    def test_that_hangs_is_told_after_three_seconds(self, change):
        with ScriptedServer(lambda r: time.sleep(4) or json_answer({})) as server:
            change(BASE_URL=server.url)
            assert "no answer in 3 seconds Check the network" in said(name="API key")


class TestOutput:
    def test_is_plain_where_the_terminal_can_not_show_it(self, healthy):
        raw = io.BytesIO()
        with io.TextIOWrapper(raw, "ascii", write_through=True) as out:
            call_command("altoviz_doctor", "--offline", stdout=out)
            text = raw.getvalue().decode()
        assert "ok probe: A signed delivery for account ?default?" in text

    def test_in_json_counts_the_states(self, healthy):
        text, error = examined("--format", "json")
        counts = json.loads(text)["counts"]
        assert counts["failure"] == counts["warning"] == 0
        assert counts["ok"] > 10
        assert error == ""

    def test_fails_on_warnings_if_asked(self, change):
        change(API_REQUESTS_PER_MINUTE=600)
        assert examined()[1] == ""
        assert examined("--fail-on-warning")[1] == "1 problem was found."

    def test_with_verbosity_0_has_failures_only(self, change):
        change(API_KEY="wrong", API_REQUESTS_PER_MINUTE=600)
        text, error = examined("--verbosity", "0")
        assert "✘ API key: " in text
        assert "!" not in text
        assert error == "1 problem was found."
        assert examined("--verbosity", "0", "--fail-on-warning")[1] == "2 problems were found."

    def test_redacts_a_password_that_an_error_quotes(self, change, settings):
        settings.DATABASES["default"]["PASSWORD"] = "hunter2-hunter2"
        settings.CELERY_BROKER_URL = "amqp://shop:hunter3-hunter3@broker//"

        def refuse(*args):
            raise OperationalError(f"hunter2-hunter2 and hunter3-hunter3 and {KEY}")

        try:
            with connection.execute_wrapper(refuse):
                told = said(name="database")
        finally:
            settings.DATABASES["default"]["PASSWORD"] = ""
        assert "[…] and […] and […]" in told
