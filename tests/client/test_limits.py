"""Answers that come byte by byte, that never end, or that are longer than memory."""

from __future__ import annotations

import dataclasses
import gzip
import json
import socket
import threading
import time
import tracemalloc

import pytest
from django.core.cache import cache
from django.core.management import call_command

from django_altoviz.client import AltovizClient, downloads, resources
from django_altoviz.client.retries import AltovizRetry
from django_altoviz.exceptions import (
    AnswerTooLarge,
    APIError,
    ConnectionFailed,
    IncompleteList,
    Unreachable,
)
from django_altoviz.models import Customer, WebhookEvent
from django_altoviz.processing import process, refetching
from tests.client.scripted import Answer, ScriptedServer, json_answer
from tests.conftest import body_of

LIMIT = 0.5
DRIP = Answer(200, b'{"id": 1, "name": "%s"}' % (b"x" * 1000), fault="drip")


class DrippingHead:
    """A server whose answers never get past their headers."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://{}:{}".format(*self.listener.getsockname())
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.listener.close()

    def serve(self):
        client, _ = self.listener.accept()
        client.sendall(b"HTTP/1.1 200 OK\r\n")
        try:
            for _ in range(1000):
                client.sendall(b"X: y\r\n")
                time.sleep(0.05)
        except OSError:
            client.close()


def client_for(url, **options):
    cache.clear()
    options = {
        "retry": AltovizRetry(total=0),
        "read_attempts": 1,
        "timeout": (3, 3),
        "time_limit": LIMIT,
    } | options
    return AltovizClient("key", url, **options)


@pytest.mark.parametrize("server", [lambda: ScriptedServer(DRIP), DrippingHead])
def test_a_request_ends_at_its_time_limit(server):
    with server() as altoviz, client_for(altoviz.url) as client:
        started = time.monotonic()
        with pytest.raises(ConnectionFailed):
            client.hello()
        assert time.monotonic() - started < LIMIT + 2


def test_the_next_request_has_its_own_time():
    with ScriptedServer(DRIP, json_answer({"a": 1})) as altoviz, client_for(altoviz.url) as client:
        with pytest.raises(ConnectionFailed):
            client.hello()
        assert client.hello() == {"a": 1}
        time.sleep(LIMIT)
        assert client.hello() == {"a": 1}


def test_a_proxy_gets_no_more_time(monkeypatch):
    with ScriptedServer(DRIP) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        with client_for("http://altoviz.example") as client, pytest.raises(ConnectionFailed):
            client.hello()
        assert proxy.received


def test_a_slow_connection_does_not_use_up_the_only_end_of_the_time(monkeypatch):
    """No socket may be there yet to shut down when the time is over."""
    look_up = socket.getaddrinfo

    def slow(*args, **options):
        time.sleep(LIMIT + 0.2)
        return look_up(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    drip = Answer(body=b"x" * 5000, fault="drip")
    with ScriptedServer(drip) as altoviz, client_for(altoviz.url) as client:
        started = time.monotonic()
        with pytest.raises(ConnectionFailed, match="no answer within"):
            client.hello()
        assert time.monotonic() - started < LIMIT + 2


PDF = Answer(
    200,
    b"%PDF-1.7" + b"x" * 3000,
    {"content-type": "application/pdf"},
    fault="drip",
    prompt=1100,
)


def test_the_head_of_a_download_may_not_take_longer():
    slow = dataclasses.replace(PDF, prompt=0)
    with ScriptedServer(slow) as altoviz, client_for(altoviz.url) as client:
        started = time.monotonic()
        with pytest.raises(ConnectionFailed, match="no answer within"):
            client.invoices.download(1)
        assert time.monotonic() - started < LIMIT + 2


def test_a_download_may_take_longer():
    with ScriptedServer(PDF) as altoviz, client_for(altoviz.url) as client:
        started = time.monotonic()
        with client.invoices.download(1) as document:
            assert b"".join(document).startswith(b"%PDF")
        assert time.monotonic() - started > LIMIT


def test_a_request_that_ends_at_its_limit_leaves_a_download_alone():
    with (
        ScriptedServer(PDF, DRIP) as altoviz,
        client_for(altoviz.url) as client,
        client.invoices.download(1) as document,
    ):
        chunks = iter(document)
        with pytest.raises(ConnectionFailed):
            client.hello()
        assert len(b"".join(chunks)) == len(PDF.body)


def test_a_connection_that_was_left_is_limited_again():
    pdf = Answer(200, b"%PDF-1.7", {"content-type": "application/pdf"})
    with ScriptedServer(pdf, DRIP) as altoviz, client_for(altoviz.url) as client:
        with client.invoices.download(1) as document:
            assert b"".join(document)
        started = time.monotonic()
        with pytest.raises(ConnectionFailed):
            client.hello()
        assert time.monotonic() - started < LIMIT + 2


@pytest.mark.django_db
def test_an_event_takes_its_own_payload_if_altoviz_only_drips(settings, monkeypatch):
    cache.clear()
    monkeypatch.setattr(refetching, "_TIME_LIMIT", LIMIT)
    monkeypatch.setattr(refetching, "_clients", threading.local())
    with ScriptedServer(DRIP) as altoviz:
        api = {"API_KEY": "key", "BASE_URL": altoviz.url, "REFETCH": True}
        settings.ALTOVIZ = settings.ALTOVIZ | api
        body = body_of("CustomerUpdated", id=1, name="by webhook")
        event = WebhookEvent.objects.store(WebhookEvent.from_delivery(body, "default", {}))
        started = time.monotonic()
        process(event)
        assert time.monotonic() - started < LIMIT + 2
    assert Customer.objects.get().name == "by webhook"


class TestUnreachable:
    """Nobody listens on this port."""

    URL = "http://user:pass-word-5@127.0.0.1:9"

    def test_is_told_after_a_few_tries_and_not_after_many(self, monkeypatch):
        pauses = []
        monkeypatch.setattr(time, "sleep", pauses.append)
        with AltovizClient("key", self.URL) as client, pytest.raises(Unreachable) as caught:
            client.hello()
        assert sum(pauses) < 15
        assert "127.0.0.1:9" in str(caught.value)
        assert "pass-word-5" not in str(caught.value)

    def test_is_not_tried_at_all_without_retries(self, monkeypatch):
        monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("a pause"))
        retry = AltovizRetry(total=0)
        with AltovizClient("key", self.URL, retry=retry) as client, pytest.raises(Unreachable):
            client.hello()


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_an_internal_id_is_no_path(name):
    with client_for("http://127.0.0.1:9") as client, pytest.raises(ValueError, match="internal id"):
        client.customers.get_by_internal_id(name)


@pytest.mark.parametrize("small", ["250", "5"])
def test_a_small_retry_after_is_in_milliseconds_first(small, monkeypatch):
    cache.clear()
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    refused = Answer(429, b"{}", {"Retry-After": small})
    with ScriptedServer(refused, refused, json_answer({"a": 1})) as altoviz:
        with AltovizClient("key", altoviz.url) as client:
            assert client.hello() == {"a": 1}
    assert pauses == [1.0, min(float(small), 120)]


def test_the_time_limit_holds_for_all_attempts_together():
    with ScriptedServer(DRIP) as altoviz:
        options = {"retry": AltovizRetry(backoff_factor=0, backoff_jitter=0), "read_attempts": 4}
        with client_for(altoviz.url, **options) as client:
            started = time.monotonic()
            with pytest.raises(Unreachable, match=r"no answer within 0\.5 seconds"):
                client.hello()
            assert time.monotonic() - started < LIMIT + 2
        assert len(altoviz.received) == 1


def test_a_pause_does_not_count_against_the_time_limit():
    answers = [Answer(503, b"{}"), Answer(503, b"{}"), json_answer({"a": 1})]
    with ScriptedServer(*answers) as altoviz:
        retry = AltovizRetry(backoff_factor=LIMIT * 2, backoff_jitter=0)
        with client_for(altoviz.url, retry=retry) as client:
            assert client.hello() == {"a": 1}


def test_the_attempts_together_end_at_the_time_limit():
    def slow(received):
        time.sleep(LIMIT * 0.7)
        return Answer(503, b"{}")

    with ScriptedServer(slow) as altoviz:
        retry = AltovizRetry(backoff_factor=0, backoff_jitter=0)
        with client_for(altoviz.url, retry=retry) as client, pytest.raises(Unreachable):
            client.hello()
        assert len(altoviz.received) == 2


class TestSize:
    MOST = 100_000

    @pytest.fixture
    def ask(self):
        """Return a function that asks a client with a limit for one answer, and counts the requests."""

        def ask(answer, call=lambda client: client.hello()):
            with ScriptedServer(answer) as altoviz:
                with client_for(
                    altoviz.url, max_answer_bytes=self.MOST, read_attempts=4, time_limit=30
                ) as client:
                    try:
                        return call(client)
                    finally:
                        assert len(altoviz.received) == 1

        return ask

    def test_an_answer_within_the_limit_is_read(self, ask):
        text = "x" * (self.MOST - 10)
        assert ask(json_answer({"a": text})) == {"a": text}

    def test_a_longer_answer_is_given_up_at_once(self, ask):
        with pytest.raises(AnswerTooLarge, match="GET Hello was answered with more than 100000"):
            ask(json_answer({"a": "x" * self.MOST}))

    def test_a_bomb_is_not_unpacked(self, ask):
        bomb = gzip.compress(b" " * 50_000_000)
        tracemalloc.start()
        try:
            with pytest.raises(AnswerTooLarge):
                ask(Answer(200, bomb, {"Content-Encoding": "gzip"}))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 80_000_000  # a chunk of 64 KB unpacks to 64 MB at most

    @pytest.mark.parametrize(
        "call", [lambda client: client.hello(), lambda client: client.invoices.download(1)]
    )
    def test_the_page_of_an_error_has_the_same_limit(self, ask, call):
        with pytest.raises(AnswerTooLarge):
            ask(Answer(400, b"x" * (self.MOST + 1)), call)

    def test_a_document_has_a_limit_of_its_own(self, ask, tmp_path, monkeypatch):
        monkeypatch.setattr(downloads, "MAX_BYTES", 150_000)
        pdf = Answer(200, b"%PDF-1.7" + b"x" * 140_000, {"content-type": "application/pdf"})
        ask(pdf, lambda client: client.invoices.download(1).save(tmp_path / "a.pdf"))
        long = Answer(200, b"%PDF-1.7" + b"x" * 160_000, {"content-type": "application/pdf"})
        with pytest.raises(AnswerTooLarge, match="goes on after 150000 bytes"):
            ask(long, lambda client: client.invoices.download(1).save(tmp_path / "b.pdf"))
        assert [path.name for path in tmp_path.iterdir()] == ["a.pdf"]


def test_a_list_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr(resources, "MAX_PAGES", 5)

    def endless(received):
        first = int(received.query["PageIndex"]) * 100
        return json_answer([{"id": first + number} for number in range(100)])

    with ScriptedServer(endless) as altoviz, client_for(altoviz.url, time_limit=30) as client:
        with pytest.raises(IncompleteList, match="goes on after 5 pages"):
            list(client.customers.all())
        assert len(altoviz.received) == 5
        with pytest.raises(IncompleteList):
            client.customers.page(6)


class TestPauses:
    @pytest.fixture
    def pauses(self, monkeypatch):
        slept = []
        monkeypatch.setattr(time, "sleep", slept.append)
        return slept

    def test_of_more_than_a_few_seconds_are_told(self, pauses):
        told = []
        answers = [Answer(429, b"{}", {"Retry-After": "9000"}), Answer(503, b"{}")]
        with ScriptedServer(*answers, json_answer({"a": 1})) as altoviz:
            with AltovizClient("key", altoviz.url) as client:
                client.on_pause = told.append
                assert client.hello() == {"a": 1}
        assert told == [9.0]
        assert len(pauses) == 2

    def test_are_printed_by_the_commands(self, pauses, settings, capsys):
        refused = Answer(429, b"{}", {"Retry-After": "9000"})
        with ScriptedServer(refused, json_answer([])) as altoviz:
            settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": "key", "BASE_URL": altoviz.url}
            cache.clear()
            call_command("altoviz_list_webhooks")
        told = "Waiting 9 s to try again: Altoviz did not answer, or asked to wait."
        assert told in capsys.readouterr().err


def test_the_errors_of_an_answer_are_cut_and_forge_no_line():
    forged = "x\nCRITICAL forged \x1b[2J\u2028"
    body = json.dumps({"message": forged, "errors": [forged + "e" * 10_000] * 100}).encode()
    with ScriptedServer(Answer(400, body)) as altoviz, client_for(altoviz.url) as client:
        with pytest.raises(APIError) as caught:
            client.hello()
    assert len(str(caught.value)) < 50_000
    assert str(caught.value).isprintable()
    assert caught.value.errors[0].startswith("x\\nCRITICAL")


def test_a_download_that_is_not_http_breaks_off_by_name():
    bad = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n%PDF\r\n-5\r\nx\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _address = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(bad)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with client_for(url) as client:
            with pytest.raises(ConnectionFailed, match="broke off"):
                client.invoices.download(1)
        thread.join()
