"""What all admin pages of this app have in common: they show, change nothing, and stay fast."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import TO_FIELD_VAR, IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import urlencode

from django_altoviz.admin.rendering import EMPTY
from django_altoviz.models import Mirror

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


class ReadOnly:
    """For admins and inlines: to view is all that is permitted."""

    admin_site: admin.AdminSite
    empty_value_display = EMPTY

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def link(
        self, model: type[models.Model], page: str, label: Any, *args: Any, **query: Any
    ) -> str:
        """A link to an admin page of the model, or only the label where it has no such page."""
        view = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
        try:
            url = reverse(view, args=args, current_app=self.admin_site.name)
        except NoReverseMatch:  # the project has unregistered it
            return str(label)
        return format_html('<a href="{}">{}</a>', f"{url}?{urlencode(query)}", label)

    def link_to_object(self, model: type[Mirror], altoviz_id: int, label: Any) -> str:
        """A link that costs no query: the page is found by Altoviz's id."""
        return self.link(model, "change", label, altoviz_id, **{TO_FIELD_VAR: "altoviz_id"})

    def link_if_mirrored(self, row: Mirror | None, altoviz_id: int | None) -> str:
        if row is not None:
            return self.link_to_object(type(row), row.altoviz_id, row)
        return EMPTY if altoviz_id is None else f"{EMPTY} {altoviz_id}"


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    #: The columns that lists do without.
    deferred: Sequence[str] = ()
    paginator = CappedPaginator
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LightChangeList


def whole_number(text: str) -> int | None:
    """The id that a search may mean, if it can be one."""
    return int(text) if text.isdecimal() and len(text) < 20 else None
