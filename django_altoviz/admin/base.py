"""The base of all admin pages here: read-only, with few queries, and links the reader may follow."""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Sequence
from typing import Any, TypeVar, cast

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import (
    TO_FIELD_VAR,
    IncorrectLookupParameters,
    get_content_type_for_model,
)
from django.contrib.admin.utils import quote as admin_quote
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.exceptions import BadRequest, FieldDoesNotExist, ValidationError
from django.core.paginator import Paginator
from django.db import DataError, NotSupportedError, models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.display.rendering import EMPTY, Renderer
from django_altoviz.admin.filters import AccountFilter, has_several_accounts
from django_altoviz.admin.restrictions import restriction
from django_altoviz.models import Mirror, WebhookEvent

MAX_COUNT = 10_000
# The length of the column in Django's log.
_LONGEST_REPR = 200
# The others need a value of their own kind (a range, a key), scan the table, or may take for ever
# (a regular expression).
_LOOKUPS = {
    *("exact", "iexact", "in", "isnull", "gt", "gte", "lt", "lte"),
    *("contains", "icontains", "startswith", "istartswith", "endswith", "iendswith"),
    *("date", "year", "month", "day"),
}
_Admin = TypeVar("_Admin", bound="ReadOnlyAdmin")


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Paginator that counts at most ``MAX_COUNT`` rows, because counting millions takes seconds."""

    object_list: models.QuerySet[models.Model]

    @cached_property
    def _found(self) -> int:
        return self.object_list.order_by().values("pk")[: MAX_COUNT + 1].count()

    @property
    def count(self) -> int:
        return min(self._found, MAX_COUNT)

    @property
    def is_capped(self) -> bool:
        """Return True if there are more rows than ``count``."""
        return self._found > MAX_COUNT


class LightChangeList(ChangeList):
    """Change list that defers the columns it doesn't show, because these may be megabytes a row."""

    #: The names of the look-ups that no filter beside the list shows.
    others: Sequence[str] = ()

    def get_filters(self, request: HttpRequest) -> Any:
        found = super().get_filters(request)
        # Without those that Django makes of a year, a month and a day.
        self.others = [name for name in self.get_filters_params() if name in found[2]]
        return found

    @property
    def restrictions(self) -> list[tuple[str, Any]]:
        """Return the labels and values of the look-ups that no filter beside the list shows."""
        chosen = self.get_filters_params()
        page = self.model_admin
        return [restriction(self.model, name, chosen[name][-1], page) for name in self.others]

    @property
    def link_without_restrictions(self) -> str:
        return self.get_query_string(dict.fromkeys([*self.others, PAGE_VAR]))

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
        except (OverflowError, ValueError, IndexError, DataError, NotSupportedError) as error:
            # Only the query itself shows that a number or a year is out of the database's range, or
            # that the database does not know the look-up.
            raise IncorrectLookupParameters from error
        if not has_several_accounts(accounts):
            self.list_display = [name for name in self.list_display if name != "account"]


