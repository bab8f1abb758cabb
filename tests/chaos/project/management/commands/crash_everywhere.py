from __future__ import annotations

import json
import os

from django.core.management.base import BaseCommand
from django.db import connection
from django.test import Client
from django.utils import timezone

from django_altoviz.event_types import EventType
from django_altoviz.intake.signing import SIGNATURE_HEADER, sign
from django_altoviz.models import Invoice, ReceiverRun, WebhookEvent
from django_altoviz.processing import backlog
from django_altoviz.samples import sample, to_body
from tests.chaos.deliveries import SECRETS
from tests.chaos.project.models import Effect

CRASHED = 77


class Command(BaseCommand):
    help = (
        "Deliver two events of one object and crash before the first SQL statement; deliver two more "
        "and crash before the second; and so on. Stop when nothing crashes. Print the state after "
        "each recovery."
    )

    def handle(self, **options):
        reports, has_crashed = [], True
        while has_crashed:
            crash_at = len(reports) + 1
            bodies = [
                body_of(EventType.INVOICE_CREATED, crash_at, "1"),
                body_of(EventType.INVOICE_UPDATED, crash_at, "2"),
            ]
            has_crashed = crashes(bodies, crash_at)
            recover(bodies)
            reports.append(report(crash_at, has_crashed))
        self.stdout.write(json.dumps(reports))


def body_of(event_type, object_id, number):
    envelope = sample(event_type)
    data = envelope.data | {"id": object_id, "number": number}
    for position, line in enumerate(data["lines"]):
        line["id"] = object_id * 100 + position
    return to_body(type(envelope)(f"evt_{object_id:024d}{number}", envelope.type, data))


def deliver(bodies):
    for body in bodies:
        headers = {SIGNATURE_HEADER: sign(body, SECRETS["default"])}
        answer = Client().post("/altoviz/webhook/", body, "text/plain", headers=headers)
        assert answer.status_code == 200, answer.content


def crashes(bodies, crash_at):
    """Deliver to a process that crashes at that statement. Return False if it has fewer."""
    connection.close()
    pid = os.fork()
    if pid == 0:
        try:
            with connection.execute_wrapper(Crash(crash_at)):
                deliver(bodies)
        except BaseException:
            os._exit(1)
        os._exit(0)
    _pid, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, CRASHED), code
    return code == CRASHED


class Crash:
    """Exit the process before the statement with that number. A commit counts as a statement."""

    def __init__(self, at):
        self.left = at
        commit = connection._commit
        connection._commit = lambda: (self.count(), commit())

    def __call__(self, execute, *statement):
        self.count()
        return execute(*statement)

    def count(self):
        self.left -= 1
        if self.left == 0:
            os._exit(CRASHED)


def recover(bodies):
    """Deliver again, as a sender without an answer does, and process all that is left."""
    deliver(bodies)
    while WebhookEvent.objects.unsettled().exists():
        # Make all leases expire and all retries due.
        events = WebhookEvent.objects.unsettled()
        events.filter(lease_expires_at__isnull=False).update(lease_expires_at=timezone.now())
        events.filter(next_attempt_at__isnull=False).update(next_attempt_at=timezone.now())
        list(backlog.drain())


def report(object_id, has_crashed):
    events = list(WebhookEvent.objects.filter(object_id=object_id).order_by("pk"))
    numbers = {event.pk: event.event_id[-1] for event in events}
    effects = Effect.objects.filter(event__in=numbers).order_by("pk")
    invoice = Invoice.objects.get(altoviz_id=object_id)
    return {
        "has_crashed": has_crashed,
        "statuses": [event.status for event in events],
        "attempts": [event.attempts for event in events],
        "effects": [f"{effect.receiver} of {numbers[effect.event]}" for effect in effects],
        "runs": ReceiverRun.objects.filter(event__in=numbers).count(),
        "mirror": [invoice.number, invoice.lines.count()],
    }
