"""What Altoviz's own words mean to those who read the pages. A word that is unknown stays as it is."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

Words = dict[str, Any]

CUSTOMER_TYPES: Words = {
    "Business": _("business"),
    "Consumer": _("consumer"),
    "Government": _("government"),
}
PRODUCT_TYPES: Words = {"Product": _("product"), "Service": _("service"), "Text": _("text")}
QUOTE_STATUSES: Words = {
    "Pending": _("pending"),
    "Sent": _("sent"),
    "Accepted": _("accepted"),
    "Refused": _("refused"),
    "Invoiced": _("invoiced"),
    "Closed": _("closed"),
}
_LINE_TYPES: Words = {
    "Empty": _("empty line"),
    "Subtotal": _("subtotal"),
    "NewPage": _("new page"),
}
_DISCOUNT_TYPES: Words = {"Percent": _("per cent"), "Fixed": _("fixed amount")}
# "Order", "Bill" and "Usec" exist, too, and nobody documents what they are.
_PAYMENT_METHODS: Words = {
    "Transfer": _("bank transfer"),
    "Check": _("cheque"),
    "Cash": _("cash"),
    "Card": _("card"),
    "Other": _("other means"),
}
_VAT_MODES: Words = {
    "Auto": _("automatic"),
    "Debit": _("on debits"),
    "Collection": _("on collections"),
}
_BY_COLUMN: dict[str, Words] = {
    "type": {**CUSTOMER_TYPES, **PRODUCT_TYPES, **_LINE_TYPES},
    "customer_type": CUSTOMER_TYPES,
    "status": QUOTE_STATUSES,
    "global_discount_type": _DISCOUNT_TYPES,
    "deposit_type": _DISCOUNT_TYPES,
    "payment_method": _PAYMENT_METHODS,
    "vat_mode": _VAT_MODES,
}

#: The business signals, as what has happened to the document.
BUSINESS_SIGNALS: Words = {
    "invoice_finalized": _("invoice finalised"),
    "invoice_sent": _("invoice sent"),
    "invoice_paid": _("invoice paid"),
    "invoice_cancelled": _("invoice cancelled"),
    "quote_sent": _("quote sent"),
    "quote_accepted": _("quote accepted"),
    "quote_refused": _("quote refused"),
    "quote_invoiced": _("quote invoiced"),
}


def in_words(column: str, value: str) -> str:
    """The value of a column of that name in the reader's language, if it is one of Altoviz's words."""
    return str(_BY_COLUMN.get(column, {}).get(value, value))


def business_signals_in_words(names: list[str]) -> list[str]:
    return [str(BUSINESS_SIGNALS.get(name, name)) for name in names]
