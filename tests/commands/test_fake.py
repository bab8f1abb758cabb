"""altoviz_fake, as somebody uses it who develops a project offline."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from io import StringIO
from pathlib import Path

import pytest
import requests
from django.core.management import CommandError, call_command

from django_altoviz.testing import FakeAltoviz
from tests.client.scripted import Answer, ScriptedServer
from tests.processes import Process
from tests.settings import ALTOVIZ

ROOT = Path(__file__).parents[2]


class Console(StringIO):
    """What the command prints; ``until`` waits for it."""

    def until(self, pattern):
        give_up_at = time.monotonic() + 120
        while time.monotonic() < give_up_at:
            if found := re.search(pattern, self.getvalue()):
                return found
            time.sleep(0.01)
        raise AssertionError(self.getvalue())


@pytest.fixture
def run():
    """Run the command, do something while it serves, and end it by a signal."""

    def run(meanwhile, *args, end=signal.SIGTERM):
        console, results = Console(), []

        def do():
            try:
                results.append(meanwhile(console))
            finally:
                os.kill(os.getpid(), end)

        thread = threading.Thread(target=do)
        thread.start()
        try:
            call_command("altoviz_fake", "--port=0", "--customers=3", *args, stdout=console)
        finally:
            thread.join()
        assert results, console.getvalue()
        return results[0]

    return run


def url_in(console):
    return console.until(r"at (http://127\.0\.0\.1:\d+)")[1]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_says_what_to_put_into_the_settings(run, end):
    def meanwhile(console):
        url = url_in(console)
        console.until("Control-C")
        text = console.getvalue()
        key = re.search(r'"API_KEY": "(.+)",', text)[1]
        assert f'"BASE_URL": "{url}",' in text
        assert "--force --url http://127.0.0.1:8000/altoviz/webhook/" in text
        hello = requests.get(f"{url}/Hello", headers={"X-API-KEY": key}, timeout=10)
        assert hello.json()["companyName"] in text
        return text

    assert "with 3 customers and 3 invoices" in run(meanwhile, end=end)


def test_what_it_shows_can_be_done(run):
    def meanwhile(console):
        url = url_in(console)
        invoice = console.until(r"/fake/invoices/(\d+) -d '\{\"subject")[1]
        made = requests.post(f"{url}/fake/customers", timeout=10).json()
        path = f"{url}/fake/invoices/{invoice}"
        assert requests.patch(path, '{"subject": "Hello"}', timeout=10).json()["subject"] == "Hello"
        return made["id"]

    # Its id is none that was given in a run before.
    assert run(meanwhile) > 50_000_000


def test_shows_what_is_delivered_to_the_projects_webhook(run):
    with ScriptedServer(Answer(200)) as receiver:

        def meanwhile(console):
            url = url_in(console)
            requests.post(f"{url}/fake/products", timeout=10)
            return console.until(rf"ProductCreated \d+ -> {receiver.url}/hook/ 200")

        assert run(meanwhile, "--deliver-to", f"{receiver.url}/hook/")
    assert "X-Signature" in receiver.received[0].headers


def test_something_happens_by_itself(run):
    with ScriptedServer(Answer(200)) as receiver:
        run(
            lambda console: console.until(r"(Created \d+ -> [\s\S]*){2}"),
            "--busy=0.05",
            "--set=drop=0.0",
            "--set=list_lag=[0, 0.5]",
            f"--deliver-to={receiver.url}/",
        )
    assert len(receiver.received) >= 2


def test_the_projects_own_webhook_can_be_meant(run):
    def meanwhile(console):
        url = url_in(console)
        requests.post(f"{url}/fake/products", timeout=10)
        return console.until(r"-> http://127\.0\.0\.1:8000/altoviz/webhook/acme/ ")

    assert run(meanwhile, "--account=acme", "--deliver-to")


def test_there_is_nothing_to_sign_with(settings):
    settings.ALTOVIZ = {}
    with pytest.raises(CommandError, match="“default” has no WEBHOOK_SECRET"):
        call_command("altoviz_fake", "--port=0", "--deliver-to", stdout=StringIO())


@pytest.mark.parametrize(
    ("switch", "message"),
    [("drop=2", "drop is a probability"), ("weather=1", "weather"), ("quota", "no assignment")],
)
def test_a_switch_that_there_is_not(switch, message):
    with pytest.raises(CommandError, match=message):
        call_command("altoviz_fake", f"--set={switch}")


def test_a_port_that_is_taken():
    with FakeAltoviz() as other:
        port = other.url.rpartition(":")[2]
        with pytest.raises(CommandError, match=f"Port {port} can't be used: .*--port"):
            call_command("altoviz_fake", f"--port={port}")
    with pytest.raises(CommandError, match="Port 99999 can't be used"):
        call_command("altoviz_fake", "--port=99999")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_ends_at_once_and_quietly_as_a_process(tmp_path, end):
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONUNBUFFERED": "1",
    }
    with Process(
        [sys.executable, "-W", "error", "-m", "django", "altoviz_fake", "--port=0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        lines = iter(process.stdout.readline, "")
        assert any("Control-C ends it." in line for line in lines)
        process.send_signal(end)
        assert process.wait(30) == 0
        assert process.stdout.read().strip() == ""


def test_the_secret_is_not_shown(run):
    secret = ALTOVIZ["WEBHOOK_SECRET"]
    assert secret not in run(lambda console: console.until(r"[\s\S]*Control-C")[0], "--deliver-to")
