"""Registration over HTTP ends with one right webhook and touches no foreign webhook.

A common failure of integrations: orphaned and duplicate webhooks, because Altoviz's answer to a
registration has no id and its list lags.
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
from django_altoviz.client import AltovizClient, RateLimiter
from django_altoviz.event_types import SENT_TYPES
from django_altoviz.exceptions import APIFailure, ConnectionFailed, NotFound
from django_altoviz.registration import Wanted
from django_altoviz.testing import FakeAltoviz
from tests.processes import Process
from tests.testing.conftest import Clock

ROOT = Path(__file__).parents[1]
URL = "https://shop.example/altoviz/webhook/"
WANTED = Wanted("django-altoviz (default)", URL, frozenset(SENT_TYPES), "the secret of these tests")
#: (name, url) of a foreign webhook, and of one with our name at another URL.
FOREIGN = [
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
        for name, url in FOREIGN:
            altoviz.webhooks.register(url, "theirs", name=name)
        yield altoviz


def client_of(altoviz):
    rate_limiter = RateLimiter(f"registration {next(names)}", 100_000)
    return AltovizClient(altoviz.api_key, altoviz.url, rate_limiter=rate_limiter)


def register(altoviz, sleep, **options):
    with client_of(altoviz) as client:
        return registration.register(client.webhooks, WANTED, sleep=sleep, **options)


def check(altoviz):
    """Check that the foreign webhooks exist and that ours exists once and is right. Return ours."""
    *foreign, ours = altoviz.webhooks.registered()
    assert [(each.name, each.url) for each in foreign] == FOREIGN
    assert (ours.name, ours.url, ours.secret) == (WANTED.name, URL, WANTED.secret)
    assert ours.types == WANTED.types
    return ours


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("tells_id", [False, True])
def test_a_second_run_changes_nothing(altoviz, clock, lag, tells_id):
    altoviz.behave(list_lag=lag, tells_webhook_id=tells_id)
    assert register(altoviz, clock.sleep).created
    first = check(altoviz)
    clock.sleep(10)
    assert not register(altoviz, clock.sleep).created
    assert check(altoviz) is first


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("shows", ["clear", "masked", "null"])
def test_an_old_webhook_is_replaced(altoviz, clock, lag, shows):
    altoviz.behave(list_lag=lag, shows_secrets=shows)
    former = altoviz.webhooks.register(URL, "old", types=["InvoiceCreated"], name=WANTED.name)
    clock.sleep(10)
    assert register(altoviz, clock.sleep).removed == (former.id,)
    check(altoviz)


class Killed(BaseException):
    """Stands for the end of the process: no ``except Exception`` catches it."""


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("step", range(1, 9))
def test_another_run_repairs_a_crash_at_any_step(altoviz, clock, lag, step):
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
def test_another_run_repairs_a_lost_answer_at_any_step(altoviz, clock, monkeypatch, fault, step):
    monkeypatch.setattr("time.sleep", clock.sleep)
    altoviz.webhooks.register(URL, WANTED.secret, types=["QuoteCreated"], name=WANTED.name)
    clock.sleep(10)
    altoviz.fail_next(*[None] * (step - 1), fault)
    # The lost answer may be that of a POST that succeeded, so the client does not repeat it.
    with suppress(APIFailure):
        register(altoviz, clock.sleep)
    altoviz.fail_next()
    register(altoviz, clock.sleep)
    check(altoviz)


def test_concurrent_threads_end_with_one_webhook(altoviz, clock):
    altoviz.behave(list_lag=(0.02, 0.0, 0.04))
    never = threading.Event()  # waits on the real clock
    start = threading.Barrier(4)
    failures = []

    def sleep(seconds):
        clock.now += seconds / 50
        never.wait(seconds / 50)

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
    """The command in several processes, as concurrent deployments run it."""

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
        """Return a fake on the real clock."""
        cache.clear()
        with FakeAltoviz() as altoviz:
            altoviz.behave(list_lag=(0.3, 0.0))
            for name, url in FOREIGN:
                altoviz.webhooks.register(url, "theirs", name=name)
            yield altoviz

    def test_concurrent_processes_end_with_one_webhook(self, altoviz, start):
        processes = [start(altoviz) for _ in range(3)]
        outputs = [process.communicate(timeout=180)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * 3, outputs
        check(altoviz)

    def test_a_process_that_is_killed_after_its_post_leaves_one_webhook(self, altoviz, start):
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
        output, _ = start(altoviz).communicate(timeout=60)
        assert "Already registered" in output
        check(altoviz)


class TestUnregister:
    def test_without_one_id_or_url_sends_no_request(self, altoviz):
        with client_of(altoviz) as client:
            for nothing in ({}, {"id": 0}, {"url": ""}, {"id": 5, "url": URL}):
                with pytest.raises(ValueError, match="either an id"):
                    client.webhooks.unregister(**nothing)
        assert altoviz.requests == []
        assert len(altoviz.webhooks.registered()) == 2

    def test_a_webhook_that_does_not_exist_is_not_found(self, altoviz):
        with client_of(altoviz) as client, pytest.raises(NotFound):
            client.webhooks.unregister(id=5)

    def test_is_repeated_after_a_lost_answer(self, altoviz, clock):
        made = altoviz.webhooks.register(URL, "s")
        altoviz.fail_next("reset")
        with client_of(altoviz) as client, suppress(NotFound):  # the first request succeeded
            client.webhooks.unregister(id=made.id)
        assert made not in altoviz.webhooks.registered()


def test_a_network_that_is_down_is_a_failed_connection(altoviz, clock, monkeypatch):
    monkeypatch.setattr("time.sleep", clock.sleep)
    altoviz.fail_next(*["reset"] * 100)
    with pytest.raises(ConnectionFailed):
        register(altoviz, clock.sleep)
