"""Apply an event that the calendar has caused: a due date has passed unpaid."""

from __future__ import annotations

import datetime
from typing import Any

from django_altoviz.models import WebhookEvent
from django_altoviz.models.mirrors import Changes
from django_altoviz.models.mirrors.due_dates import OVERDUE
from django_altoviz.models.statements import save

#: The key in ``WebhookEvent.arrival`` of the due date that has passed.
DUE_DATE = "due_date"
_DUE_DATE_COLUMNS = ("awaited_due_date", "overdue_dates", "business_signals")


def pass_due_date(event: WebhookEvent, row: Any) -> tuple[Changes, list[str]] | None:
    """Note on the locked row that the due date was signalled.

    Return the changes and the business signals. Return ``None`` if the invoice is gone, is paid, has
    another due date now, or if another event has signalled the same due date.
    """
    due_date = datetime.date.fromisoformat(event.arrival[DUE_DATE])
    # A row of any mirror: of a kind without due dates, it has no such column.
    if getattr(row, "awaited_due_date", None) != due_date or row.deleted_at:
        return None
    row._note_overdue(due_date)
    save(row, _DUE_DATE_COLUMNS)
    return {"awaited_due_date": (due_date, row.awaited_due_date)}, [OVERDUE]
