"""The due dates of a document, and which of them have passed unpaid."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_altoviz.exceptions import InvalidPayload
from django_altoviz.models.mirrors.payloads import amount, day, flag, objects

#: The business signal that a due date causes.
OVERDUE = "invoice_overdue"


def unpaid_due_dates(data: Mapping[str, Any]) -> list[datetime.date]:
    """Return the days on which a part of the balance is due, in order, or none if nothing is due.

    A payment in part reduces ``dueAmount`` of the commitments that it settles [inferred], so a day
    counts until its whole amount is paid. They decide nothing of what is mirrored, so an event does
    not fail because of them.
    """
    if any(flag(data, name) for name in ("isDraft", "isProforma", "isPaid", "isCancelled")):
        return []
    if (amount(data, "balance") or 0) <= 0:
        return []
    days = set()
    try:
        for commitment in objects(data, "commitments"):
            due = amount(commitment, "dueAmount")
            if due is None or due > 0:  # without an amount, only the balance says that it is due
                days.add(day(commitment, "date"))
    except InvalidPayload:
        return []
    return sorted(each for each in days if each is not None)


class WithDueDates(models.Model):
    """A document that becomes overdue when a due date passes, without any event of Altoviz.

    Each due date is signalled once. ``awaited_due_date`` is what is looked for every day, so it has an
    index.
    """

    awaited_due_date = models.DateField(
        _("awaited due date"),
        null=True,
        editable=False,
        help_text=_("The first unpaid due date that was not signalled as overdue yet."),
    )
    overdue_dates = models.JSONField(
        _("overdue dates"),
        default=list,
        editable=False,
        help_text=_("The due dates that were signalled as overdue, or would have been."),
    )

    class Meta:
        abstract = True

    def _await_due_date(self) -> None:
        """Set ``awaited_due_date`` from the document as it is now."""
        signalled = {*self.overdue_dates}
        document: Any = self
        dates = unpaid_due_dates(document.data)
        self.awaited_due_date = next((d for d in dates if d.isoformat() not in signalled), None)

    def _note_overdue(self, due_date: datetime.date) -> None:
        """Record that the due date was signalled, and wait for the next one."""
        self.overdue_dates = [*self.overdue_dates, due_date.isoformat()]
        row: Any = self  # the document, which has this column
        if OVERDUE not in row.business_signals:
            row.business_signals = [*row.business_signals, OVERDUE]
        self._await_due_date()
