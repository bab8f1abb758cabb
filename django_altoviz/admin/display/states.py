"""The states of an object, as people speak of them: draft, sent, paid, overdue, deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db.models import Q
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from django_altoviz.admin.display.rendering import badge
from django_altoviz.admin.display.values import QUOTE_STATUSES
from django_altoviz.days import local_today
from django_altoviz.models import Credit, Customer, Invoice, Mirror, Product, Quote
from django_altoviz.models.mirrors.accounting import AccountingDocument
from django_altoviz.models.mirrors.quotes import OPEN_STATUSES

_GOOD_QUOTE = ("Accepted", "Invoiced")


class State(NamedTuple):
    label: Any
    is_wrong: bool = False
    is_good: bool = False


def states_of(row: Mirror) -> list[State]:
    """Return all states of an object: a draft of 0 is also paid, for example."""
    return [*_own_states(row), *_states_of_mirror(row)]


def badges(states: list[State]) -> SafeString:
    """Return the states as coloured labels."""
    return format_html_join(
        " ",
        "{}",
        ((badge(state.label, is_wrong=state.is_wrong, is_good=state.is_good),) for state in states),
    )


def days_overdue(row: AccountingDocument) -> int:
    """Return the number of days since a part of the document was due, or 0."""
    if row.next_due_date is None or row.deleted_at is not None:
        return 0
    return max((local_today() - row.next_due_date).days, 0)


def unpaid(model: type[AccountingDocument]) -> Q:
    """Return the condition for the documents with a balance that is, or will be, due."""
    nothing_due = Q(is_draft=True) | Q(is_paid=True) | Q(is_cancelled=True)
    if issubclass(model, Invoice):  # a credit is never pro forma
        nothing_due |= Q(is_proforma=True)
    return Q(deleted_at=None, balance__gt=0) & ~nothing_due


def overdue() -> Q:
    """Return the condition for the invoices that have ``days_overdue``."""
    return Q(deleted_at=None, next_due_date__lt=local_today())


def overdue_for(days: int) -> str:
    return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}


def _own_states(row: Mirror) -> Iterator[State]:
    if isinstance(row, Invoice):
        yield from _states_of_invoice(row)
    elif isinstance(row, Quote):
        yield from _states_of_quote(row)
    elif isinstance(row, Credit):
        yield from _states_of_credit(row)
    elif isinstance(row, (Customer, Product)) and row.active is False:
        yield State(_("inactive"))


def _states_of_mirror(row: Mirror) -> Iterator[State]:
    # In languages with genders, an invoice has another one than all other objects.
    is_invoice = isinstance(row, Invoice)
    if row.deleted_at is not None:
        label = pgettext_lazy("object", "deleted")
        yield State(pgettext_lazy("invoice", "deleted") if is_invoice else label, is_wrong=True)
    if row.forgotten_at is not None:
        label = pgettext_lazy("object", "forgotten")
        yield State(pgettext_lazy("invoice", "forgotten") if is_invoice else label)


def _states_of_invoice(row: Invoice) -> Iterator[State]:
    if row.is_draft:
        yield State(pgettext_lazy("invoice", "draft"))
    if row.is_proforma:
        yield State(_("pro forma"))
    has_moved_on = row.is_proforma or row.is_paid or row.is_cancelled or row.sent_at
    if row.is_draft is False and not has_moved_on:
        yield State(_("finalised"))
    if row.sent_at is not None:
        yield State(pgettext_lazy("invoice", "sent"))
    if row.is_paid:
        yield State(pgettext_lazy("invoice", "paid"), is_good=True)
    if days_overdue(row):
        yield State(pgettext_lazy("invoice", "overdue"), is_wrong=True)
    if row.is_cancelled:
        yield State(pgettext_lazy("invoice", "cancelled"))


def _states_of_quote(row: Quote) -> Iterator[State]:
    status = row.status
    if status:
        label = QUOTE_STATUSES.get(status, status)
        yield State(label, is_wrong=status == "Refused", is_good=status in _GOOD_QUOTE)
    if row.sent_at is not None and status != "Sent":
        yield State(pgettext_lazy("quote", "sent"))
    is_open = status in OPEN_STATUSES and row.deleted_at is None
    if is_open and row.validity_date is not None and row.validity_date < local_today():
        yield State(pgettext_lazy("quote", "expired"), is_wrong=True)


def _states_of_credit(row: Credit) -> Iterator[State]:
    if row.is_draft:
        yield State(pgettext_lazy("credit", "draft"))
    if row.is_draft is False and not (row.is_paid or row.is_cancelled or row.sent_at):
        yield State(pgettext_lazy("credit", "finalised"))
    if row.sent_at is not None:
        yield State(pgettext_lazy("credit", "sent"))
    if row.is_paid:
        yield State(pgettext_lazy("credit", "settled"), is_good=True)
    if days_overdue(row):
        yield State(pgettext_lazy("credit", "overdue"), is_wrong=True)
    if row.is_cancelled:
        yield State(pgettext_lazy("credit", "cancelled"))
