"""The questions to Altoviz about an account: bounded in time, kept without secrets, never in the way."""

from __future__ import annotations

import json
import threading
import time
from io import StringIO

import pytest
from django.core.cache import cache
from django.core.management import call_command

from django_altoviz.client import AltovizClient
from django_altoviz.event_types import EventType
from django_altoviz.overview import remote
from django_altoviz.registration import default_name
from django_altoviz.testing import FakeAltoviz
from tests.conftest import SECRETS, body_of

pytestmark = pytest.mark.django_db

URL = "https://shop.example/altoviz/webhook/"


@pytest.fixture
def altoviz(settings):
    """A fake Altoviz that the default account uses."""
    cache.clear()
    with FakeAltoviz() as altoviz:
        altoviz.behave(list_lag=())
        settings.ALTOVIZ = settings.ALTOVIZ | altoviz.settings | {"WEBHOOK_URL": URL}
        yield altoviz


def registered(altoviz, **options):
    values = {"url": URL, "secret": SECRETS["default"], "name": default_name("default")}
    return altoviz.webhooks.register(**values | options)


def ask(name="default"):
    return remote.ask([name])[name]


def test_a_right_webhook_and_a_valid_key(altoviz):
    made = registered(altoviz)
    altoviz.webhooks.register("https://n8n.example/hook?token=s3cret", "theirs", name="n8n")
    answer = ask()
    assert (answer.key, answer.webhook) == ("valid", "right")
    assert answer.company
    ours, theirs = answer.webhooks
    assert (ours["id"], ours["right"], ours["url"]) == (made.id, True, URL)
    assert theirs["url"] == "https://n8n.example/…"
    assert remote.stored_answers(["default", "nobody"]) == {"default": answer}
    assert answer.problem == answer.explain("default") == ""


@pytest.mark.parametrize(
    ("webhooks", "state"),
    [
        ([], "missing"),
        ([{"types": ["InvoiceCreated"]}], "differs"),
        ([{"secret": "another"}], "differs"),
        ([{}, {}], "several"),
    ],
)
def test_what_is_wrong_with_the_webhook_is_named(altoviz, webhooks, state):
    for options in webhooks:
        registered(altoviz, **options)
    assert ask().webhook == state


def test_a_url_with_a_password_shows_none(altoviz):
    registered(altoviz, url="https://user:s3cret@shop.example/altoviz/webhook/")
    registered(altoviz, url="https://us:s3cret/@[x]:/", name="n8n")
    text = repr(ask())
    assert "s3cret@" not in text
    assert SECRETS["default"] not in text
    assert altoviz.api_key not in text


def test_without_a_url_or_a_secret_there_is_nothing_to_compare(altoviz, settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"WEBHOOK_URL": ""}
    assert ask().webhook == "not configured"


def test_without_a_key_nothing_is_asked():
    answer = ask()
    assert (answer.key, answer.webhook, answer.problem) == ("missing", "unknown", "")


