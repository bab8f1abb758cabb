"""Details: parts of an object's ``data`` that have no database column, and may have any shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.display.rendering import EMPTY, Renderer
from django_altoviz.admin.display.values import format_amount, format_percent, html_to_text
from django_altoviz.exact_json import digits_of
from django_altoviz.models import Mirror
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


def _due_dates(value: Any, renderer: Renderer) -> str:
    rows = [
        (
            _day(due.get("date")),
            _number(due.get("amount"), format_amount),
            _number(due.get("dueAmount"), format_amount),
        )
        for due in _objects(value)
    ]
    return renderer.table([_("date"), _("amount"), _("still due")], rows)


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


def _lines(texts: Iterator[Any], renderer: Renderer) -> str:
    """Render the texts, a line each, without empty and repeated ones."""
    lines = dict.fromkeys(text for text in texts if isinstance(text, str) and text.strip())
    return renderer.paragraphs("\n".join(lines)) if lines else EMPTY


def _address(value: Any, renderer: Renderer) -> str:
    formatted = _get(value, "formattedAddress")
    texts = [formatted] if formatted else [_get(value, key) for key in _ADDRESS_KEYS]
    return _lines(iter(texts), renderer)


def _contact(value: Any, renderer: Renderer) -> str:
    return _lines((_get(value, key) for key in _CONTACT_KEYS), renderer)


def _note(value: Any, renderer: Renderer) -> str:
    if not isinstance(value, str) or not value.strip():
        return EMPTY
    return renderer.paragraphs(html_to_text(value))


DUE_DATES: Any = Detail("due_dates", _("due dates"), _due_dates, "commitments")
VAT_AMOUNTS: Any = Detail("vat_amounts", _("by VAT rate"), _vat_amounts, "vats")
VAT_NOTE: Any = Detail("vat_note", _("VAT note"), _note, "vatNote")
INTERNAL_NOTES: Any = Detail("internal_notes", _("internal notes"), _note, "internalNotes")
BILLING_ADDRESS: Any = Detail("billing_address", _("billing address"), _address, "billingAddress")
SHIPPING_ADDRESS: Any = Detail(
    "shipping_address", _("shipping address"), _address, "shippingAddress"
)
ADDRESSES: Any = [
    Detail("billing_contact", _("billing contact"), _contact, "billingContact"),
    BILLING_ADDRESS,
    Detail("shipping_contact", _("shipping contact"), _contact, "shippingContact"),
    SHIPPING_ADDRESS,
]
NOTES: Any = [
    Detail("header_notes", _("header notes"), _note, "headerNotes"),
    Detail("footer_notes", _("footer notes"), _note, "footerNotes"),
    INTERNAL_NOTES,
]
