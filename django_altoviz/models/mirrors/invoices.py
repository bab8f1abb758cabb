"""Invoices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_altoviz.models.mirrors.base import short
from django_altoviz.models.mirrors.documents import TOTALLED, BusinessSignal, Document
from django_altoviz.models.mirrors.due_dates import WithDueDates, unpaid_due_dates
from django_altoviz.models.mirrors.fields import AmountField
from django_altoviz.models.mirrors.lines import Line
from django_altoviz.models.mirrors.payloads import (
    amount,
    flag,
    integer,
    short_text,
)
from django_altoviz.models.mirrors.relations import MirrorKey

_STATE = ("is_draft", "is_paid", "is_cancelled", "is_proforma", "next_due_date")


class Invoice(WithDueDates, Document):
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

    HIDDEN = models.Q(is_cancelled=True)
    _ALWAYS_WRITTEN = (*Document._ALWAYS_WRITTEN, "awaited_due_date", "overdue_dates")

    class Meta(Document.Meta):
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        indexes = [
            *Document.Meta.indexes,
            models.Index(fields=["next_due_date"], name="altoviz_invoice_due"),
            models.Index(fields=["awaited_due_date"], name="altoviz_invoice_awaited"),
            # What the list and the overview add up. Otherwise each row is read, with its whole object.
            models.Index(
                fields=["deleted_at", "date", "account", *_STATE, *TOTALLED],
                name="altoviz_invoice_totals",
            ),
        ]

    @classmethod
    def columns_from(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        return super().columns_from(data) | {
            "is_draft": flag(data, "isDraft"),
            "is_paid": flag(data, "isPaid"),
            "is_cancelled": flag(data, "isCancelled"),
            "is_proforma": flag(data, "isProforma"),
            "overdue": amount(data, "overdue"),
            "next_due_date": next(iter(unpaid_due_dates(data)), None),
            "vat_mode": short_text(data, "vatMode"),
            "replaced_by": integer(data, "replacedBy"),
            "cancellation_credit_id": integer(data, "cancellationCreditId"),
            "cancellation_credit_number": short_text(data, "cancellationCreditNumber"),
        }

    def _update_business_signals(self, *, from_api: bool) -> list[str]:
        self._await_due_date()
        return super()._update_business_signals(from_api=from_api)


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
