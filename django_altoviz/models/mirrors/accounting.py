"""The base of invoices and credits, which begin as drafts, become final, and are then settled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_altoviz.models.mirrors.base import short
from django_altoviz.models.mirrors.documents import BusinessSignal, Document
from django_altoviz.models.mirrors.due_dates import unpaid_due_dates
from django_altoviz.models.mirrors.fields import AmountField
from django_altoviz.models.mirrors.payloads import amount, flag, short_text

#: The columns that an accounting document's state is made of.
STATE = ("is_draft", "is_paid", "is_cancelled", "next_due_date")
FINALIZED = BusinessSignal(
    lambda document: document.is_draft is False,
    lambda document: document.is_draft is True,
)
SENT = BusinessSignal(
    lambda document: document.sent_at is not None,
    lambda document: document.sent_at is None,
)
PAID = BusinessSignal(
    lambda document: document.is_paid and not (document.is_draft or document.is_cancelled),
    lambda document: document.is_draft or (document.is_paid is False and not document.is_cancelled),
)


class AccountingDocument(Document):
    """The base of invoices and credits."""

    is_draft = models.BooleanField(_("draft"), null=True)
    is_paid = models.BooleanField(
        _("paid"), null=True, help_text=_("A draft of amount 0 may count as paid.")
    )
    is_cancelled = models.BooleanField(_("cancelled"), null=True)
    overdue = AmountField(_("overdue"), null=True)
    next_due_date = models.DateField(
        _("next due date"),
        null=True,
        help_text=_(
            "The first day on which a part of the balance is due; empty if nothing is due."
        ),
    )
    vat_mode = short(_("VAT mode"))

    class Meta(Document.Meta):
        abstract = True
        indexes = [
            *Document.Meta.indexes,
            models.Index(fields=["next_due_date"], name="altoviz_%(class)s_due"),
        ]

    @classmethod
    def columns_from(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        return super().columns_from(data) | {
            "is_draft": flag(data, "isDraft"),
            "is_paid": flag(data, "isPaid"),
            "is_cancelled": flag(data, "isCancelled"),
            "overdue": amount(data, "overdue"),
            "next_due_date": next(iter(unpaid_due_dates(data)), None),
            "vat_mode": short_text(data, "vatMode"),
        }
