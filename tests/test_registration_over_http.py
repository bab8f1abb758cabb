"""However it is registered, over HTTP and at once: one right webhook in the end, and no stranger's gone.

Pain of many: orphaned and doubled webhooks, for the answer to a registration has no id, and the list
lags behind.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from django.core.cache import cache

from django_altoviz import registration
from django_altoviz.client import AltovizClient, Pace
from django_altoviz.event_types import EventType
from django_altoviz.exceptions import APIFailure, ConnectionFailed, NotFound
from django_altoviz.registration import Wanted
from django_altoviz.testing import FakeAltoviz
from tests.processes import Process
from tests.testing.conftest import Clock

ROOT = Path(__file__).parents[1]
URL = "https://shop.example/altoviz/webhook/"
WANTED = Wanted("django-altoviz (default)", URL, frozenset(EventType), "the secret of these tests")
#: (name, url): a stranger's, and ours at another place.
STRANGERS = [
    ("n8n", "https://n8n.example/webhook/1"),
    (WANTED.name, "https://staging.example/altoviz/webhook/"),
]
LAGS = [(0.0,), (2.0,), (0.0, 2.0), (2.0, 0.0, 1.0)]

names = itertools.count()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def altoviz(clock):
    with FakeAltoviz(clock=clock) as altoviz:
        for name, url in STRANGERS:
            altoviz.webhooks.register(url, "theirs", name=name)
        yield altoviz


def client_of(altoviz):
    pace = Pace(f"registration {next(names)}", 100_000)
    return AltovizClient(altoviz.api_key, altoviz.url, pace=pace)


def register(altoviz, sleep, **options):
    with client_of(altoviz) as client:
        return registration.register(client.webhooks, WANTED, sleep=sleep, **options)


def check(altoviz):
    """The strangers' are there, and one of ours, which is right."""
    *strangers, ours = altoviz.webhooks.registered()
    assert [(each.name, each.url) for each in strangers] == STRANGERS
    assert (ours.name, ours.url, ours.secret) == (WANTED.name, URL, WANTED.secret)
    assert ours.types == WANTED.types
    return ours


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("tells_id", [False, True])
def test_once_or_twice(altoviz, clock, lag, tells_id):
    altoviz.behave(list_lag=lag, tells_webhook_id=tells_id)
    assert register(altoviz, clock.sleep).created
    first = check(altoviz)
    clock.sleep(10)
    assert not register(altoviz, clock.sleep).created
    assert check(altoviz) is first


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("shows", ["clear", "masked", "null"])
def test_in_place_of_a_former_one(altoviz, clock, lag, shows):
    altoviz.behave(list_lag=lag, shows_secrets=shows)
    former = altoviz.webhooks.register(URL, "old", types=["InvoiceCreated"], name=WANTED.name)
    clock.sleep(10)
    assert register(altoviz, clock.sleep).removed == (former.id,)
    check(altoviz)


class Killed(BaseException):
    """As if the process had ended there and then."""


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("step", range(1, 9))
def test_after_a_crash_in_the_middle(altoviz, clock, lag, step):
    altoviz.behave(list_lag=lag)
    former = altoviz.webhooks.register(URL, WANTED.secret, types=["QuoteCreated"], name=WANTED.name)
    clock.sleep(10)
    with client_of(altoviz) as client:
        answers = itertools.count(1)

        def kill(response, **options):
            if next(answers) == step:
                raise Killed

        client._session.hooks["response"].append(kill)
        with suppress(Killed):
            registration.register(client.webhooks, WANTED, sleep=clock.sleep)
    ours = [each for each in altoviz.webhooks.registered() if each.url == URL]
    assert former in ours or any(each.types == WANTED.types for each in ours)
    register(altoviz, clock.sleep)
    check(altoviz)


