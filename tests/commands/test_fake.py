"""altoviz_fake, as a developer uses it offline."""

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
    """Output of the command. ``until`` waits for a pattern in it."""

    def until(self, pattern):
        give_up_at = time.monotonic() + 120
        while time.monotonic() < give_up_at:
            if found := re.search(pattern, self.getvalue()):
                return found
            time.sleep(0.01)
        raise AssertionError(self.getvalue())


@pytest.fixture
def run():
    """Return a function that runs the command, calls ``meanwhile``, and stops it with a signal."""

    def run(meanwhile, *args, stop_signal=signal.SIGTERM):
        console, results = Console(), []

        def do():
            try:
                results.append(meanwhile(console))
            finally:
                os.kill(os.getpid(), stop_signal)

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
    return console.until(r"running at (http://127\.0\.0\.1:\d+)")[1]


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_the_instructions_contain_the_settings(run, stop_signal):
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

    assert "3 customers, 3 invoices." in run(meanwhile, stop_signal=stop_signal)


def test_the_shown_requests_work(run):
    def meanwhile(console):
        url = url_in(console)
        invoice = console.until(r"/fake/invoices/(\d+) -d '\{\"subject")[1]
        made = requests.post(f"{url}/fake/customers", timeout=10).json()
        path = f"{url}/fake/invoices/{invoice}"
        assert requests.patch(path, '{"subject": "Hello"}', timeout=10).json()["subject"] == "Hello"
        return made["id"]

    # The id must differ from those of earlier runs.
    assert run(meanwhile) > 50_000_000


def test_deliveries_to_the_webhook_are_printed(run):
    with ScriptedServer(Answer(200)) as receiver:

        def meanwhile(console):
            url = url_in(console)
            requests.post(f"{url}/fake/products", timeout=10)
            return console.until(rf"ProductCreated \d+ -> {receiver.url}/hook/ 200")

        assert run(meanwhile, "--deliver-to", f"{receiver.url}/hook/")
    assert "X-Signature" in receiver.received[0].headers


def test_busy_changes_things_on_its_own(run):
    with ScriptedServer(Answer(200)) as receiver:
        run(
            lambda console: console.until(r"(Created \d+ -> [\s\S]*){2}"),
            "--busy=0.05",
            "--set=drop=0.0",
            "--set=list_lag=[0, 0.5]",
            f"--deliver-to={receiver.url}/",
        )
    assert len(receiver.received) >= 2


def test_deliver_to_without_a_url_means_the_projects_webhook(run):
    def meanwhile(console):
        url = url_in(console)
        requests.post(f"{url}/fake/products", timeout=10)
        return console.until(r"-> http://127\.0\.0\.1:8000/altoviz/webhook/acme/ ")

    assert run(meanwhile, "--account=acme", "--deliver-to")


def test_deliver_to_needs_a_webhook_secret(settings):
    settings.ALTOVIZ = {}
    with pytest.raises(CommandError, match="“default” has no WEBHOOK_SECRET"):
        call_command("altoviz_fake", "--port=0", "--deliver-to", stdout=StringIO())


@pytest.mark.parametrize(
    ("switch", "message"),
    [("drop=2", "drop is a probability"), ("weather=1", "weather"), ("quota", "not an assignment")],
)
def test_an_invalid_switch_is_refused(switch, message):
    with pytest.raises(CommandError, match=message):
        call_command("altoviz_fake", f"--set={switch}")


def test_a_port_that_can_not_be_used_is_reported():
    with FakeAltoviz() as other:
        port = other.url.rpartition(":")[2]
        with pytest.raises(CommandError, match=f"Port {port} can't be used: .*--port"):
            call_command("altoviz_fake", f"--port={port}")
    with pytest.raises(CommandError, match="Port 99999 can't be used"):
        call_command("altoviz_fake", "--port=99999")


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_process_quietly(tmp_path, stop_signal):
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
        assert any("Press Control-C to stop." in line for line in lines)
        process.send_signal(stop_signal)
        assert process.wait(30) == 0
        assert process.stdout.read().strip() == ""


def test_the_secret_is_not_printed(run):
    secret = ALTOVIZ["WEBHOOK_SECRET"]
    assert secret not in run(lambda console: console.until(r"[\s\S]*Control-C")[0], "--deliver-to")
