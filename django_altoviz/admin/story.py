"""The top of the page of an object: its states, its amounts, and what is due when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from django_altoviz.admin.base import ReadOnly
from django_altoviz.admin.display.details import due_dates
from django_altoviz.admin.display.rendering import EMPTY
from django_altoviz.admin.display.states import badges, states_of, unpaid
from django_altoviz.admin.display.values import add_up, format_amount, format_value
from django_altoviz.admin.filters import DueFilter
from django_altoviz.models import Customer, Document, Invoice, Mirror
from django_altoviz.models.mirrors.accounting import AccountingDocument

#: The unpaid invoices that a customer's page lists, and those that it adds up.
MAX_UNPAID = 20
MAX_ADDED = 500


@dataclass(frozen=True)
class Unpaid:
    """The invoices of a customer that are not paid, those first that are due first.

    ``total`` is the sum of their balances. ``link`` leads to all of them if there are more than are
    listed; ``is_partial`` says that there are more than are added up.
    """

    invoices: list[tuple[str, str, str, str]]
    number: int
    total: str
    link: str
    is_partial: bool


@dataclass(frozen=True)
class Story:
    """The first things on a page. ``facts`` are labels with values; ``due`` is a table, or empty."""

    states: str
    facts: list[tuple[Any, Any]]
    due: str
    unpaid: Unpaid | None
    address: str


def story_of(row: Mirror, lead: Sequence[Any], page: ReadOnly) -> Story:
    """Return what leads the page of a mirror's row. ``lead`` are its columns, or their names."""
    columns = [getattr(page, each) if isinstance(each, str) else each for each in lead]
    facts = [(column.short_description, page.renderer.shown(column(row))) for column in columns]
    due = due_dates(row, page.renderer) if isinstance(row, AccountingDocument) else EMPTY
    return Story(
        states=badges(states_of(row)),
        facts=[(label, value) for label, value in facts if value != EMPTY],
        due=due if due != EMPTY else "",
        unpaid=_unpaid_of(row, page) if isinstance(row, Customer) else None,
        address=_address_at_altoviz(row),
    )


def _unpaid_of(customer: Customer, page: ReadOnly) -> Unpaid | None:
    """Return the customer's unpaid invoices, or None if the reader may not view invoices."""
    if not page.may_view(Invoice):
        return None
    invoices: Any = Invoice.objects
    rows = invoices.filter(unpaid(Invoice), customer=customer.key).defer("data")
    found = list(rows.order_by("next_due_date", "date", "pk")[: MAX_ADDED + 1])
    balances = [invoice.balance for invoice in found[:MAX_ADDED]]
    query = {"customer__exact": customer.key, DueFilter.parameter_name: DueFilter.UNPAID}
    text = _("There are more unpaid invoices than are listed here.")
    return Unpaid(
        invoices=[_unpaid_row(invoice, page) for invoice in found[:MAX_UNPAID]],
        number=len(balances),
        total=format_amount(add_up(balances)),
        link=page.link(Invoice, "changelist", text, **query) if len(found) > MAX_UNPAID else "",
        is_partial=len(found) > MAX_ADDED,
    )


def _unpaid_row(invoice: Invoice, page: ReadOnly) -> tuple[str, str, str, str]:
    balance = Invoice._meta.get_field("balance")
    return (
        page.link_to_object(Invoice, invoice.key, page.renderer.cell(str(invoice))),
        date_format(invoice.next_due_date) if invoice.next_due_date else EMPTY,
        format_value(balance, invoice.balance),
        badges(states_of(invoice)),
    )


def _address_at_altoviz(row: Mirror) -> str:
    """Return the address at which Altoviz shows a document, or nothing if none can be trusted."""
    address = row.public_link or "" if isinstance(row, Document) else ""
    try:
        parts = urlsplit(address)
        is_safe = parts.scheme == "https" and parts.hostname and parts.username is None
    except ValueError:
        return ""
    return address if is_safe and address.isprintable() and " " not in address else ""
