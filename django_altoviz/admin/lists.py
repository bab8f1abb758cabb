"""The top of a list of documents: its totals by state, and its years, months and days."""

from __future__ import annotations

import calendar
import datetime
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Page
from django.db.models import Case, CharField, Count, Q, QuerySet, Sum, Value, When
from django.http import HttpRequest
from django.utils.dates import MONTHS
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from django_altoviz.admin.base import CappedPaginator, LightChangeList
from django_altoviz.admin.display.rendering import EMPTY
from django_altoviz.admin.display.states import overdue
from django_altoviz.admin.display.values import (
    QUOTE_STATUSES,
    add_up,
    format_amount,
    to_cents,
)
from django_altoviz.admin.filters import DeletedFilter
from django_altoviz.days import local_today
from django_altoviz.models import Credit, Invoice, Quote

#: The latest years that are offered.
MAX_YEARS = 12
#: The states of documents that nobody has to pay.
_NOT_PAYABLE = {"deleted", "cancelled", "draft"}


class Total(NamedTuple):
    """The number of documents in a state, with the sums of their amounts as texts."""

    label: str
    number: int
    tax_excluded: str
    tax_included: str
    balance: str


@dataclass(frozen=True)
class Periods:
    """Links to shorter periods, and one back to the longer one, as Django's template expects them."""

    back: dict[str, str] | None
    choices: list[dict[str, str]]
    show: bool = True


class DocumentPaginator(CappedPaginator):
    """Paginator that sorts keys, which an index has with the amounts, and then reads a page of rows."""

    def page(self, number: int | str) -> Page[Any]:
        page: Any = super().page(number)
        keys = [*page.object_list.values_list("pk", flat=True)]
        rows = self.object_list.in_bulk(keys)
        page.object_list = [rows[key] for key in keys if key in rows]
        return page  # type: ignore[no-any-return]


