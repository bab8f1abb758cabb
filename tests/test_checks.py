from __future__ import annotations

import sys

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings

from django_altoviz.checks import check_connected, check_receivers, check_security, check_settings
from django_altoviz.dispatchers import deferred, get_dispatch, import_own
from django_altoviz.models import Customer, Invoice
from django_altoviz.signals import customer_created, event_processed, invoice_paid

SECRET = "a-secret-of-decent-length"
GOOD = {"WEBHOOK_SECRET": SECRET, "WEBHOOK_URL": "https://shop.example/altoviz/webhook/"}

ACME = {"WEBHOOK_SECRET": "another-secret"}


def ids(altoviz, check=check_settings):
    with override_settings(ALTOVIZ=altoviz):
        return [message.id.removeprefix("django_altoviz.") for message in check()]


def test_good_settings_have_no_messages():
    acme = {
        "WEBHOOK_SECRET": "another-secret",
        "WEBHOOK_URL": "https://a.example/altoviz/webhook/acme/",
    }
    good = GOOD | {
        "ACCOUNTS": {"acme": acme},
        "ALLOWED_IPS": ["20.23.10.180", "2001:db8::/32"],
        "TRUSTED_PROXIES": ["unix", "10.0.0.0/8"],
        "DEDUPE_DAYS": 365,
        "DISPATCHER": "django_altoviz.dispatchers.deferred",
        "API_KEY": "11111111-2222-3333-4444-555555555555",
        "BASE_URL": "https://API.staging.altoviz.com:443/",
    }
    assert ids(good) == []
    assert ids(good, check_security) == ["W008"]


@pytest.mark.parametrize(
    ("altoviz", "expected"),
    [
        (None, "E001"),
        ({"ACCOUNTS": {"acme": 5}}, "E001"),
        ({"WEBHOOK_SECRET": 5}, "E001"),
        ({"MAX_BODY_BYTES": "5"}, "E001"),
        (GOOD | {"WEBHOOKSECRET": ""}, "E002"),
        (GOOD | {"ACCOUNTS": {"acme": {"WEBHOOK_SECRET": "x", "DISPATCHER": ""}}}, "E002"),
        (GOOD | {"ACCOUNTS": {"default": {"WEBHOOK_SECRET": "x"}}}, "E003"),
        (GOOD | {"ACCOUNTS": {"a/b": {"WEBHOOK_SECRET": "x"}}}, "E004"),
        (GOOD | {"ACCOUNTS": {5: {"WEBHOOK_SECRET": "x"}}}, "E004"),
        (GOOD | {"DISPATCHER": "nowhere"}, "E005"),
        (GOOD | {"DISPATCHER": ""}, "E005"),
        (GOOD | {"DISPATCHER": "json"}, "E005"),
        (GOOD | {"MAX_BODY_BYTES": 0}, "E006"),
        (GOOD | {"RETENTION_DAYS": -1}, "E006"),
        (GOOD | {"API_REQUESTS_PER_MINUTE": 0}, "E006"),
        (GOOD | {"DEDUPE_DAYS": 30}, "E007"),
        (GOOD | {"DEDUPE_DAYS": 90, "RETENTION_BY_STATUS": {"dead": 91}}, "E007"),
        (GOOD | {"RETENTION_BY_STATUS": {"pending": 5}}, "E012"),
        (GOOD | {"RETENTION_BY_STATUS": {"dead": 0}}, "E012"),
        (GOOD | {"RETRY_BACKOFF_SECONDS": float("nan")}, "E006"),
        (GOOD | {"RETRY_BACKOFF_MAX_SECONDS": float("inf")}, "E006"),
        (GOOD | {"WATCH_SHARE": 0}, "E019"),
        (GOOD | {"WATCH_SHARE": 1.5}, "E019"),
        (GOOD | {"RETRY_BACKOFF_SECONDS": 61, "RETRY_BACKOFF_MAX_SECONDS": 60}, "E014"),
        (GOOD | {"TRUSTED_PROXIES": ["10.0.0.1", "0.0.0.0/0"]}, "E015"),
        (GOOD | {"ALLOWED_IPS": ["::/0"]}, "E015"),
        (GOOD | {"ALLOWED_IPS": ["20.23.10.180/8"]}, "W011"),
        (GOOD | {"API_KEY": "k", "ACCOUNTS": {"acme": ACME | {"API_KEY": "k"}}}, "E016"),
        (GOOD | {"ALLOWED_IPS": ["rubbish"]}, "E008"),
        (GOOD | {"ALLOWED_IPS": [5]}, "E001"),
        (GOOD | {"TRUSTED_PROXIES": [None]}, "E001"),
        (GOOD | {"TRUSTED_PROXIES": ["rubbish"]}, "E008"),
        (GOOD | {"ACCOUNTS": {"acme": {"WEBHOOK_SECRET": ["x", SECRET]}}}, "E009"),
        ({}, "W001"),
        (GOOD | {"ACCOUNTS": {"acme": {}}}, "W001"),
        (GOOD | {"ALLOW_UNSIGNED": True}, "W002"),
        ({"WEBHOOK_SECRET": "sécret"}, "W003"),
        ({"WEBHOOK_SECRET": f"{SECRET}\n"}, "W004"),
        (GOOD | {"ACCOUNTS": {"acme": {"WEBHOOK_SECRET": ["x", " y"]}}}, "W004"),
        (GOOD | {"REFETCH": True}, "W009"),
        (GOOD | {"API_KEY": "a-key\n"}, "W004"),
        (GOOD | {"API_KEY": "clé"}, "E013"),
        (GOOD | {"API_KEY": "a\nkey"}, "E013"),
        (GOOD | {"BASE_URL": "https://api.altoviz.com/v1"}, "W010"),
        (GOOD | {"BASE_URL": "https://api.altoviz.com?v=1"}, "W010"),
        (GOOD | {"BASE_URL": "api.altoviz.com"}, "W010"),
        (GOOD | {"BASE_URL": ""}, "W010"),
        (GOOD | {"MAX_ATTEMPTS": 0}, "E006"),
        (GOOD | {"RETRY_BACKOFF_SECONDS": 0}, "E006"),
        (GOOD | {"RETRY_BACKOFF_SECONDS": True}, "E001"),
        (GOOD | {"WAIT_FOR_RETRIES": 1}, "E001"),
        (GOOD | {"WEBHOOK_URL": "http://shop.example/altoviz/webhook/"}, "W006"),
        (GOOD | {"WEBHOOK_URL": "https://shop.example/altoviz/"}, "W007"),
        (GOOD | {"WEBHOOK_URL": "https://shop.example/altoviz/webhook/acme/"}, "W007"),
        (GOOD | {"WEBHOOK_URL": "https://shop.example/admin/"}, "W007"),
    ],
)
def test_each_mistake_has_its_message(altoviz, expected):
    assert set(ids(altoviz)) == {expected}


