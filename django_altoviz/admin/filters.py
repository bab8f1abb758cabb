"""List filters with fixed choices, because reading the choices from the database scans the table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.display.values import CUSTOMER_TYPES, PRODUCT_TYPES, QUOTE_STATUSES
from django_altoviz.conf import used_account_names
from django_altoviz.event_types import EventType

Choices = Iterable[tuple[str, Any]]
_OTHER = "other"


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
