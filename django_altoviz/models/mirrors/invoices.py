"""Invoices."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_altoviz.exceptions import InvalidPayload
from django_altoviz.models.mirrors.base import short
from django_altoviz.models.mirrors.documents import BusinessSignal, Document
from django_altoviz.models.mirrors.fields import AmountField
from django_altoviz.models.mirrors.lines import Line
from django_altoviz.models.mirrors.payloads import (
    amount,
    day,
    flag,
    integer,
    objects,
    short_text,
)
from django_altoviz.models.mirrors.relations import MirrorKey

#: The columns that say how much was invoiced in a month, and how much of it is paid.
SUMMED = (
    *("date", "account", "deleted_at", "is_draft", "is_proforma", "is_cancelled", "is_paid"),
    *("tax_included_amount", "balance"),
)


class Invoice(Document):
    number = short(_("number"), help_text=_("It changes when the invoice is finalised."))
    is_draft = models.BooleanField(_("draft"), null=True)
    is_paid = models.BooleanField(
        _("paid"), null=True, help_text=_("A draft of amount 0 may count as paid.")
    )
    is_cancelled = models.BooleanField(_("cancelled"), null=True)
    is_proforma = models.BooleanField(_("pro forma"), null=True)
    overdue = AmountField(_("overdue"), null=True)
    next_due_date = models.DateField(
        _("next due date"),
        null=True,
        help_text=_(
            "The first day on which a part of the balance is due; empty if nothing is due."
        ),
    )
    vat_mode = short(_("VAT mode"))
    replaced_by = models.BigIntegerField(
        _("replaced by"),
        null=True,
        help_text=_("The Altoviz id of the invoice that replaces this one."),
    )
    cancellation_credit_id = models.BigIntegerField(_("cancellation credit id"), null=True)
    cancellation_credit_number = short(_("cancellation credit number"))

    BUSINESS_SIGNALS = {
        "invoice_finalized": BusinessSignal(
            lambda invoice: invoice.is_draft is False,
            lambda invoice: invoice.is_draft is True,
        ),
        "invoice_sent": BusinessSignal(
            lambda invoice: invoice.sent_at is not None,
            lambda invoice: invoice.sent_at is None,
        ),
        "invoice_paid": BusinessSignal(
            lambda invoice: invoice.is_paid and not (invoice.is_draft or invoice.is_cancelled),
            lambda invoice: (
                invoice.is_draft or (invoice.is_paid is False and not invoice.is_cancelled)
            ),
        ),
        "invoice_cancelled": BusinessSignal(
            lambda invoice: bool(invoice.is_cancelled or invoice.cancellation_credit_id),
            lambda invoice: invoice.is_cancelled is False and not invoice.cancellation_credit_id,
        ),
    }

    class Meta(Document.Meta):
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        indexes = [
            *Document.Meta.indexes,
            # What the overview adds up. Otherwise the rows of a year are read, with the whole objects.
            models.Index(fields=SUMMED, name="altoviz_invoice_amounts"),
            models.Index(fields=["next_due_date"], name="altoviz_invoice_due"),
        ]

    @classmethod
    def columns_from(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        return super().columns_from(data) | {
            "is_draft": flag(data, "isDraft"),
            "is_paid": flag(data, "isPaid"),
            "is_cancelled": flag(data, "isCancelled"),
            "is_proforma": flag(data, "isProforma"),
            "overdue": amount(data, "overdue"),
            "next_due_date": _next_due_date(data),
            "vat_mode": short_text(data, "vatMode"),
            "replaced_by": integer(data, "replacedBy"),
            "cancellation_credit_id": integer(data, "cancellationCreditId"),
            "cancellation_credit_number": short_text(data, "cancellationCreditNumber"),
        }


def _next_due_date(data: Mapping[str, Any]) -> datetime.date | None:
    """Return the first day on which a part of the balance is due, or ``None`` if nothing is due.

    It decides nothing but what a list shows, so an event does not fail because of it.
    """
    if any(flag(data, name) for name in ("isDraft", "isProforma", "isPaid", "isCancelled")):
        return None
    if (amount(data, "balance") or 0) <= 0:
        return None
    days = []
    try:
        for commitment in objects(data, "commitments"):
            due = amount(commitment, "dueAmount")
            if due is None or due > 0:  # without an amount, only the balance says that it is due
                days.append(day(commitment, "date"))
    except InvalidPayload:
        return None
    return min((each for each in days if each is not None), default=None)


class InvoiceLine(Line):
    invoice = MirrorKey(
        Invoice, models.CASCADE, related_name="lines", verbose_name=_("invoice"), null=False
    )

    class Meta(Line.Meta):
        verbose_name = _("invoice line")
        verbose_name_plural = _("invoice lines")
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "position"], name="altoviz_invoiceline_position"
            )
        ]
