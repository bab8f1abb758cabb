"""Credits, called avoirs in French. Altoviz sends no events of them, so only a sync knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from django_altoviz.models.mirrors.accounting import (
    FINALIZED,
    PAID,
    SENT,
    STATE,
    AccountingDocument,
)
from django_altoviz.models.mirrors.base import short
from django_altoviz.models.mirrors.documents import TOTALLED
from django_altoviz.models.mirrors.invoices import Invoice
from django_altoviz.models.mirrors.lines import Line
from django_altoviz.models.mirrors.payloads import integer, short_text
from django_altoviz.models.mirrors.relations import MirrorKey


class Credit(AccountingDocument):
    is_paid = models.BooleanField(
        pgettext_lazy("credit", "settled"),
        null=True,
        help_text=_("Refunded, or set off against an invoice: Altoviz does not say which."),
    )
    is_cancelled = models.BooleanField(pgettext_lazy("credit", "cancelled"), null=True)
    cancelled_invoice_altoviz_id = models.BigIntegerField(_("cancelled invoice id"), null=True)
    cancelled_invoice = MirrorKey(
        Invoice, null=True, related_name="+", verbose_name=_("cancelled invoice")
    )
    cancelled_invoice_number = short(_("cancelled invoice number"))

    BUSINESS_SIGNALS = {
        "credit_finalized": FINALIZED,
        "credit_sent": SENT,
        # The only field that "mark as refunded" can set is isPaid, which does not say how a credit was
        # settled [inferred].
        "credit_settled": PAID,
    }
    _RELATIONS = (*AccountingDocument._RELATIONS, "cancelled_invoice")

    class Meta(AccountingDocument.Meta):
        verbose_name = _("credit")
        verbose_name_plural = _("credits")
        indexes = [
            *AccountingDocument.Meta.indexes,
            models.Index(fields=["cancelled_invoice"], name="altoviz_credit_invoice"),
            models.Index(
                fields=["deleted_at", "date", "account", *STATE, *TOTALLED],
                name="altoviz_credit_totals",
            ),
        ]

    @classmethod
    def columns_from(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        return super().columns_from(data) | {
            # The spelling "Invoicet" is Altoviz's own [documented].
            "cancelled_invoice_altoviz_id": integer(data, "cancelledInvoicetId"),
            "cancelled_invoice_number": short_text(data, "cancelledInvoicetNumber"),
        }


class CreditLine(Line):
    credit = MirrorKey(
        Credit, models.CASCADE, related_name="lines", verbose_name=_("credit"), null=False
    )

    class Meta(Line.Meta):
        verbose_name = _("credit line")
        verbose_name_plural = _("credit lines")
        constraints = [
            models.UniqueConstraint(
                fields=["credit", "position"], name="altoviz_creditline_position"
            )
        ]
