"""Invoices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_altoviz.models.mirrors.accounting import (
    FINALIZED,
    PAID,
    SENT,
    STATE,
    AccountingDocument,
)
from django_altoviz.models.mirrors.base import short
from django_altoviz.models.mirrors.documents import TOTALLED, BusinessSignal
from django_altoviz.models.mirrors.due_dates import WithDueDates
from django_altoviz.models.mirrors.lines import Line
from django_altoviz.models.mirrors.payloads import flag, integer, short_text
from django_altoviz.models.mirrors.relations import MirrorKey


class Invoice(WithDueDates, AccountingDocument):
    number = short(_("number"), help_text=_("It changes when the invoice is finalised."))
    is_proforma = models.BooleanField(_("pro forma"), null=True)
    replaced_by = models.BigIntegerField(
        _("replaced by"),
        null=True,
        help_text=_("The Altoviz id of the invoice that replaces this one."),
    )
    cancellation_credit_altoviz_id = models.BigIntegerField(_("cancellation credit id"), null=True)
    cancellation_credit = MirrorKey(
        "Credit", null=True, related_name="+", verbose_name=_("cancellation credit")
    )
    cancellation_credit_number = short(_("cancellation credit number"))

    BUSINESS_SIGNALS = {
        "invoice_finalized": FINALIZED,
        "invoice_sent": SENT,
        # A credit that settles an invoice is not a payment.
        "invoice_paid": PAID,
        "invoice_cancelled": BusinessSignal(
            lambda invoice: bool(invoice.is_cancelled or invoice.cancellation_credit_altoviz_id),
            lambda invoice: (
                invoice.is_cancelled is False and not invoice.cancellation_credit_altoviz_id
            ),
        ),
    }
    _RELATIONS = (*AccountingDocument._RELATIONS, "cancellation_credit")

    HIDDEN = models.Q(is_cancelled=True)
    _ALWAYS_WRITTEN = (*AccountingDocument._ALWAYS_WRITTEN, "awaited_due_date", "overdue_dates")

    class Meta(AccountingDocument.Meta):
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        indexes = [
            *AccountingDocument.Meta.indexes,
            models.Index(fields=["cancellation_credit"], name="altoviz_invoice_credit"),
            models.Index(fields=["awaited_due_date"], name="altoviz_invoice_awaited"),
            # What the list and the overview add up. Otherwise each row is read, with its whole object.
            models.Index(
                fields=["deleted_at", "date", "account", *STATE, "is_proforma", *TOTALLED],
                name="altoviz_invoice_totals",
            ),
        ]

    @classmethod
    def columns_from(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        return super().columns_from(data) | {
            "is_proforma": flag(data, "isProforma"),
            "replaced_by": integer(data, "replacedBy"),
            "cancellation_credit_altoviz_id": integer(data, "cancellationCreditId"),
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
