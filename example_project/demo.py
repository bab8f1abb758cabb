"""Demonstration of the package: run the example project against a fake Altoviz.

``python demo.py`` starts the example project on a fresh database, and a fake Altoviz. It registers
the webhook, changes objects at the fake, and posts unusual deliveries. It checks every result, and
exits with 0 only if all checks pass.
``python demo.py run`` serves the project in the foreground, with the sample events in it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
import requests
from demonstration.deliveries import SECRET, unusual_deliveries
from demonstration.server import HOST, PROJECT, ServerFailed, free_port, serving
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command

from django_altoviz.event_types import SENT_TYPES
from django_altoviz.intake.signing import SIGNATURE_HEADER, sign
from django_altoviz.samples import sample_body
from django_altoviz.testing import Behaviour, FakeAltoviz

INTRODUCTION = """\
This demonstration runs the example project (SQLite) against a fake Altoviz on this machine.
It takes less than a minute. Each row of a table with the column "ok" is a check that passed or not."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="run")
    runner = commands.add_parser("run", help="serve the project, with the sample events in it")
    runner.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--database",
        type=Path,
        default=PROJECT / "demo.sqlite3",
        help="path of the SQLite database for the demonstration; an existing file is replaced",
    )
    options = parser.parse_args()
    # Exit by an exception, so that the context managers stop the server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Terminated."))
    try:
        return run(options.port) if options.command else demonstrate(options.database.resolve())
    except ServerFailed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def demonstrate(database: Path) -> int:
    print(INTRODUCTION, flush=True)
    for suffix in ["", "-shm", "-wal"]:
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    os.environ["EXAMPLE_DATABASE"] = "sqlite"
    os.environ["EXAMPLE_SQLITE"] = str(database)
    os.environ.setdefault("ALTOVIZ_WEBHOOK_SECRET", SECRET)
    with FakeAltoviz(behaviour=Behaviour(list_lag=(0.4,))) as altoviz:
        os.environ["ALTOVIZ_API_KEY"] = altoviz.api_key
        os.environ["ALTOVIZ_BASE_URL"] = altoviz.url
        set_up()
        # It imports models, so it can't be imported before Django is set up.
        from demonstration import report

        port = free_port()
        altoviz.populate(customers=3, products=2, invoices=3, quotes=1)
        with served(port) as url:
            checks = report.report_changes(altoviz, url)
            # The second part begins with an empty database.
            call_command("flush", interactive=False, verbosity=0)
            deliveries = unusual_deliveries()
            responses = [delivery.post(url) for delivery in deliveries]
    checks += report.report_deliveries(deliveries, responses)
    return report.print_verdict(checks)


def set_up() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "example.settings"
    django.setup()
    call_command("migrate", verbosity=0)


@contextmanager
def served(port: int) -> Iterator[str]:
    """Serve the project and yield the webhook's URL. If it fails, raise with the server's output."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        try:
            with serving(port, output):
                yield webhook_at(port)
        except (ServerFailed, requests.RequestException) as error:
            output.seek(0)
            raise ServerFailed(f"{output.read()}\n{error}") from error


def run(port: int) -> int:
    set_up()
    users = get_user_model().objects
    if not users.filter(username="admin").exists():
        users.create_superuser("admin", password="admin")
    with serving(free_port(port)) as server:
        secret = settings.ALTOVIZ["WEBHOOK_SECRET"]
        for event_type in SENT_TYPES:
            body = sample_body(event_type)
            headers = {SIGNATURE_HEADER: sign(body, secret)}
            answer = requests.post(webhook_at(port), data=body, headers=headers, timeout=60)
            if not answer.ok:
                raise ServerFailed(f"The project answered {event_type} with {answer.status_code}.")
        print(
            f"\nAdmin:    http://{HOST}:{port}/admin/  (user admin, password admin)"
            f"\nWebhook:  {webhook_at(port)}"
            "\nThe sample events are in it. Press Control-C to stop.\n",
            flush=True,
        )
        return server.wait()


def webhook_at(port: int) -> str:
    return f"http://{HOST}:{port}/altoviz/webhook/"


if __name__ == "__main__":
    sys.exit(main())
