"""What all admin pages of this app have in common: they show, change nothing, and stay fast."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import TO_FIELD_VAR, IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import DataError, models
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.display.rendering import EMPTY
from django_altoviz.admin.filters import AccountFilter, are_told_apart
from django_altoviz.models import Mirror, WebhookEvent

MOST_COUNTED = 10_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than anybody pages, where to count millions of rows takes seconds."""

    object_list: models.QuerySet[models.Model]

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by().values("pk")[:MOST_COUNTED].count()

    @property
    def is_capped(self) -> bool:
        return self.count == MOST_COUNTED


class LightChangeList(ChangeList):
    """Reads of each row what the list shows, for the rest may be megabytes."""

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Any = None
    ) -> models.QuerySet[models.Model]:
        values = itertools.chain.from_iterable(self.get_filters_params().values())
        if any("\0" in value for value in values):  # PostgreSQL would raise
            raise IncorrectLookupParameters
        rows: models.QuerySet[models.Model] = super().get_queryset(request, exclude_parameters)
        return rows.defer(*self.model_admin.deferred)  # type: ignore[attr-defined]

    def get_results(self, request: HttpRequest) -> None:
        try:
            super().get_results(request)
            accounts = {row.account for row in self.result_list}
        except (OverflowError, ValueError, DataError) as error:
            # A number or a year that is too large is found only when the database is asked.
            raise IncorrectLookupParameters from error
        if not are_told_apart(accounts):
            self.list_display = [name for name in self.list_display if name != "account"]


class ReadOnly:
    """For admins and inlines: to view is all that is permitted."""

    admin_site: admin.AdminSite
    empty_value_display = EMPTY
    #: By whom the page is read; only an instance that was made for a request has one.
    request: HttpRequest | None = None

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def may_view(self, model: type[models.Model]) -> bool:
        """Whether the model has pages, and the reader may see them."""
        if self.request is None or not self.admin_site.is_registered(model):
            return False
        return self.admin_site.get_model_admin(model).has_view_permission(self.request)

    def link(
        self, model: type[models.Model], page: str, label: Any, *args: Any, **query: Any
    ) -> str:
        """A link to an admin page of the model, or only the label for who may not see that page."""
        if not self.may_view(model):
            return str(label)
        view = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
        url = reverse(view, args=args, current_app=self.admin_site.name)
        return format_html('<a href="{}">{}</a>', f"{url}?{urlencode(query)}", label)

    def link_to_object(self, model: type[Mirror], altoviz_id: int, label: Any) -> str:
        """A link that costs no query: the page is found by Altoviz's id."""
        return self.link(model, "change", label, altoviz_id, **{TO_FIELD_VAR: "altoviz_id"})

    def link_if_mirrored(
        self, row: Mirror | None, altoviz_id: int | None, name: str | None = None
    ) -> str:
        """A link, or what is known without the row: a name, and the id."""
        if row is not None:
            return self.link_to_object(type(row), row.altoviz_id, row)
        if altoviz_id is None:
            return name or EMPTY
        return f"{name} ({altoviz_id})" if name else f"{EMPTY} {altoviz_id}"

    def link_to_events(self, entity: str, object_id: int, account: str) -> str:
        """A link to all events of an object, or nothing for who may not see them."""
        if not self.may_view(WebhookEvent):
            return ""
        filters = {"entity__exact": str(entity), "object_id": object_id}
        if are_told_apart({account}):
            filters[AccountFilter.parameter_name] = account
        return self.link(WebhookEvent, "changelist", _("Events of this object"), **filters)


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    #: The columns that lists do without.
    deferred: Sequence[str] = ()
    paginator = CappedPaginator
    show_full_result_count = False

    class Media:
        css = {"all": ["django_altoviz/admin.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LightChangeList

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        # To search in what is not listed reads the whole table, and could guess what is masked.
        is_listed = lookup.split("__")[0] not in self.deferred
        return is_listed and super().lookup_allowed(lookup, value, request)

    # One instance serves all requests, and the columns are not told whom they are shown to.
    def read_by(self, request: HttpRequest) -> ReadOnlyAdmin:
        reader = copy.copy(self)
        reader.request = request
        return reader

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        return super(ReadOnlyAdmin, self.read_by(request)).get_changelist_instance(request)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        page = self.read_by(request)
        return super(ReadOnlyAdmin, page).changeform_view(request, *args, **kwargs)

    def get_inline_instances(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        inlines: list[Any] = [*super().get_inline_instances(request, obj)]
        for inline in inlines:
            inline.request = request
        return inlines


def whole_number(text: str) -> int | None:
    """The id that a search may mean, if it can be one."""
    return int(text) if text.isdecimal() and len(text) < 20 else None
