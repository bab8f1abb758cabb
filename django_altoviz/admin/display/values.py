"""Column values for people: the same on an object's page as among an event's changes.

Altoviz's enum values are translated; a value that isn't known here is shown unchanged.
"""

from __future__ import annotations

import datetime
import functools
import html
import re
from collections.abc import Iterable, Mapping
from decimal import Context, Decimal, localcontext
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.formats import date_format, number_format
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.display.rendering import EMPTY
from django_altoviz.models import Source, WebhookEvent
from django_altoviz.models.mirrors.payloads import plain

Labels = dict[str, Any]

CUSTOMER_TYPES: Labels = {
    "Business": _("business"),
    "Consumer": _("consumer"),
    "Government": _("government"),
}
PRODUCT_TYPES: Labels = {"Product": _("product"), "Service": _("service"), "Text": _("text")}
QUOTE_STATUSES: Labels = {
    "Pending": _("pending"),
    "Sent": _("sent"),
    "Accepted": _("accepted"),
    "Refused": _("refused"),
    "Invoiced": _("invoiced"),
    "Closed": _("closed"),
}
_LINE_TYPES: Labels = {
    "Empty": _("empty line"),
    "Subtotal": _("subtotal"),
    "NewPage": _("new page"),
}
_DISCOUNT_TYPES: Labels = {"Percent": _("per cent"), "Fixed": _("fixed amount")}
# Altoviz also has "Order", "Bill" and "Usec", and documents none of them.
_PAYMENT_METHODS: Labels = {
    "Transfer": _("bank transfer"),
    "Check": _("cheque"),
    "Cash": _("cash"),
    "Card": _("card"),
    "Other": _("other means"),
}
_VAT_MODES: Labels = {
    "Auto": _("automatic"),
    "Debit": _("on debits"),
    "Collection": _("on collections"),
}
_LABELS_BY_COLUMN: dict[str, Labels] = {
    "type": {**CUSTOMER_TYPES, **PRODUCT_TYPES, **_LINE_TYPES},
    "customer_type": CUSTOMER_TYPES,
    "status": QUOTE_STATUSES,
    "global_discount_type": _DISCOUNT_TYPES,
    "deposit_type": _DISCOUNT_TYPES,
    "payment_method": _PAYMENT_METHODS,
    "vat_mode": _VAT_MODES,
}
#: The business signals, each as what has happened to the document.
BUSINESS_SIGNALS: Labels = {
    "invoice_finalized": _("invoice finalised"),
    "invoice_sent": _("invoice sent"),
    "invoice_paid": _("invoice paid"),
    "invoice_cancelled": _("invoice cancelled"),
    "invoice_overdue": _("invoice overdue"),
    "quote_sent": _("quote sent"),
    "quote_accepted": _("quote accepted"),
    "quote_refused": _("quote refused"),
    "quote_invoiced": _("quote invoiced"),
    "credit_finalized": _("credit finalised"),
    "credit_sent": _("credit sent"),
    "credit_settled": _("credit settled"),
}

# More digits than any sum of columns has.
_EXACT = Context(prec=200)
#: The facts about the arrival of an event.
ARRIVAL = {
    "address": _("sender’s address"),
    "content_type": _("content type"),
    "user_agent": _("user agent"),
    "signature": _("encoding of the signature"),
    "read_again": _("when it was read again"),
    "reason": _("reason"),
    "due_date": _("due date"),
}
_ARRIVAL_VALUES: dict[str, Labels] = {
    "read_again": {"alive": _("it was there"), "gone": _("it was gone")},
    "reason": {"read again": _("read again from Altoviz")},
}
#: What the app notes of an event, in English. It is translated where it is shown.
APP_NOTES = (
    _("Another body under the same id"),
    _("Another event came in after the object had been read."),
    _("The due date is paid, postponed or signalled already."),
    _("Each worker that took it up died, or was silent too long."),
    _("The body is not JSON in UTF-8"),
    _("The body is not a JSON object."),
    _("The object was deleted before this event arrived."),
    _("The object was seen alive after this event."),
    _("The worker died, or was silent for longer than its lease."),
    _("This version knows no such event type."),
)

_AMOUNT_COLUMNS = ("amount", "price", "balance", "overdue")
_TAG = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
_TAG_OR_ENTITY = re.compile(rf"{_TAG.pattern}|&#?\w+;", re.IGNORECASE)
_END_OF_LINE = re.compile(r"<br\s*/?>|</(?:p|div|li|tr|h\d)>", re.IGNORECASE)


