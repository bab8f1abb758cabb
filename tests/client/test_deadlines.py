"""Answers that come byte by byte, for ever."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from django.core.cache import cache

from django_altoviz.client import AltovizClient
from django_altoviz.client.retries import AltovizRetry
from django_altoviz.exceptions import ConnectionFailed, Unreachable
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


def client_for(url):
    cache.clear()
    return AltovizClient(
        "key", url, retry=AltovizRetry(total=0), read_attempts=1, timeout=(3, 3), time_limit=LIMIT
    )


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


def test_a_download_may_take_longer():
    pdf = Answer(200, b"%PDF-1.7" + b"x" * 30, {"content-type": "application/pdf"}, fault="drip")
    with ScriptedServer(pdf) as altoviz, client_for(altoviz.url) as client:
        with client.invoices.download(1) as document:
            assert b"".join(document).startswith(b"%PDF")


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
