"""Secrets in error reports, forged lines in the log, and exceptions that travel."""

from __future__ import annotations

import io
import logging
import pickle
import signal
from collections.abc import Mapping
from urllib.parse import quote

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.core.exceptions import ImproperlyConfigured

from django_altoviz import exceptions
from django_altoviz.client import AltovizClient
from django_altoviz.client.retries import AltovizRetry
from django_altoviz.conf import get_account
from django_altoviz.event_types import SENT_TYPES
from django_altoviz.intake import signing
from django_altoviz.log import log_about
from django_altoviz.models import WebhookEvent
from django_altoviz.signals import webhook_rejected
from tests.client.scripted import Answer, ScriptedServer
from tests.conftest import SECRETS, body_of

SECRET = "WHSEC-top-secret-0123456789"
KEY = "0f4e0000-1111-2222-3333-444455556666"


def texts_in(value, depth=0):
    """Yield what an error report shows of a variable: containers are opened, the rest is printed."""
    if isinstance(value, Mapping) and depth < 5:
        for key, item in value.items():
            yield from texts_in(key, depth + 1)
            yield from texts_in(item, depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset)) and depth < 5:
        for item in value:
            yield from texts_in(item, depth + 1)
    else:
        yield str(value) if isinstance(value, str) else repr(value)


def frames_of(error):
    """Yield the frames of the exception and of all that are chained to it.

    Some error trackers report a context even if ``from None`` suppresses it.
    """
    seen, waiting = [], [error]
    while waiting:
        error = waiting.pop()
        if error is None or error in seen:
            continue
        seen.append(error)
        waiting += [error.__cause__, error.__context__]
        trace = error.__traceback__
        while trace is not None:
            yield trace.tb_frame
            trace = trace.tb_next


def shown(error):
    """Return all texts in the variables of the frames, except for those of the tests."""
    frames = [frame for frame in frames_of(error) if "/tests/" not in frame.f_code.co_filename]
    assert frames
    return "\n".join(text for frame in frames for text in texts_in(dict(frame.f_locals)))


def assert_hidden(error, *secrets):
    report = shown(error) + str(error) + repr(error)
    for secret in secrets:
        assert secret not in report


class TestErrorReports:
    @pytest.mark.django_db
    @pytest.mark.parametrize("signature", ["", "rubbish", "0" * 64])
    def test_of_a_rejected_delivery(self, post, signature):
        reports = []

        def receiver(sender, **kwargs):
            try:
                raise RuntimeError("the receiver fails")
            except RuntimeError as error:
                reports.append((error, shown(error) if frames_outside_tests(error) else ""))

        webhook_rejected.connect(receiver)
        try:
            assert post(body_of("CustomerCreated"), signature=signature).status_code == 401
        finally:
            webhook_rejected.disconnect(receiver)
        ((_error, report),) = reports
        assert SECRETS["default"] not in report

    @pytest.mark.parametrize("signature", ["", "rubbish", "0" * 64])
    def test_of_a_wrong_signature(self, signature):
        with pytest.raises(exceptions.InvalidSignature) as caught:
            signing.verify(b"{}", signature, (SECRET, "another"))
        assert_hidden(caught.value, SECRET)

    @pytest.mark.parametrize(
        "altoviz",
        [
            {"WEBHOOK_SECRET": [SECRET, 5]},
            {"WEBHOOK_SECRET": f"{SECRET}\udce9"},
            {"WEBHOOK_SECRET": SECRET.encode()},
            {"WEBHOOK_SECRET": SECRET, "API_KEY": [KEY]},
            {"WEBHOOK_SECRET": SECRET, "API_KEY": KEY, "ALLOWED_IPS": 5},
            {"ACCOUNTS": {"acme": {"WEBHOOK_SECRET": SECRET, "API_KEY": 5}}},
        ],
    )
    def test_of_wrong_settings(self, settings, altoviz):
        settings.ALTOVIZ = altoviz
        with pytest.raises(ImproperlyConfigured) as caught:
            get_account("acme" if "ACCOUNTS" in altoviz else "default")
        assert_hidden(caught.value, SECRET, KEY)

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(400, b'{"message": "the secret %s is bad"}' % SECRET.encode()),
            Answer(200, b"nonsense"),
            Answer(201, b"{", fault="break off"),
            Answer(fault="reset"),
            Answer(401),
            Answer(500),
        ],
    )
    def test_of_a_failed_registration(self, settings, answer):
        with ScriptedServer(answer) as server:
            settings.ALTOVIZ = {"API_KEY": KEY, "BASE_URL": server.url, "WEBHOOK_SECRET": SECRET}
            retry = AltovizRetry(total=0)
            with AltovizClient.for_account(retry=retry, read_attempts=1) as client:
                with pytest.raises(exceptions.APIFailure) as caught:
                    client.webhooks.register(
                        name="n", url="https://a.example/", types=SENT_TYPES, secret_key=SECRET
                    )
                assert_hidden(caught.value, SECRET, KEY)

    @pytest.mark.parametrize(
        "url",
        [
            "https://user:pass/word#of?mine@127.0.0.1:1",
            "user:password-of-mine@127.0.0.1:1",
            "http://127.0.0.1:1/?token=token-of-mine",
            "https://token-of-mine@[::1",
            "http://user:p%C3%A9ss%2Fword@127.0.0.1:1",
        ],
    )
    def test_of_a_base_url_with_a_password(self, settings, url):
        """Nothing shows the password, whatever is wrong with the URL."""
        settings.ALTOVIZ = {"API_KEY": KEY, "BASE_URL": url}
        retry = AltovizRetry(total=0)
        with AltovizClient.for_account(retry=retry, read_attempts=1) as client:
            with pytest.raises(exceptions.ConnectionFailed) as caught:
                client.webhooks.all()
        assert_hidden(caught.value, KEY, "word", "of-mine", "péss", "%C3%A9ss", "?mine")

    @pytest.mark.parametrize("stop", [KeyboardInterrupt, SoftTimeLimitExceeded])
    def test_of_a_request_that_is_stopped(self, settings, stop):
        """A signal comes in the middle of a request, as those of Celery and of Control-C do."""
        with ScriptedServer(Answer(200, b" " * 10_000 + b"[]", fault="drip")) as server:
            settings.ALTOVIZ = {"API_KEY": KEY, "BASE_URL": server.url, "WEBHOOK_SECRET": SECRET}

            def on_alarm(number, frame):
                raise stop

            before = signal.signal(signal.SIGALRM, on_alarm)
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            try:
                with AltovizClient.for_account() as client, pytest.raises(stop) as caught:
                    client.webhooks.all()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)
            assert_hidden(caught.value, KEY, SECRET)

    def test_of_a_key_that_can_not_be_sent(self, settings):
        settings.ALTOVIZ = {"API_KEY": f"{KEY}é", "WEBHOOK_SECRET": SECRET}
        with pytest.raises(ImproperlyConfigured) as caught:
            AltovizClient.for_account()
        assert_hidden(caught.value, SECRET, KEY)


