"""Signal the invoices that a due date has made overdue. It needs no request to Altoviz.

Altoviz sends no event when a due date passes, so this app stores one, of source ``calendar``. It is
processed like any other event, which makes its signal as certain as the others.
"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from django_altoviz.days import project_date
from django_altoviz.event_types import EventType
from django_altoviz.models import Invoice, Source, WebhookEvent
from django_altoviz.models.mirrors.due_dates import WithDueDates
from django_altoviz.processing import process
from django_altoviz.processing.calendar import DUE_DATE
from django_altoviz.signals import event_received
from django_altoviz.sync.differences import body_of


def signal_overdue(account: str, using: str | None) -> int:
    """Signal each due date that has passed unpaid, and return how many were signalled."""
    overdue = _rows_overdue(account, using).order_by("awaited_due_date", "pk")
    return sum(_signal_all_of(pk, account, using) for pk in [*overdue.values_list("pk", flat=True)])


def overdue_since(event: int, account: str, using: str | None) -> int:
    """Return how many due dates were signalled after that event, also by a sync."""
    events = WebhookEvent.objects.using(using).filter(account=account, source=Source.CALENDAR)
    number: int = events.filter(pk__gt=event, mirrored_at__isnull=False).count()
    return number


def count_as_signalled(row: Any) -> None:
    """Let the past due dates of a new row count as signalled: an import signals nothing."""
    while isinstance(row, WithDueDates) and (due_date := row.awaited_due_date):
        if due_date >= project_date():
            break
        row._note_overdue(due_date)


def _rows_overdue(account: str, using: str | None) -> QuerySet[Any]:
    # A due date is the last day to pay.
    rows: QuerySet[Any] = Invoice.objects.using(using)
    return rows.filter(account=account, awaited_due_date__lt=project_date())


def _signal_all_of(pk: int, account: str, using: str | None) -> int:
    """Signal the due dates of one invoice, in order."""
    number = 0
    while (row := _rows_overdue(account, using).filter(pk=pk).first()) and _signal(row, using):
        number += 1
    return number


def _signal(row: Invoice, using: str | None) -> bool:
    """Signal the due date that is awaited. Return False if it could not be, or is not any more."""
    due_date = row.awaited_due_date
    event = _unsettled(row, using)
    if event is None:
        body = body_of(EventType.INVOICE_UPDATED, row.data)
        arrival = {DUE_DATE: str(due_date)}
        event = WebhookEvent.from_delivery(body, row.account, arrival, Source.CALENDAR)
        WebhookEvent.objects.using(using).store(event)
        event_received.notify(WebhookEvent, event=event)
    process(event)
    row.refresh_from_db(using=using, fields=["awaited_due_date"])
    return row.awaited_due_date != due_date


def _unsettled(row: Invoice, using: str | None) -> WebhookEvent | None:
    """Return the event of a process that died, or that was refused by the database."""
    events = WebhookEvent.objects.using(using).unsettled()
    events = events.filter(
        account=row.account, entity=row.entity(), object_id=row.altoviz_id, mirrored_at=None
    )
    found: WebhookEvent | None = events.filter(source=Source.CALENDAR).order_by("pk").first()
    return found
