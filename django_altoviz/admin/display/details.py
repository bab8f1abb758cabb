"""Details: parts of an object's ``data`` that have no database column, and may have any shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.display.rendering import EMPTY, Renderer
from django_altoviz.admin.display.states import days_overdue, overdue_for
from django_altoviz.admin.display.values import format_amount, format_percent, html_to_text
from django_altoviz.days import local_today
from django_altoviz.exact_json import digits_of
from django_altoviz.models import Mirror
from django_altoviz.models.mirrors.accounting import AccountingDocument
from django_altoviz.models.mirrors.payloads import DECIMAL_DIGITS, INTEGER_DIGITS

# The most characters of a number that no column could hold.
_MOST_DIGITS = 80
_ADDRESS_KEYS = ("street", "zipcode", "city", "countryName")
_CONTACT_KEYS = ("displayName", "companyName", "function", "email", "phone", "cellPhone")


class Detail:
    """A part of an object's ``data``, found by its path, and the function that renders that part."""

    def __init__(
        self, name: str, label: Any, render: Callable[[Any, Renderer], str], *path: str
    ) -> None:
        self.name, self.label = name, label
        self._render, self._path = render, path

    def render(self, row: Mirror, renderer: Renderer) -> str:
        """Return the part as HTML, or ``EMPTY`` if the object has nothing there."""
        return self._render(_get(row.data, *self._path), renderer)

    def column_for(self, row: Mirror, renderer: Renderer) -> Any:
        """Return an admin column with this detail of the row, or None if it is empty.

        The detail is rendered once, here; Django may then ask for the column any number of times.
        """
        html = self.render(row, renderer)
        if html == EMPTY:
            return None

        @admin.display(description=self.label)
        def show(row: Mirror) -> str:
            return html

        show.__name__ = self.name
        return show


class TextDetail(Detail):
    """A detail that is a text. ``read`` returns it, or "" if there is none."""

    def __init__(self, name: str, label: Any, read: Callable[[Any], str], *path: str) -> None:
        super().__init__(name, label, self._paragraphs, *path)
        self._read = read

    def text(self, data: Any) -> str:
        """Return the text in an object as Altoviz sent it, or ``EMPTY``."""
        return self._read(_get(data, *self._path)) or EMPTY

    def _paragraphs(self, value: Any, renderer: Renderer) -> str:
        text = self._read(value)
        return renderer.paragraphs(text) if text else EMPTY


def _get(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    return (
        (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
    )


def _number(value: Any, formatted: Callable[[Decimal], str]) -> Any:
    """Format a number. One that no column could hold is shown as it was written."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    number = Decimal(value)
    is_ordinary = digits_of(number) <= INTEGER_DIGITS + DECIMAL_DIGITS
    return formatted(number) if is_ordinary else str(number)[:_MOST_DIGITS]


def _day(value: Any) -> Any:
    try:
        day = parse_date(value)
    except (TypeError, ValueError):
        return value
    return value if day is None else date_format(day)


def due_dates(document: AccountingDocument, renderer: Renderer) -> str:
    """Return a table of what is due when."""
    rows = [
        (
            _day(due.get("date")),
            _number(due.get("amount"), format_amount),
            _number(due.get("dueAmount"), format_amount),
            _overdue(document, due),
        )
        for due in _objects(_get(document.data, "commitments"))
    ]
    headers = [_("date"), _("amount"), _("still due"), _("overdue for")]
    return renderer.table(headers, rows)


def _overdue(document: AccountingDocument, commitment: dict[str, Any]) -> str:
    """Say for how long a part of the document has been overdue, if it is."""
    due = commitment.get("dueAmount")
    # Only if something of the document is due, because a draft has commitments, too.
    if not days_overdue(document) or due == 0:
        return EMPTY
    try:
        day = parse_date(commitment.get("date"))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return EMPTY
    late = 0 if day is None else (local_today() - day).days
    return overdue_for(late) if late > 0 else EMPTY


def _vat_amounts(value: Any, renderer: Renderer) -> str:
    headers = [_("VAT rate"), _("region"), _("amount without tax"), _("tax amount")]
    rows = [
        (
            _number(_get(tax, "vat", "rate"), format_percent),
            _get(tax, "vat", "region"),
            _number(tax.get("taxExcludedAmount"), format_amount),
            _number(tax.get("vatAmount"), format_amount),
        )
        for tax in _objects(value)
    ]
    return renderer.table(headers, rows)


def _lines(texts: Iterable[Any]) -> str:
    """Return the texts, a line each, without empty and repeated ones."""
    return "\n".join(
        dict.fromkeys(text for text in texts if isinstance(text, str) and text.strip())
    )


def _address(value: Any) -> str:
    formatted = _get(value, "formattedAddress")
    return _lines([formatted] if formatted else [_get(value, key) for key in _ADDRESS_KEYS])


def _contact(value: Any) -> str:
    return _lines(_get(value, key) for key in _CONTACT_KEYS)


def _note(value: Any) -> str:
    return html_to_text(value) if isinstance(value, str) and value.strip() else ""


VAT_AMOUNTS: Any = Detail("vat_amounts", _("by VAT rate"), _vat_amounts, "vats")
VAT_NOTE: Any = TextDetail("vat_note", _("VAT note"), _note, "vatNote")
INTERNAL_NOTES: Any = TextDetail("internal_notes", _("internal notes"), _note, "internalNotes")
BILLING_ADDRESS: Any = TextDetail(
    "billing_address", _("billing address"), _address, "billingAddress"
)
SHIPPING_ADDRESS: Any = TextDetail(
    "shipping_address", _("shipping address"), _address, "shippingAddress"
)
ADDRESSES: Any = [
    TextDetail("billing_contact", _("billing contact"), _contact, "billingContact"),
    BILLING_ADDRESS,
    TextDetail("shipping_contact", _("shipping contact"), _contact, "shippingContact"),
    SHIPPING_ADDRESS,
]
NOTES: Any = [
    TextDetail("header_notes", _("header notes"), _note, "headerNotes"),
    TextDetail("footer_notes", _("footer notes"), _note, "footerNotes"),
    INTERNAL_NOTES,
]
