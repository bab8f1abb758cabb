"""Quotes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_altoviz.models.mirrors.base import short
from django_altoviz.models.mirrors.documents import TOTALLED, BusinessSignal, Document
from django_altoviz.models.mirrors.fields import AmountField, ExactDateTimeField
from django_altoviz.models.mirrors.lines import Line
from django_altoviz.models.mirrors.payloads import amount, day, short_text, timestamp
from django_altoviz.models.mirrors.relations import MirrorKey

#: The customer has not decided yet.
OPEN_STATUSES = {"Pending", "Sent"}


class Quote(Document):
    status = short(_("status"))
    validity_date = models.DateField(_("valid until"), null=True)
    accepted_at = ExactDateTimeField(_("accepted at"), null=True)
    refused_at = ExactDateTimeField(_("refused at"), null=True)
    deposit_type = short(_("deposit type"))
    deposit_value = AmountField(_("deposit"), null=True)

    BUSINESS_SIGNALS = {
        "quote_sent": BusinessSignal(
            lambda quote: quote.status == "Sent" or quote.sent_at is not None,
            lambda quote: quote.status == "Pending" and quote.sent_at is None,
        ),
        "quote_accepted": BusinessSignal(
            lambda quote: quote.status == "Accepted" or quote.accepted_at is not None,
            lambda quote: quote.status in OPEN_STATUSES | {"Refused"} and quote.accepted_at is None,
        ),
        "quote_refused": BusinessSignal(
            lambda quote: quote.status == "Refused" or quote.refused_at is not None,
            lambda quote: (
                quote.status in OPEN_STATUSES | {"Accepted", "Invoiced"}
                and quote.refused_at is None
            ),
        ),
        "quote_invoiced": BusinessSignal(
            lambda quote: quote.status == "Invoiced",
            lambda quote: quote.status in OPEN_STATUSES | {"Accepted", "Refused"},
        ),
    }

    OPEN = ~models.Q(status__in=["Refused", "Invoiced", "Closed"])

    class Meta(Document.Meta):
        verbose_name = _("quote")
        verbose_name_plural = _("quotes")
        indexes = [
            *Document.Meta.indexes,
            models.Index(
                fields=["deleted_at", "date", "status", *TOTALLED], name="altoviz_quote_totals"
            ),
        ]

    @classmethod
    def columns_from(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        return super().columns_from(data) | {
            "status": short_text(data, "status"),
            "validity_date": day(data, "validityDate"),
            "accepted_at": timestamp(data, "acceptedAt"),
            "refused_at": timestamp(data, "refusedAt"),
            "deposit_type": short_text(data, "deposit", "type"),
            "deposit_value": amount(data, "deposit", "value"),
        }


class QuoteLine(Line):
    quote = MirrorKey(
        Quote, models.CASCADE, related_name="lines", verbose_name=_("quote"), null=False
    )

    class Meta(Line.Meta):
        verbose_name = _("quote line")
        verbose_name_plural = _("quote lines")
        constraints = [
            models.UniqueConstraint(fields=["quote", "position"], name="altoviz_quoteline_position")
        ]
