from __future__ import annotations

import signal
import threading
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from django_altoviz.conf import DEFAULT_ACCOUNT, get_account
from django_altoviz.management.commands.altoviz_send_event import assignment, default_url
from django_altoviz.management.interruption import on_signals
from django_altoviz.management.selection import add_account
from django_altoviz.testing import Behaviour, Delivery, FakeAltoviz
from django_altoviz.testing.fake.activity import Activity

_PORT = 8765
# Seconds between two looks at the deliveries, to print the new ones.
_POLL_INTERVAL = 0.1


class Command(BaseCommand):
    help = (
        "Serve a fake Altoviz on this machine, to develop offline: its API answers, and its webhooks "
        "deliver."
    )
    # Those who need a fake most have a project whose settings are not complete yet.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=_PORT, help="The port; 0 for any free one.")
        parser.add_argument(
            "--customers",
            type=int,
            default=30,
            metavar="N",
            help="The size of its company: N customers, N invoices, a third of N products, quotes and "
            "credits.",
        )
        parser.add_argument("--seed", type=int, default=0, help="The seed of the invented data.")
        parser.add_argument(
            "--busy",
            type=float,
            metavar="SECONDS",
            help="Change something in the company every SECONDS seconds.",
        )
        parser.add_argument(
            "--set",
            type=assignment,
            action="append",
            default=[],
            metavar="SWITCH=JSON",
            help="Set a switch of its behaviour, for example duplicate=0.2. Can be repeated.",
        )
        parser.add_argument(
            "--deliver-to",
            nargs="?",
            const="",
            metavar="URL",
            help="Register this webhook at the start. Without a URL, register the project's webhook on "
            "the development server.",
        )
        add_account(
            parser,
            default=DEFAULT_ACCOUNT,
            help="The account whose secret and webhook to use.",
        )

    def handle(
        self, *, port: int, customers: int, seed: int, busy: float | None, **options: Any
    ) -> None:
        altoviz = start(port, seed, behaviour(options["set"]))
        is_over = threading.Event()
        try:
            with on_signals(lambda *_: is_over.set(), signal.SIGINT, signal.SIGTERM):
                populate(altoviz, customers)
                self.register(altoviz, options["account"], options["deliver_to"])
                self.stdout.write(instructions(altoviz, options["account"]))
                activity = Activity(altoviz, seed) if busy else None
                self.watch(altoviz, is_over, activity, busy or 0.0)
        finally:
            altoviz.stop()

    def register(self, altoviz: FakeAltoviz, account: str, url: str | None) -> None:
        if url is None:
            return
        secrets = get_account(account).webhook_secrets
        if not secrets:
            raise CommandError(_("Account “%(name)s” has no WEBHOOK_SECRET.") % {"name": account})
        altoviz.webhooks.register(url or default_url(account), secrets[0])

    def watch(
        self,
        altoviz: FakeAltoviz,
        is_over: threading.Event,
        activity: Activity | None,
        pause: float,
    ) -> None:
        """Print the deliveries, and change something every ``pause`` seconds, until a signal comes."""
        printed, due = 0, time.monotonic() + pause
        while not is_over.wait(_POLL_INTERVAL):
            if activity and time.monotonic() >= due:
                activity.step()
                due += pause
            for delivery in altoviz.deliveries[printed:]:
                self.stdout.write(describe(delivery))
                printed += 1


def behaviour(switches: list[tuple[list[str], Any]]) -> Behaviour:
    """Return the behaviour that the options ask for."""
    try:
        return Behaviour(**{".".join(name): value for name, value in switches})
    except (TypeError, ValueError) as error:
        raise CommandError(str(error)) from error


def start(port: int, seed: int, behaviour: Behaviour) -> FakeAltoviz:
    try:
        return FakeAltoviz(port=port, seed=seed, behaviour=behaviour).start()
    except (OSError, OverflowError) as error:
        raise CommandError(
            _("Port %(port)s can't be used: %(error)s. Choose another one with --port.")
            % {"port": port, "error": error}
        ) from error


def populate(altoviz: FakeAltoviz, customers: int) -> None:
    third = customers // 3
    altoviz.populate(
        customers=customers, products=third, invoices=customers, quotes=third, credits=third
    )
    # The project's mirror may have objects, or tombstones, of an earlier run. New objects must not
    # have their ids, so the ids of each run begin above those of the runs before.
    for records in altoviz.company.records.values():
        records.skip_ids(int(time.time()) - 1_700_000_000)


def instructions(altoviz: FakeAltoviz, account: str) -> str:
    invoice = altoviz.invoices.store.last_id() or 1
    return _(
        """\
A fake Altoviz is running at %(url)s: %(company)s, %(customers)s customers, %(invoices)s invoices.
To point your project to it, set in ALTOVIZ:

    "API_KEY": "%(key)s",
    "BASE_URL": "%(url)s",

Register the webhook that runserver serves:

    python manage.py altoviz_register_webhook --force --url %(webhook)s

Change something, in another terminal:

    curl -X POST %(url)s/fake/customers
    curl -X PATCH %(url)s/fake/invoices/%(invoice)s -d '{"subject": "Hello"}'

See %(url)s/fake for everything else. Press Control-C to stop."""
    ) % {
        "url": altoviz.url,
        "company": altoviz.company.name,
        "customers": len(altoviz.customers),
        "invoices": len(altoviz.invoices),
        "key": altoviz.api_key,
        "webhook": default_url(account),
        "invoice": invoice,
    }


def describe(delivery: Delivery) -> str:
    outcome = delivery.error or delivery.status
    return f"{delivery.type} {delivery.object_id} -> {delivery.url} {outcome}"