def column(model: type[models.Model], name: str) -> Any:
    """Return an admin column that shows a model field with ``format_value``."""
    field: Any = model._meta.get_field(name)

    @admin.display(description=field.verbose_name, ordering=name)
    def show(row: models.Model) -> str:
        return format_value(field, getattr(row, name))

    show.__name__ = name
    return show


def format_value(field: models.Field[Any, Any], value: Any) -> str:
    """Format a value of a model field, as it is in the mirror or as JSON in an event's changes."""
    try:
        value = field.to_python(value)
    except ValidationError:
        return str(value)  # the column had another type when the change was recorded
    if value is None or value == "":
        return EMPTY
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, datetime.datetime):
        return format_time(value)
    if isinstance(value, datetime.date):
        return date_format(value)
    if isinstance(value, Decimal):
        return _format_decimal(field.name, value)
    return _translate(field.name, value) if isinstance(value, str) else str(value)


def _format_decimal(column: str, value: Decimal) -> str:
    if column.endswith(_AMOUNT_COLUMNS):
        return format_amount(value)
    return format_percent(value) if column.endswith("_rate") else number_format(value)


def _translate(column: str, value: str) -> str:
    """Translate a value of the column, if it is one of Altoviz's known enum values."""
    return str(_LABELS_BY_COLUMN.get(column, {}).get(value, value))


def business_signal_labels(names: list[str]) -> list[str]:
    return [str(BUSINESS_SIGNALS.get(name, name)) for name in names]


def translate_note(note: str) -> str:
    """Translate what the app has noted of an event. Return what others have said unchanged."""
    text, colon, rest = note.partition(": ")
    return f"{_notes_by_text().get(text, text)}{colon}{rest}"


@functools.cache
def _notes_by_text() -> dict[str, Any]:
    with override(None):  # in no language, a text is as it was written
        return {str(note): note for note in APP_NOTES}


def arrival_facts(arrival: Mapping[str, str]) -> list[tuple[Any, Any]]:
    """Return the labels and the values of the facts about an event's arrival."""
    return [
        (ARRIVAL.get(name, name), _ARRIVAL_VALUES.get(name, {}).get(value, value))
        for name, value in arrival.items()
    ]


def source_label(event: WebhookEvent) -> str:
    """Return where the event comes from: the webhook, a sync, or somebody who had the object read."""
    if event.source == Source.SYNC and event.arrival.get("reason"):
        return gettext("read again from Altoviz")
    return str(event.get_source_display())


def labelled(label: Any, value: Any) -> str:
    """Return a value behind its label, with the colon that the language has."""
    return gettext("%(label)s: %(value)s") % {"label": label, "value": value}


def format_amount(value: Decimal) -> str:
    """Format an amount in euros with all its decimals, and at least two.

    Altoviz has no other currency [inferred].
    """
    decimals = max(2, -int(value.as_tuple().exponent))
    text = gettext("€%(amount)s") % {
        "amount": number_format(value.copy_abs(), decimals, force_grouping=True)
    }
    return f"-{text}" if value < 0 else text


def add_up(amounts: Iterable[Decimal | None]) -> Decimal:
    """Return the exact sum of amounts, however long they are."""
    with localcontext(_EXACT):
        return sum((amount for amount in amounts if amount is not None), Decimal(0))


def to_cents(amount: Decimal) -> Decimal:
    """Round to cents what a database has added up: SQLite computes with binary fractions."""
    return amount.quantize(Decimal("0.01"), context=_EXACT)


def format_percent(value: Decimal) -> str:
    return f"{number_format(plain(value))}\N{NO-BREAK SPACE}%"


def format_discount(value: Decimal | None, kind: str | None) -> str:
    """Format a discount or a deposit, which is a percentage or a fixed amount."""
    if value is None:
        return EMPTY
    if kind == "Percent":
        return format_percent(value)
    if kind == "Fixed":
        return gettext("%(amount)s (fixed amount)") % {"amount": format_amount(value)}
    return f"{number_format(value)} {kind or ''}".strip()


def format_time(value: datetime.datetime) -> str:
    """Format a time with its seconds, because events of one object may be seconds apart."""
    local = localtime(value) if is_aware(value) else value
    parts = {"day": date_format(local), "time": date_format(local, "H:i:s")}
    return gettext("%(day)s %(time)s") % parts


def html_to_text(text: str) -> str:
    """Return the plain text of a text that may be HTML."""
    if not _TAG_OR_ENTITY.search(text):
        return text
    return html.unescape(_TAG.sub("", _END_OF_LINE.sub("\n", text))).strip()
