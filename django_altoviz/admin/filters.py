"""List filters with fixed choices, because reading the choices from the database scans the table."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from django_altoviz.admin.display.states import overdue, unpaid
from django_altoviz.admin.display.values import (
    CUSTOMER_TYPES,
    PRODUCT_TYPES,
    QUOTE_STATUSES,
    translate_note,
)
from django_altoviz.conf import used_account_names
from django_altoviz.days import local_today, midnight
from django_altoviz.event_types import EventType
from django_altoviz.models import Status, WebhookEvent

Choices = Iterable[tuple[str, Any]]
_OTHER = "other"
_WITH_CAUSE = (Status.FAILED, Status.DEAD)
# How many failed events are looked at for their causes, and how many causes are offered.
_MAX_FAILED = 2000
_MAX_CAUSES = 20


def has_several_accounts(accounts: Collection[str]) -> bool:
    """Return True if more than one account is in use, or among ``accounts``."""
    return len({*used_account_names(), *accounts}) > 1


class AccountFilter(admin.SimpleListFilter):
    title = _("account")
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        # An account that is no longer configured still has rows, and links that filter by it.
        names = dict.fromkeys([*used_account_names(), *filter(None, [self.value()])])
        return [(name, name) for name in names] if len(names) > 1 or self.value() else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(account=self.value()) if self.value() else queryset


class DeletedFilter(admin.SimpleListFilter):
    title = _("deleted")
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("no", _("No")), ("yes", _("Yes")), ("all", _("All"))]

    def value(self) -> str:
        return super().value() or "no"

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        choices = super().choices(changelist)
        next(choices)  # drop Django's "All", which would be the default
        return choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        return queryset.filter(deleted_at__isnull=self.value() != "yes")


class KnownValuesFilter(admin.SimpleListFilter):
    """Filter with a choice for each value that Altoviz documents, and one for all other values."""

    parameter_name: str
    known: Sequence[tuple[str, Any]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [*self.known, (_OTHER, _("Other"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        if value == _OTHER:
            known = [name for name, _label in self.known]
            return queryset.exclude(**{f"{self.parameter_name}__in": known})
        return queryset.filter(**{self.parameter_name: value})


class EventTypeFilter(KnownValuesFilter):
    title = _("type")
    parameter_name = "type"
    known = EventType.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != _OTHER:
            return super().queryset(request, queryset)
        # No version processes an event of a type that it does not know, and most events are processed.
        unprocessed = [status for status in Status if status != Status.PROCESSED]
        # A subquery, which the index of the status answers alone. SQLite does not know how many events
        # have a status, and would scan the table instead.
        pending = WebhookEvent.with_pruned.filter(status__in=unprocessed)
        return super().queryset(request, queryset.filter(pk__in=pending.order_by().values("pk")))


class CauseFilter(admin.SimpleListFilter):
    """Filter by the cause of a failure: the most frequent ones of the account.

    Each has the number of its events, unless the list is filtered by something else.
    """

    title = _("cause of failure")
    parameter_name = "cause"
    #: The parameters of a list whose numbers can be given.
    _UNCOUNTED = {parameter_name, AccountFilter.parameter_name, PAGE_VAR}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        failed = WebhookEvent.with_pruned.filter(status__in=_WITH_CAUSE).exclude(cause="")
        if account := request.GET.get(AccountFilter.parameter_name):
            failed = failed.filter(account=account)
        counts = Counter(failed.order_by().values_list("cause", flat=True)[: _MAX_FAILED + 1])
        is_counted = counts.total() <= _MAX_FAILED and not {*request.GET} - self._UNCOUNTED
        found = [
            (cause, f"{translate_note(cause)} ({number})" if is_counted else translate_note(cause))
            for cause, number in counts.most_common(_MAX_CAUSES)
        ]
        if (chosen := self.value()) and chosen not in dict(found):
            found.append((chosen, chosen))
        return found

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        return queryset.filter(status__in=_WITH_CAUSE, cause=self.value())


class DayFilter(admin.SimpleListFilter):
    """Filter by the time of receipt: the last days, or any day that is typed in."""

    title = _("received at")
    parameter_name = "day"
    template = "admin/django_altoviz/day_filter.html"
    _PERIODS = {
        "today": (_("Today"), 0, 1),
        "yesterday": (_("Yesterday"), 1, 1),
        "week": (pgettext_lazy("events", "Past 7 days"), 6, 7),
        "month": (pgettext_lazy("events", "Past 30 days"), 29, 30),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(name, label) for name, (label, _ago, _days) in self._PERIODS.items()]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        #: What the form in the template submits besides the day.
        self.others = [
            (name, value)
            for name, values in changelist.filter_params.items()
            if name != self.parameter_name
            for value in values
        ]
        return super().choices(changelist)

    @property
    def day(self) -> datetime.date | None:
        """The day that was typed in, or None."""
        try:
            return parse_date(self.value() or "")
        except ValueError:
            return None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        _label, ago, days = self._PERIODS.get(self.value() or "", ("", 0, 0))
        first = local_today() - datetime.timedelta(days=ago) if days else self.day
        if first is None:
            return queryset.none()
        try:
            last = first + datetime.timedelta(days=days or 1)
            return queryset.filter(received_at__gte=midnight(first), received_at__lt=midnight(last))
        except (OverflowError, ValueError):  # no such day in this time zone
            return queryset.none()


class DueFilter(admin.SimpleListFilter):
    """Filter invoices or credits by the next day on which a part of the balance is due.

    Nothing is due of what was deleted.
    """

    title = _("due date")
    parameter_name = "due"
    UNPAID = "unpaid"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [
            (self.UNPAID, pgettext_lazy("invoices", "unpaid")),
            ("overdue", pgettext_lazy("invoices", "overdue")),
            ("week", _("In the next 7 days")),
            ("month", _("In the next 30 days")),
            ("later", _("Later")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        today = local_today()
        week, month = (today + datetime.timedelta(days=days) for days in (7, 30))
        due = {
            self.UNPAID: unpaid(queryset.model),
            "overdue": overdue(),
            "week": Q(deleted_at=None, next_due_date__gte=today, next_due_date__lte=week),
            "month": Q(deleted_at=None, next_due_date__gte=today, next_due_date__lte=month),
            "later": Q(deleted_at=None, next_due_date__gt=month),
        }
        condition = due.get(self.value() or "")
        return queryset.none() if condition is None else queryset.filter(condition)


class CustomerTypeFilter(KnownValuesFilter):
    title = _("type")
    parameter_name = "type"
    known = [*CUSTOMER_TYPES.items()]


class ProductTypeFilter(KnownValuesFilter):
    title = _("type")
    parameter_name = "type"
    known = [*PRODUCT_TYPES.items()]


class QuoteStatusFilter(KnownValuesFilter):
    title = _("status")
    parameter_name = "status"
    known = [*QUOTE_STATUSES.items()]