def frames_outside_tests(error):
    return any("/tests/" not in frame.f_code.co_filename for frame in frames_of(error))


def test_an_empty_secret_verifies_nothing():
    with pytest.raises(exceptions.InvalidSignature):
        signing.verify(b"{}", signing.sign(b"{}", ""), ("",))


class TestLog:
    @pytest.mark.django_db
    @pytest.mark.parametrize("name", ["x\nERROR forged line", "x\x1b[2J", "x\r\ny", "x\u2028y"])
    def test_no_line_can_be_forged(self, client, caplog, name):
        caplog.set_level(logging.DEBUG, "django_altoviz")
        heard = []

        def listen(sender, reason, **kwargs):
            heard.append(reason)

        webhook_rejected.connect(listen)
        try:
            assert client.post(f"/altoviz/webhook/{quote(name)}/").status_code == 404
        finally:
            webhook_rejected.disconnect(listen)
        records = [record for record in caplog.records if record.name == "django_altoviz"]
        assert records
        for record in records:
            assert record.getMessage().isprintable()
            assert record.account.isprintable()
        assert all(reason.isprintable() for reason in heard)

    def test_texts_and_exceptions_are_escaped_and_numbers_left_alone(self, caplog):
        log_about(account="a\nb").warning("%s %s %d", "c\nd", ValueError("e\x1bf"), 5)
        (record,) = caplog.records
        assert record.getMessage() == r"c\nd e\x1bf 5"
        assert record.account == r"a\nb"

    def test_the_text_of_an_exception_forges_no_line(self):
        """Write the records as a handler does, because the formatter adds the traceback."""
        out = io.StringIO()
        handler = logging.StreamHandler(out)
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        logger = logging.getLogger("django_altoviz")
        logger.addHandler(handler)
        try:
            raise ValueError("no\nERROR forged\r\nERROR forged\x1b[2J\u2028ERROR forged")
        except ValueError:
            log_about().exception("It failed.")
        finally:
            logger.removeHandler(handler)
        first, *lines = out.getvalue().splitlines()
        assert first == "ERROR It failed."
        assert lines[0] == "  Traceback (most recent call last):"
        assert lines[-3:-1] == ["  ValueError: no", r"  ERROR forged\r"]
        assert all(line.startswith("  ") and line.isprintable() for line in lines)


class TestPickles:
    def test_an_account_is_pickled_without_its_secrets(self, settings):
        settings.ALTOVIZ = {"API_KEY": KEY, "WEBHOOK_SECRET": SECRET}
        pickled = pickle.dumps(get_account("default"))
        assert KEY.encode() not in pickled and SECRET.encode() not in pickled
        assert pickle.loads(pickled) == get_account("default")

    @pytest.mark.parametrize(
        "error",
        [
            exceptions.RetryLater(60, "closed"),
            exceptions.RetryLater(60),
            exceptions.GiveUp("never"),
            exceptions.InvalidPayload("lines.1", "expected a number"),
            exceptions.UnknownAccount("no such account"),
            exceptions.ClaimLost("taken"),
            exceptions.NotFound("GET v1/Customers/1", 404, "not found", ["a", "b"]),
            exceptions.RateLimited("GET v1/Customers", 429),
            exceptions.ConnectionFailed("unreachable"),
            exceptions.ListsFailed([exceptions.ServerError("GET x", 500)]),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_exceptions_come_back_as_they_were(self, error):
        error.more = "set later"
        back = pickle.loads(pickle.dumps(error))
        assert type(back) is type(error)
        assert str(back) == str(error)
        if isinstance(error, exceptions.ListsFailed):
            assert [*map(str, back.failures)] == [*map(str, error.failures)]
        else:
            assert vars(back) == vars(error)

    @pytest.mark.django_db
    def test_events_come_back_as_they_were(self, post):
        post(body_of("InvoiceUpdated"))
        event = WebhookEvent.objects.get()
        assert event.envelope
        back = pickle.loads(pickle.dumps(event))
        assert (back, back.body, back.envelope) == (event, event.body, event.envelope)


def test_the_report_of_this_module_shows_what_is_not_hidden():
    """The walk finds a secret where there is one."""

    code = compile("def careless(secret):\n    raise ValueError", "/elsewhere.py", "exec")
    names = {}
    exec(code, names)
    with pytest.raises(ValueError) as caught:
        names["careless"]({"key": [SECRET]})
    assert SECRET in shown(caught.value)
