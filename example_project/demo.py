"""The demonstration: what the package makes of all that Altoviz, the network and others may send.

``python demo.py`` starts the example project on a fresh database, posts to its webhook over HTTP,
checks what became of each delivery, and exits 0 only if everything is as it must be.
``python demo.py run`` serves the project in the foreground, with the sample events in it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import django
import requests
from demonstration.deliveries import SECRET, Delivery, all_deliveries
from demonstration.server import HOST, PROJECT, ServerFailed, free_port, serving
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command

from django_altoviz.event_types import EventType
from django_altoviz.samples import sample_body
from django_altoviz.signing import SIGNATURE_HEADER, sign


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="run")
    runner = commands.add_parser("run", help="serve the project, with the sample events in it")
    runner.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--database",
        type=Path,
        default=PROJECT / "demo.sqlite3",
        help="where the demonstration's SQLite database is to be; what is there is removed first",
    )
    options = parser.parse_args()
    # So that the server is ended also where this process is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended."))
    try:
        return run(options.port) if options.command else demonstrate(options.database.resolve())
    except ServerFailed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def demonstrate(database: Path) -> int:
    for suffix in ["", "-shm", "-wal"]:
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    os.environ["EXAMPLE_DATABASE"] = "sqlite"
    os.environ["EXAMPLE_SQLITE"] = str(database)
    os.environ.setdefault("ALTOVIZ_WEBHOOK_SECRET", SECRET)
    set_up()
    # They import models, so they can be imported only now.
    from demonstration import checks, report

    deliveries = all_deliveries()
    answers = [
        checks.check_answer(delivery, response)
        for delivery, response in zip(deliveries, deliver(deliveries), strict=True)
    ]
    return report.print_report(answers, deliveries)


def set_up() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "example.settings"
    django.setup()
    call_command("migrate", verbosity=0)


def deliver(deliveries: Sequence[Delivery]) -> list[requests.Response]:
    """Post them to a server of their own, and return its answers."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        try:
            port = free_port()
            with serving(port, output):
                return [delivery.post(webhook_at(port)) for delivery in deliveries]
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
        for event_type in EventType:
            body = sample_body(event_type)
            headers = {SIGNATURE_HEADER: sign(body, secret)}
            answer = requests.post(webhook_at(port), data=body, headers=headers, timeout=60)
            if not answer.ok:
                raise ServerFailed(f"{event_type} was answered {answer.status_code}.")
        print(
            f"\nAdmin:    http://{HOST}:{port}/admin/  (user admin, password admin)"
            f"\nWebhook:  {webhook_at(port)}"
            "\nThe sample events are in it. Control-C ends it.\n",
            flush=True,
        )
        return server.wait()


def webhook_at(port: int) -> str:
    return f"http://{HOST}:{port}/altoviz/webhook/"


if __name__ == "__main__":
    sys.exit(main())