@pytest.mark.parametrize(
    ("dispatcher", "package", "hint"),
    [
        ("celery", "celery", "django-altoviz[celery]"),
        ("celery", None, "dispatchers.inline"),
    ],
)
def test_the_hint_for_a_missing_dispatcher_names_its_extra(monkeypatch, dispatcher, package, hint):
    path = f"django_altoviz.dispatchers.{dispatcher}"
    if package is None:
        path += "_of_another_name"
    else:
        monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
        monkeypatch.delitem(sys.modules, path, raising=False)
    with override_settings(ALTOVIZ=GOOD | {"DISPATCHER": path}):
        (message,) = check_settings()
    assert message.id == "django_altoviz.E005"
    assert hint in message.hint


def test_only_a_dispatcher_of_this_package_is_loaded_at_startup(settings):
    settings.ALTOVIZ = GOOD | {"DISPATCHER": "nowhere"}
    import_own()
    settings.ALTOVIZ = GOOD | {"DISPATCHER": "django_altoviz.dispatchers.nowhere"}
    with pytest.raises(ImproperlyConfigured):
        import_own()


def test_with_named_accounts_only_the_default_account_needs_no_secret():
    assert ids({"ACCOUNTS": {"acme": {"WEBHOOK_SECRET": SECRET}}}) == []


def test_unsigned_deliveries_are_allowed_in_development():
    assert ids({"ALLOW_UNSIGNED": True}) == []


def test_a_project_without_the_webhook_in_its_urls(settings):
    settings.ROOT_URLCONF = "tests.urls_without"
    assert ids({"WEBHOOK_SECRET": SECRET}) == ["W005"]
    assert ids(GOOD) == ["W005", "W007"]