class DocumentChangeList(LightChangeList):
    """Change list with ``totals``, which are None if there are too many rows, and ``periods``."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        try:
            return super().get_queryset(request, exclude_parameters)
        except (OverflowError, ValueError) as error:  # no such year
            raise IncorrectLookupParameters from error

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        is_capped = self.paginator.is_capped
        self.totals = None if is_capped else totals_of(self.queryset)
        self.periods = periods_of(self)


def totals_of(rows: QuerySet[Any]) -> list[Total]:
    """Return the totals of the rows by state, and of all together. No rows have none."""
    states = _STATES[rows.model]()
    conditions = [When(condition, then=Value(name)) for name, (_label, condition) in states.items()]
    state = Case(*conditions, default=Value(""), output_field=CharField())
    groups = rows.order_by().annotate(state=state).values_list("state")
    sums = groups.annotate(
        Count("pk"), Sum("tax_excluded_amount"), Sum("tax_included_amount"), Sum("balance")
    )
    found = {name: figures for name, *figures in sums}
    totals = [
        _state_total(label, *found[name])
        for name, label in [*((name, each[0]) for name, each in states.items()), ("", _("other"))]
        if name in found
    ]
    left_out = [
        str(label) for name, (label, _q) in states.items() if name in found.keys() & _NOT_PAYABLE
    ]
    counted = [figures for name, figures in found.items() if name not in _NOT_PAYABLE]
    if len(counted) > 1:
        label = _("total without: %(states)s") % {"states": ", ".join(left_out)}
        numbers, *columns = zip(*counted, strict=True)
        sums = (None if {*column} == {None} else add_up(column) for column in columns)
        totals.append(_state_total(label if left_out else _("total"), sum(numbers), *sums))
    return totals


def _state_total(label: str, number: Any, *amounts: Any) -> Total:
    texts = [EMPTY if each is None else format_amount(to_cents(each)) for each in amounts]
    return Total(str(label), number, *texts)


def _invoice_states() -> dict[str, tuple[str, Q]]:
    """Return the states that an invoice is counted in: the first that it is in."""
    return {
        "deleted": (pgettext("invoices", "deleted"), Q(deleted_at__isnull=False)),
        "cancelled": (pgettext("invoices", "cancelled"), Q(is_cancelled=True)),
        "draft": (
            pgettext("invoices", "drafts and pro formas"),
            Q(is_draft=True) | Q(is_proforma=True),
        ),
        "paid": (pgettext("invoices", "paid"), Q(is_paid=True)),
        "overdue": (pgettext("invoices", "overdue"), overdue()),
        "open": (pgettext("invoices", "not due yet"), Q(next_due_date__gte=local_today())),
    }


def _quote_states() -> dict[str, tuple[str, Q]]:
    deleted = (pgettext("quotes", "deleted"), Q(deleted_at__isnull=False))
    known = {name: (label, Q(status=name)) for name, label in QUOTE_STATUSES.items()}
    return {"deleted": deleted, **known}


def _credit_states() -> dict[str, tuple[str, Q]]:
    return {
        "deleted": (pgettext("credits", "deleted"), Q(deleted_at__isnull=False)),
        "cancelled": (pgettext("credits", "cancelled"), Q(is_cancelled=True)),
        "draft": (pgettext("credits", "drafts"), Q(is_draft=True)),
        "settled": (pgettext("credits", "settled"), Q(is_paid=True)),
        "overdue": (pgettext("credits", "overdue"), overdue()),
        "open": (pgettext("credits", "not due yet"), Q(next_due_date__gte=local_today())),
    }


_STATES: dict[Any, Callable[[], dict[str, tuple[str, Q]]]] = {
    Invoice: _invoice_states,
    Quote: _quote_states,
    Credit: _credit_states,
}


def periods_of(changelist: ChangeList) -> Periods:
    """Return the periods to filter by. Whether a month or a day has documents is not looked up.

    Django's own tag does that, and reads all dates.
    """
    field = changelist.date_hierarchy
    chosen = changelist.get_filters_params()
    parts = [_number_in(chosen, f"{field}__{part}") for part in ("year", "month", "day")]
    year, month, day = parts
    if year is None:
        years = sorted(itertools.islice(_years_of(changelist), MAX_YEARS))
        return Periods(None, [_link(changelist, str(each), each) for each in years])
    if month is None:
        back = {"link": _link(changelist, "")["link"], "title": _("All dates")}
        months = [_link(changelist, capfirst(MONTHS[each]), year, each) for each in range(1, 13)]
        return Periods(back, months)
    back = _link(changelist, str(year), year)
    if day is None:
        last = calendar.monthrange(year, month)[1]
        days = [
            _link(changelist, _day_label(year, month, each), year, month, each)
            for each in range(1, last + 1)
        ]
        return Periods(back, days)
    back = _link(changelist, f"{capfirst(MONTHS[month])} {year}", year, month)
    return Periods(back, [{"title": _day_label(year, month, day), "link": ""}])


def _number_in(chosen: Any, name: str) -> int | None:
    return int(chosen[name][-1]) if name in chosen else None


def _day_label(year: int, month: int, day: int) -> str:
    return capfirst(date_format(datetime.date(year, month, day), "MONTH_DAY_FORMAT"))


def _link(changelist: ChangeList, title: str, *parts: int) -> dict[str, str]:
    """Return a link to the list of that period: a year, with a month and a day if they are given."""
    field = changelist.date_hierarchy
    names = [f"{field}__{part}" for part in ("year", "month", "day")]
    link = changelist.get_query_string(
        dict(zip(names, parts, strict=False)), [*names[len(parts) :], "p"]
    )
    return {"title": title, "link": link}


def _years_of(changelist: ChangeList) -> Iterator[int]:
    """Yield the years that have documents, the latest first: a look-up in the index for each.

    Deleted documents count only in a list that may have them.
    """
    field = changelist.date_hierarchy
    model: Any = changelist.model
    has_deleted = DeletedFilter.parameter_name in changelist.get_filters_params()
    rows = model.with_deleted if has_deleted else model.objects
    earlier = rows.exclude(**{field: None})
    while latest := earlier.order_by(f"-{field}").values_list(field, flat=True).first():
        yield latest.year
        earlier = rows.filter(**{f"{field}__lt": datetime.date(latest.year, 1, 1)})