def test_a_refused_key(altoviz, settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": "another"}
    answer = ask()
    assert (answer.key, answer.webhook) == ("refused", "unknown")
    assert "does not accept the API key of account “default”" in answer.explain("default")


def test_a_key_that_reads_no_object_of_the_mirror_is_another_companys(altoviz, post):
    post(EventType.CUSTOMER_CREATED)
    assert ask().key == "other company"
    altoviz.populate(customers=1)
    with AltovizClient.for_account() as client:
        [customer] = client.customers.all()
    post(body_of("CustomerCreated", id=customer["id"]))
    assert ask().key == "valid"


def test_a_fault_after_the_key_was_accepted_leaves_the_key_valid(altoviz):
    altoviz.fail_next(None, 500)
    answer = ask()
    assert (answer.key, answer.webhook, answer.problem) == ("valid", "unknown", "ServerError")
    assert answer.explain("default") == answer.detail != ""


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_may_not_list_webhooks_is_valid(altoviz, status):
    altoviz.fail_next(None, status)
    answer = ask()
    assert (answer.key, answer.webhook) == ("valid", "unknown")
    assert "accepts the API key of account “default”, but" in answer.explain("default")


@pytest.mark.parametrize("cut_by", range(5))
def test_no_part_of_a_secret_is_kept(altoviz, cut_by):
    secret = SECRETS["default"]
    name = "x" * (500 - len(secret) + cut_by) + secret
    altoviz.webhooks.register("https://n8n.example/hook", "theirs", name=name)
    kept = repr([ask(), remote.stored_answers(["default"])])
    assert secret[:8] not in kept


def test_a_host_that_is_down(settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": "k", "BASE_URL": "http://127.0.0.1:1"}
    answer = ask()
    assert (answer.key, answer.problem) == ("unknown", "Unreachable")
    assert "can't be reached" in answer.explain("default")


def test_a_slow_account_delays_no_other_and_is_known_later(altoviz, settings, monkeypatch):
    release = threading.Event()
    with FakeAltoviz() as slow:
        answer = slow._api.answer
        monkeypatch.setattr(slow._api, "answer", lambda r: release.wait(30) and answer(r))
        acme = settings.ALTOVIZ["ACCOUNTS"]["acme"] | slow.settings
        settings.ALTOVIZ = settings.ALTOVIZ | {"ACCOUNTS": {"acme": acme}}
        started = time.monotonic()
        answers = remote.ask(["acme", "default"], seconds=0.5)
        assert time.monotonic() - started < 2
        assert answers["default"].key == "valid"
        assert answers["acme"].problem == "TimeoutError"
        assert "has not answered yet" in answers["acme"].explain("acme")
        release.set()
        for _ in range(100):
            if found := remote.stored_answers(["acme"]):
                break
            time.sleep(0.05)
        assert found["acme"].key == "valid"


def test_a_used_up_rate_limit_is_not_waited_for(altoviz, settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"API_REQUESTS_PER_MINUTE": 1}
    answer = ask()
    assert (answer.key, answer.problem) == ("valid", "QuotaUsedUp")
    assert "is used up" in answer.explain("default")


def test_broken_settings_are_named(settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": 5}
    answer = ask()
    assert answer.problem == "ImproperlyConfigured"
    assert answer.explain("default") == 'ALTOVIZ["API_KEY"] must be a text, but is a whole number.'
    assert remote.stored_answers(["default"]) == {}


def test_an_error_that_nobody_expects_is_named_by_its_kind_only(altoviz, monkeypatch):
    def fail(self):
        raise RuntimeError("a secret")

    monkeypatch.setattr(AltovizClient, "hello", fail)
    answer = ask()
    assert answer.explain("default") == "RuntimeError"


def test_an_answer_about_other_settings_does_not_count(altoviz, settings):
    ask()
    settings.ALTOVIZ = settings.ALTOVIZ | {"WEBHOOK_URL": "https://other.example/"}
    assert remote.stored_answers(["default"]) == {}


def test_a_cache_that_fails_only_forgets(altoviz, settings):
    settings.CACHES = {"default": {"BACKEND": "tests.test_refetching.UnreachableCache"}}
    assert ask().key == "valid"
    assert remote.stored_answers(["default"]) == {}


def test_the_command_asks_only_if_it_is_told_to(altoviz):
    registered(altoviz)
    out = StringIO()
    call_command("altoviz_status", "--format", "json", stdout=out)
    assert altoviz.requests == []
    assert json.loads(out.getvalue())["accounts"][0]["altoviz"] is None
    out = StringIO()
    call_command("altoviz_status", "--remote", "--format", "json", stdout=out)
    told = json.loads(out.getvalue())["accounts"][0]["altoviz"]
    assert (told["key"], told["webhook"]) == ("valid", "right")
    out = StringIO()
    call_command("altoviz_status", "--remote", "--account", "default", stdout=out)
    assert "API key        valid " in out.getvalue()
    altoviz.fail_next(500)
    out = StringIO()
    call_command("altoviz_status", "--remote", stdout=out)
    assert "problem " in out.getvalue()
