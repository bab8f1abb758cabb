from __future__ import annotations

import json
import os
from collections import Counter

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection
from django.utils import timezone

from django_altoviz.models import Invoice, WebhookEvent
from django_altoviz.processing import backlog
from django_altoviz.signals import BY_BUSINESS_SIGNAL
from django_altoviz.sync import sync, watch_round
from django_altoviz.testing import Behaviour, FakeAltoviz
from tests.chaos.project.models import Effect

from .crash_everywhere import CRASHED, Crash


class Command(BaseCommand):
    help = (
        "Change things at a fake Altoviz, and crash the round of a watch before its first SQL "
        "statement; change more, and crash before the next one that is due; and so on. Stop when "
        "nothing crashes. Print what the receivers have heard after each recovery."
    )

    def add_arguments(self, parser):
        parser.add_argument("--step", type=int, default=1)

    def handle(self, *, step, **options):
        for signal in BY_BUSINESS_SIGNAL.values():
            signal.connect(note)
        with FakeAltoviz(behaviour=Behaviour(quota=None)) as altoviz:
            api = altoviz.settings | {"API_REQUESTS_PER_MINUTE": 10**6}
            settings.ALTOVIZ = settings.ALTOVIZ | api
            altoviz.customers.create()
            sync()
            reports, has_crashed, crash_at = [], True, 1
            while has_crashed:
                expected = change(altoviz)
                has_crashed = crashes(crash_at)
                recover()
                reports.append({"heard": heard(expected), "has_crashed": has_crashed})
                crash_at += step
        self.stdout.write(json.dumps(reports))


def note(signal, instance, **kwargs):
    Effect.objects.create(event=instance.altoviz_id, receiver=signal.name)


def change(altoviz):
    """Change invoices and quotes that the mirror knows, and create others. Return their ids."""
    paid, cancelled = (open_invoice(altoviz) for _ in range(2))
    quote = altoviz.quotes.create()["id"]
    watch_round()
    Effect.objects.all().delete()
    altoviz.invoices.pay(paid)
    altoviz.invoices.cancel(cancelled)
    altoviz.quotes.accept(quote)
    overdue = open_invoice(altoviz, date="2020-01-01")
    return {
        f"invoice_paid {paid}",
        f"invoice_cancelled {cancelled}",
        f"quote_accepted {quote}",
        f"invoice_finalized {overdue}",
        f"invoice_overdue {overdue}",
    }


def open_invoice(altoviz, **fields):
    id = altoviz.invoices.create(**fields)["id"]
    altoviz.invoices.finalize(id)
    return id


def crashes(crash_at):
    """Make a round in a process that crashes at that statement. Return False if it has fewer."""
    connection.close()
    pid = os.fork()
    if pid == 0:
        try:
            with connection.execute_wrapper(Crash(crash_at)):
                watch_round()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _pid, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, CRASHED), code
    return code == CRASHED


def recover():
    """Process what is left, as the worker does, and make the next round."""
    while (events := WebhookEvent.objects.unsettled()).exists():
        # Make all leases expire and all retries due.
        events.filter(lease_expires_at__isnull=False).update(lease_expires_at=timezone.now())
        events.filter(next_attempt_at__isnull=False).update(next_attempt_at=timezone.now())
        list(backlog.drain())
    watch_round()
    assert not Invoice.objects.filter(awaited_due_date__lt="2021-01-01").exists()


def heard(expected):
    """Return how often each signal was heard, with those that were expected but not heard."""
    effects = Counter(
        f"{name} {id}" for name, id in Effect.objects.values_list("receiver", "event")
    )
    return dict.fromkeys(expected, 0) | effects