@pytest.mark.parametrize(
    ("altoviz", "expected"),
    [
        (GOOD, []),
        ({"ALLOW_UNSIGNED": True}, ["E010"]),
        ({}, ["E011"]),
        ({"WEBHOOK_SECRET": "short"}, ["W008"]),
        (GOOD | {"WEBHOOK_URL": "https://localhost/altoviz/webhook/"}, ["W012"]),
        (GOOD | {"WEBHOOK_URL": "https://192.168.1.5/altoviz/webhook/"}, ["W012"]),
        (GOOD | {"ACCOUNTS": {"acme": {"WEBHOOK_SECRET": [SECRET + "x", "short"]}}}, ["W008"]),
        (None, []),
    ],
)
def test_each_security_problem_has_its_message(altoviz, expected):
    assert ids(altoviz, check_security) == expected


def test_each_message_has_a_hint():
    for altoviz in ({}, GOOD | {"WEBHOOKSECRET": ""}, {"WEBHOOK_SECRET": "short"}):
        with override_settings(ALTOVIZ=altoviz):
            for message in [*check_settings(), *check_security()]:
                assert message.hint
                assert message.msg


def test_no_message_shows_a_secret():
    altoviz = {"WEBHOOK_SECRET": "hush-é\n", "ACCOUNTS": {"acme": {"WEBHOOK_SECRET": "hush-é"}}}
    with override_settings(ALTOVIZ=altoviz):
        messages = [*check_settings(), *check_security()]
    assert messages
    assert not any("hush" in str(message) for message in messages)


@pytest.mark.django_db  # Django's own checks query the database
@override_settings(ALTOVIZ={"ALLOW_UNSIGNED": True})
def test_manage_py_check_runs_the_checks(capsys):
    call_command("check")
    with pytest.raises(SystemCheckError, match=r"django_altoviz\.E010"):
        call_command("check", deploy=True)


def test_the_dispatcher_of_the_settings_is_used(settings):
    settings.ALTOVIZ = {"DISPATCHER": "django_altoviz.dispatchers.deferred"}
    assert get_dispatch() is deferred.dispatch


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.altoviz.com", []),
        ("http://127.0.0.1:8765", []),
        ("http://localhost:8765", []),
        ("http://api.altoviz.com", ["W018"]),
        ("https://user:password@api.altoviz.com", ["W018"]),
    ],
)
def test_the_api_key_is_sent_encrypted(url, expected):
    assert ids(GOOD | {"BASE_URL": url}, check_security) == expected


@pytest.mark.parametrize(
    ("altoviz", "expected"),
    [
        ({"WEBHOOK_SECRET": None}, "a text or a list of texts, but is None (is the environment"),
        ({"WEBHOOK_SECRET": b"x"}, "a text or a list of texts, but is bytes."),
        ({"RETENTION_DAYS": "90"}, "a whole number, but is a text."),
        ({"ALLOWED_IPS": "20.23.10.180"}, "a list of texts, but is a text."),
        ({"ALLOWED_IPS": [5]}, "a list of texts, but is a list."),
        ({"REFETCH": 1}, "True or False, but is a whole number."),
        ({"DEDUPE_DAYS": 1.5}, "a whole number or None, but is a number."),
        ({"RETRY_BACKOFF_SECONDS": "1"}, "a number, but is a text."),
        ({"ACCOUNTS": ["acme"]}, "a dictionary, but is a list."),
        ({"API_KEY": object()}, "a text, but is object."),
    ],
)
def test_a_wrong_type_is_told_with_what_was_expected_and_found(altoviz, expected):
    with override_settings(ALTOVIZ=altoviz):
        (message,) = check_settings()
    (name,) = altoviz
    assert f'ALTOVIZ["{name}"] must be {expected}' in message.msg


@pytest.mark.parametrize(
    ("name", "meant"),
    [("WEBHOK_SECRET", "WEBHOOK_SECRET"), ("api_key", "API_KEY"), ("RETENTION", "RETENTION_DAYS")],
)
def test_a_misspelled_setting_is_told_with_the_one_that_was_meant(name, meant):
    with override_settings(ALTOVIZ=GOOD | {name: "x"}):
        messages = [message.hint for message in check_settings() if message.id.endswith("E002")]
    assert messages == [f"Did you mean {meant}?"]


def test_a_setting_like_no_other_is_told_with_all_names():
    with override_settings(ALTOVIZ=GOOD | {"QQQ": "x"}):
        (message,) = check_settings()
    assert "ALLOWED_IPS, " in message.hint


