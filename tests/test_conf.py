from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_altoviz.conf import (
    ACCOUNT_SETTINGS,
    APP_SETTINGS,
    Account,
    AppSettings,
    account_names,
    app_settings,
    get_account,
)
from django_altoviz.exceptions import UnknownAccount


def test_defaults(settings):
    del settings.ALTOVIZ
    account = get_account("default")
    assert account.webhook_secrets == ()
    assert account.base_url == "https://api.altoviz.com"
    assert not account.allow_unsigned
    assert app_settings.DISPATCHER == "django_altoviz.dispatchers.inline"
    assert app_settings.MAX_BODY_BYTES == 5 * 1024 * 1024
    assert account_names() == ["default"]


def test_settings_are_read_at_each_access(settings):
    settings.ALTOVIZ = {"MAX_BODY_BYTES": 1}
    assert app_settings.MAX_BODY_BYTES == 1
    settings.ALTOVIZ = {"MAX_BODY_BYTES": 2}
    assert app_settings.MAX_BODY_BYTES == 2


def test_accounts_do_not_share_settings(settings):
    settings.ALTOVIZ = {
        "API_KEY": "one",
        "WEBHOOK_SECRET": "one",
        "ALLOWED_IPS": ["192.0.2.1"],
        "ACCOUNTS": {"acme": {"WEBHOOK_SECRET": ["two", "three"]}},
    }
    assert account_names() == ["default", "acme"]
    acme = get_account("acme")
    assert acme.webhook_secrets == ("two", "three")
    assert (acme.api_key, acme.allowed_ips) == ("", ())
    with pytest.raises(UnknownAccount, match='no account "ACME"'):
        get_account("ACME")


@pytest.mark.parametrize(
    ("secret", "secrets"),
    [
        ("", ()),
        ("  ", ()),
        ("a", ("a",)),
        ("a\n", ("a",)),
        (["", "b"], ("b",)),
        (("a", "b"), ("a", "b")),
    ],
)
def test_secrets_are_stripped_and_empty_ones_dropped(settings, secret, secrets):
    settings.ALTOVIZ = {"WEBHOOK_SECRET": secret}
    assert get_account("default").webhook_secrets == secrets


@pytest.mark.parametrize(
    "altoviz",
    [
        None,
        [],
        {"WEBHOOK_SECRET": b"bytes"},
        {"WEBHOOK_SECRET": [1]},
        {"ALLOWED_IPS": "192.0.2.1"},
        {"ALLOW_UNSIGNED": "yes"},
        {"ACCOUNTS": []},
    ],
)
def test_a_setting_of_the_wrong_type_is_refused(settings, altoviz):
    settings.ALTOVIZ = altoviz
    with pytest.raises(ImproperlyConfigured):
        get_account("default")
        account_names()


def test_an_account_must_be_a_dictionary(settings):
    settings.ALTOVIZ = {"ACCOUNTS": {"acme": "secret"}}
    with pytest.raises(ImproperlyConfigured, match="acme"):
        get_account("acme")


@pytest.mark.parametrize("value", [True, "5", 5.0, None])
def test_a_number_must_be_an_integer(settings, value):
    settings.ALTOVIZ = {"MAX_BODY_BYTES": value}
    with pytest.raises(ImproperlyConfigured, match="MAX_BODY_BYTES"):
        app_settings.MAX_BODY_BYTES  # noqa: B018


def test_there_is_no_other_app_setting():
    with pytest.raises(AttributeError):
        app_settings.WEBHOOK_SECRET  # noqa: B018


def test_the_repr_of_an_account_hides_its_secrets(settings):
    settings.ALTOVIZ = {"API_KEY": "the-key", "WEBHOOK_SECRET": "the-secret"}
    assert repr(get_account("default")) == "<Account default>"


def test_an_account_cannot_be_changed():
    account = get_account("default")
    with pytest.raises(AttributeError, match="can't be changed: api_key"):
        account.api_key = "another"
    assert account == get_account("default")


def test_a_setting_of_an_account_is_named_by_its_attribute():
    assert set(ACCOUNT_SETTINGS) == {
        "API_KEY",
        "WEBHOOK_SECRET",
        "WEBHOOK_URL",
        "BASE_URL",
        "API_REQUESTS_PER_MINUTE",
        "REFETCH",
        "ALLOWED_IPS",
        "ALLOW_UNSIGNED",
    }
    assert Account.webhook_secrets is ACCOUNT_SETTINGS["WEBHOOK_SECRET"]
    assert AppSettings.MAX_ATTEMPTS is APP_SETTINGS["MAX_ATTEMPTS"]


@pytest.mark.parametrize(
    "setting", [*ACCOUNT_SETTINGS.values(), *APP_SETTINGS.values()], ids=lambda each: each.name
)
def test_each_default_is_a_valid_value(setting):
    assert setting.read({}) == setting.read({setting.name: setting.default})


def test_a_wrong_secret_is_not_in_the_error(settings):
    settings.ALTOVIZ = {"WEBHOOK_SECRET": "the-secret\udce9"}
    with pytest.raises(ImproperlyConfigured) as caught:
        get_account("default")
    assert "the-secret" not in str(caught.value)
    assert caught.value.__context__ is None