@pytest.mark.parametrize("fault", ["reset", "break off"])
@pytest.mark.parametrize("step", range(1, 9))
def test_after_an_answer_that_was_lost(altoviz, clock, monkeypatch, fault, step):
    monkeypatch.setattr("time.sleep", clock.sleep)
    altoviz.webhooks.register(URL, WANTED.secret, types=["QuoteCreated"], name=WANTED.name)
    clock.sleep(10)
    altoviz.fail_next(*[None] * (step - 1), fault)
    # A registration that was done may be lost as well, and is not repeated blindly.
    with suppress(APIFailure):
        register(altoviz, clock.sleep)
    altoviz.fail_next()
    register(altoviz, clock.sleep)
    check(altoviz)


def test_in_threads_at_once(altoviz, clock):
    altoviz.behave(list_lag=(0.02, 0.0, 0.04))
    real = threading.Event()  # never set: only to wait with
    start = threading.Barrier(4)
    failures = []

    def sleep(seconds):
        clock.now += seconds / 50
        real.wait(seconds / 50)

    def run():
        start.wait()
        try:
            register(altoviz, sleep)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    check(altoviz)


class TestProcesses:
    """The command itself, as three deployments would run it at the same moment."""

    @pytest.fixture
    def start(self, tmp_path):
        started = []

        def start(altoviz):
            given = altoviz.settings | {"WEBHOOK_SECRET": WANTED.secret, "WEBHOOK_URL": URL}
            settings = tmp_path / "settings_of_processes.py"
            settings.write_text(f"from tests.settings import *\nALTOVIZ = {given!r}\n")
            environment = os.environ | {
                "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
                "DJANGO_SETTINGS_MODULE": "settings_of_processes",
            }
            process = Process(
                [sys.executable, "-m", "django", "altoviz_register_webhook"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            started.append(process)
            return process

        yield start
        for process in started:
            process.kill_group()
            process.stdout.close()

    @pytest.fixture
    def altoviz(self):
        """On the real clock."""
        cache.clear()
        with FakeAltoviz() as altoviz:
            altoviz.behave(list_lag=(0.3, 0.0))
            for name, url in STRANGERS:
                altoviz.webhooks.register(url, "theirs", name=name)
            yield altoviz

    def test_at_once(self, altoviz, start):
        processes = [start(altoviz) for _ in range(3)]
        outputs = [process.communicate(timeout=180)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * 3, outputs
        check(altoviz)

    def test_one_that_is_killed_when_it_has_just_registered(self, altoviz, start):
        process = start(altoviz)
        done = threading.Event()
        register = altoviz.webhooks.register

        def register_and_kill(*args, **options):
            made = register(*args, **options)
            process.kill()
            done.set()
            return made

        altoviz.webhooks.register = register_and_kill
        assert done.wait(30)
        process.wait()
        altoviz.webhooks.register = register
        check(altoviz)
        output, _ = start(altoviz).communicate(timeout=180)
        assert "Registered already" in output
        check(altoviz)


class TestUnregister:
    def test_no_request_goes_without_saying_what(self, altoviz):
        with client_of(altoviz) as client:
            for nothing in ({}, {"id": 0}, {"url": ""}, {"id": 5, "url": URL}):
                with pytest.raises(ValueError, match="either an id"):
                    client.webhooks.unregister(**nothing)
        assert altoviz.requests == []
        assert len(altoviz.webhooks.registered()) == 2

    def test_what_is_not_there(self, altoviz):
        with client_of(altoviz) as client, pytest.raises(NotFound):
            client.webhooks.unregister(id=5)

    def test_is_repeated_where_the_answer_was_lost(self, altoviz, clock):
        made = altoviz.webhooks.register(URL, "s")
        altoviz.fail_next("reset")
        with client_of(altoviz) as client, suppress(NotFound):  # the first one has worked
            client.webhooks.unregister(id=made.id)
        assert made not in altoviz.webhooks.registered()


def test_a_network_that_is_down_is_told(altoviz, clock, monkeypatch):
    monkeypatch.setattr("time.sleep", clock.sleep)
    altoviz.fail_next(*["reset"] * 100)
    with pytest.raises(ConnectionFailed):
        register(altoviz, clock.sleep)