class TestReceivers:
    @pytest.fixture
    def connect(self):
        """Return a function that connects a receiver for the time of the test."""
        connected = []

        def connect(signal, **options):
            signal.connect(nothing, **options)
            connected.append((signal, options))

        yield connect
        for signal, options in connected:
            signal.disconnect(nothing, **options)

    def found(self):
        return [message.id.removeprefix("django_altoviz.") for message in check_receivers()]

    def test_that_are_nowhere_connected_are_missed(self):
        (message,) = check_connected()
        assert message.id == "django_altoviz.I001"
        assert self.found() == []

    @pytest.mark.parametrize("signal", [customer_created, invoice_paid, event_processed])
    def test_one_for_any_signal_is_enough(self, connect, signal):
        connect(signal)
        assert check_connected() == []

    def test_with_the_sender_of_the_signal_are_called(self, connect):
        connect(customer_created, sender=Customer)
        connect(invoice_paid, sender=Invoice)
        assert self.found() == []

    @pytest.mark.parametrize("sender", ["django_altoviz.Customer", Invoice, object()])
    def test_with_another_sender_are_never_called(self, connect, sender):
        connect(customer_created, sender=sender)
        (message,) = check_receivers()
        assert message.id == "django_altoviz.W019"
        assert "tests.test_checks.nothing" in message.msg
        assert "sender=Customer" in message.hint


def nothing(**kwargs):
    pass


@pytest.mark.parametrize(
    ("project", "expected"),
    [
        ({}, []),
        ({"SECURE_SSL_REDIRECT": True}, ["W020"]),
        (
            {
                "SECURE_SSL_REDIRECT": True,
                "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
            },
            [],
        ),
        ({"SECURE_SSL_REDIRECT": True, "SECURE_REDIRECT_EXEMPT": ["^altoviz/"]}, []),
        ({"SECURE_SSL_REDIRECT": True, "ROOT_URLCONF": "tests.urls_without"}, []),
        ({"SECURE_SSL_REDIRECT": True, "MIDDLEWARE": []}, []),
        ({"ALLOWED_HOSTS": ["other.example"]}, ["W021"]),
        ({"ALLOWED_HOSTS": [".example"]}, []),
        ({"ALLOWED_HOSTS": [], "DEBUG": True}, []),
        ({"PREPEND_WWW": True}, ["W022"]),
        ({"PREPEND_WWW": True, "MIDDLEWARE": []}, []),
    ],
)
def test_what_would_answer_before_the_webhook_is_told(project, expected):
    middleware = [
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
    ]
    with override_settings(
        **{"ALLOWED_HOSTS": ["shop.example"], "MIDDLEWARE": middleware} | project
    ):
        assert ids(GOOD, check_security) == expected


def test_the_path_of_each_account_must_be_exempt_from_redirects():
    altoviz = GOOD | {"ACCOUNTS": {"acme": {"WEBHOOK_SECRET": SECRET + "x"}}}
    for exempt, expected in (["^altoviz/webhook/$"], ["W020"]), (["^altoviz/webhook/"], []):
        with override_settings(
            SECURE_SSL_REDIRECT=True,
            SECURE_REDIRECT_EXEMPT=exempt,
            ALLOWED_HOSTS=["*"],
            MIDDLEWARE=["django.middleware.security.SecurityMiddleware"],
        ):
            assert ids(altoviz, check_security) == expected


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("https://[2a01::5]/altoviz/webhook/", ["[2a01::5]"]),
        ("https://shop.example./altoviz/webhook/", ["shop.example"]),
        ("https://[bad/altoviz/webhook/", ["shop.example"]),
    ],
)
def test_a_host_is_compared_as_django_does(url, hosts):
    with override_settings(ALLOWED_HOSTS=hosts):
        assert "W021" not in ids(GOOD | {"WEBHOOK_URL": url}, check_security)


@pytest.mark.parametrize(("name", "expected"), [("WEBHOOK_URL", "W007"), ("BASE_URL", "W010")])
def test_a_url_that_is_none_is_reported(name, expected):
    altoviz = GOOD | {name: "https://[bad/altoviz/webhook/"}
    assert expected in {*ids(altoviz, check_security), *ids(altoviz)}


def test_a_password_in_the_base_url_is_not_printed():
    altoviz = GOOD | {"BASE_URL": "https://user:pass-word-5@api.example/v1"}
    with override_settings(ALTOVIZ=altoviz):
        messages = [*check_security(), *check_settings()]
    assert "W010" in [message.id.partition(".")[2] for message in messages]
    assert "pass-word-5" not in str(messages)


def test_without_a_url_no_host_is_compared():
    with override_settings(ALLOWED_HOSTS=["other.example"]):
        assert ids({"WEBHOOK_SECRET": SECRET}, check_security) == []
