"""What no column has, and only the whole object tells. It may be of any shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.display.rendering import EMPTY, paragraphs, table
from django_altoviz.admin.display.values import money, percent, readable
from django_altoviz.models import Mirror

_ADDRESS = ("street", "zipcode", "city", "countryName")
_CONTACT = ("displayName", "companyName", "function", "email", "phone", "cellPhone")


class Detail:
    """An admin column for a part of the object, which is to be left out where nothing is told."""

    def __init__(self, name: str, label: Any, show: Callable[[Any], str], *path: str) -> None:
        self.__name__, self.short_description = name, label
        self._show, self._path = show, path

    def __call__(self, row: Mirror) -> str:
        return self._show(_within(row.data, *self._path))


def _within(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    return (
        (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
    )


def _number(value: Any, show: Callable[[Decimal], str]) -> Any:
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return show(Decimal(value)) if is_number else value


def _day(value: Any) -> Any:
    try:
        day = parse_date(value)
    except (TypeError, ValueError):
        return value
    return value if day is None else date_format(day)


def _due_dates(value: Any) -> str:
    rows = [
        (
            _day(due.get("date")),
            _number(due.get("amount"), money),
            _number(due.get("dueAmount"), money),
        )
        for due in _objects(value)
    ]
    return table([_("date"), _("amount"), _("still due")], rows)


def _vat_sums(value: Any) -> str:
    rows = [
        (
            _number(_within(tax, "vat", "rate"), percent),
            _within(tax, "vat", "region"),
            _number(tax.get("taxExcludedAmount"), money),
            _number(tax.get("vatAmount"), money),
        )
        for tax in _objects(value)
    ]
    return table([_("VAT rate"), _("region"), _("amount without tax"), _("tax amount")], rows)


def _lines(texts: Iterator[Any]) -> str:
    told = dict.fromkeys(text for text in texts if isinstance(text, str) and text.strip())
    return paragraphs("\n".join(told)) if told else EMPTY


def _address(value: Any) -> str:
    formatted = _within(value, "formattedAddress")
    return _lines(iter([formatted] if formatted else [_within(value, key) for key in _ADDRESS]))


def _contact(value: Any) -> str:
    return _lines(_within(value, key) for key in _CONTACT)


def _note(value: Any) -> str:
    return paragraphs(readable(value)) if isinstance(value, str) and value.strip() else EMPTY


DUE_DATES: Any = Detail("due_dates", _("due dates"), _due_dates, "commitments")
VAT_SUMS: Any = Detail("vat_sums", _("by VAT rate"), _vat_sums, "vats")
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