class ReadOnly:
    """Mixin for admins that show rows, and links to other pages, but change nothing."""

    admin_site: admin.AdminSite
    empty_value_display = EMPTY
    #: The request that this instance serves; None on the one that is registered with the site.
    request: HttpRequest | None = None
    _renderer: Renderer | None = None

    @property
    def renderer(self) -> Renderer:
        """The renderer of this instance's request, or a new one if a column is called elsewhere."""
        return self._renderer or Renderer()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def may_view(self, model: type[models.Model]) -> bool:
        """Return True if the model has admin pages and the reader may see them."""
        if self.request is None or not self.admin_site.is_registered(model):
            return False
        return self.admin_site.get_model_admin(model).has_view_permission(self.request)

    def link(
        self, model: type[models.Model], page: str, label: Any, *args: Any, **query: Any
    ) -> str:
        """Return a link to an admin page of the model, or only the label if the reader may not view
        the model."""
        if not self.may_view(model):
            return str(label)
        view = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
        url = reverse(view, args=args, current_app=self.admin_site.name)
        return format_html('<a href="{}">{}</a>', f"{url}?{urlencode(query)}", label)

    def link_to_object(self, model: type[Mirror], key: str, label: Any) -> str:
        """Link to an object's page by its key, without a query for its primary key."""
        return self.link(model, "change", label, admin_quote(key), **{TO_FIELD_VAR: "key"})

    def link_if_mirrored(
        self,
        row: Mirror | None,
        altoviz_id: int | None,
        name: str | None = None,
        label: str | None = None,
    ) -> str:
        """Link to the row, as ``label`` if there is one, or return the name and the id if the object
        isn't mirrored."""
        if row is not None and self.may_view(type(row)):
            return self.link_to_object(type(row), row.key, label or row)
        if altoviz_id is None:
            return name or EMPTY
        return f"{name} ({altoviz_id})" if name else f"{EMPTY} {altoviz_id}"

    def link_to_events(self, entity: str, object_id: int, account: str) -> str:
        """Link to the list of an object's events; empty if the reader may not view events."""
        if not self.may_view(WebhookEvent):
            return ""
        filters = {"entity__exact": str(entity), "object_id": object_id}
        if has_several_accounts({account}):
            filters[AccountFilter.parameter_name] = account
        return self.link(WebhookEvent, "changelist", _("Events of this object"), **filters)


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    #: Columns that the list doesn't read.
    deferred: Sequence[str] = ()
    #: Further columns that a URL may not filter by, because not every reader of the list may see them.
    hidden_lookups: Sequence[str] = ()
    paginator = CappedPaginator
    list_per_page = 50  # most of a list's time is spent on its cells
    show_full_result_count = False

    class Media:
        css = {"all": ["django_altoviz/admin.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LightChangeList

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        # A lookup in a deferred column would scan the table, and could reveal a masked secret
        # letter by letter.
        name, *rest = lookup.split("__")
        is_hidden = name in {*self.deferred, *self.hidden_lookups}
        if is_hidden or not super().lookup_allowed(lookup, value, request):
            return False
        with contextlib.suppress(FieldDoesNotExist):
            related = self.model._meta.get_field(name).related_model
            rest = rest[1:] if related and rest and rest[0] not in _LOOKUPS else rest
        return {*rest} <= _LOOKUPS

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        if "\0" in object_id:  # PostgreSQL would raise
            return None
        return super().get_object(request, object_id, from_field)

    def bound_to(self: _Admin, request: HttpRequest) -> _Admin:
        """Return a copy of this admin for one request, as ``as_view()`` makes a view for each request.

        All requests and threads share the instance that is registered, and Django passes a column
        nothing but its row. The columns here also need the reader's permissions and the renderer.
        """
        bound = copy.copy(self)
        bound.request, bound._renderer = request, Renderer()
        return bound

    def note(
        self, request: HttpRequest, text: str, *, object_id: str | None, object_repr: str
    ) -> LogEntry:
        """Note in Django's log of recent actions who did something, and what came of it."""
        return LogEntry.objects.create(
            user_id=cast(int, request.user.pk),
            content_type=get_content_type_for_model(self.model),
            object_id=object_id,
            object_repr=object_repr[:_LONGEST_REPR],
            action_flag=CHANGE,
            change_message=text,
        )

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        # Django looks for what was posted, and a text that is no key would end in a 500.
        for key in request.POST.getlist(ACTION_CHECKBOX_NAME):
            try:
                self.opts.pk.clean(key, None)
            except ValidationError as error:
                raise BadRequest("A selected key is no key.") from error
        return super().response_action(request, *args, **kwargs)

    # The next two call Django's methods on the copy. The copy's own methods may be overridden in a
    # project's subclass, and the override would then run twice.
    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        bound = self.bound_to(request)
        return super(ReadOnlyAdmin, bound).get_changelist_instance(request)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        bound = self.bound_to(request)
        return super(ReadOnlyAdmin, bound).changeform_view(request, *args, **kwargs)


def redirect_within(page: ReadOnlyAdmin, view: str, *args: Any) -> HttpResponse:
    """Redirect to a page of the model on the reader's own admin site, whatever its name is."""
    name = f"admin:{page.opts.app_label}_{page.opts.model_name}_{view}"
    return redirect(reverse(name, args=args, current_app=page.admin_site.name))


def parse_id(text: str) -> int | None:
    """Return the id that a search term may be, or None if it can't be an id."""
    return int(text) if text.isdecimal() and len(text) < 20 else None
