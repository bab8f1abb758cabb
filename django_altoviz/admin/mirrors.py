"""The pages of mirrored objects: what all share, and those of customers, contacts and products."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.base import redirect_within
from django_altoviz.admin.display.details import (
    BILLING_ADDRESS,
    INTERNAL_NOTES,
    SHIPPING_ADDRESS,
    Detail,
)
from django_altoviz.admin.display.rendering import EMPTY, Renderer, indented
from django_altoviz.admin.display.values import column, html_to_text
from django_altoviz.admin.exporting import ExportAdmin
from django_altoviz.admin.filters import (
    AccountFilter,
    CustomerTypeFilter,
    DeletedFilter,
    ProductTypeFilter,
    has_several_accounts,
)
from django_altoviz.admin.history import history_of
from django_altoviz.admin.problems import problems_of
from django_altoviz.admin.remote import RemoteAdmin
from django_altoviz.admin.story import story_of
from django_altoviz.models import Contact, Credit, Customer, Invoice, Mirror, Product, Quote
from django_altoviz.models.mirrors.searching import has_words, words_of

#: The search looks for words in any column, whatever their case and accents.
_FOLDED = ["search_text"]
_DOCUMENT_LINKS = ((Invoice, _("Invoices")), (Quote, _("Quotes")), (Credit, _("Credits")))


class MirrorAdmin(ExportAdmin, RemoteAdmin):
    """Base of the mirrors' pages; adds the account, the history and the complete object to each."""

    change_list_template = "admin/django_altoviz/objects.html"
    #: The columns that lead the page, as ``story_of`` takes them.
    lead: ClassVar[list[Any]] = []
    deferred = ["data"]
    ordering = ["-id"]
    search_fields = _FOLDED

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows: models.QuerySet[Any] = self.model.with_deleted.order_by(*self.get_ordering(request))
        # A project's form should not offer what is gone from Altoviz.
        match = request.resolver_match
        is_offered = match is not None and match.url_name == "autocomplete"
        return rows.filter(deleted_at=None) if is_offered else rows

    def get_list_display(self, request: HttpRequest) -> Any:
        first, *others = self.list_display
        deleted = ["deleted_at"] if DeletedFilter.parameter_name in request.GET else []
        return [self._leading_column(first), *deleted, *others, "account"]

    def _leading_column(self, name: Any) -> Any:
        """Return the column with the link: its value, or another name of an object that has none."""
        names = {field.name for field in self.model._meta.concrete_fields}
        if name not in names:  # a project's own
            return name
        named = column(self.model, name)

        @admin.display(description=named.short_description, ordering=name)
        def show(row: Any) -> str:
            text = getattr(row, name) or getattr(row, "subject", None) or row
            return str(self.renderer.cell(text))

        show.__name__ = name
        return show

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [*self.list_filter, DeletedFilter, AccountFilter]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        account = ["account"] if obj is None or has_several_accounts({obj.account}) else []
        times = ["synced_at", "deleted_at", "forgotten_at"]
        identity = ["altoviz_id", "internal_id", *account, *times]
        return [
            *_with_details(self.fieldsets or [], obj, self.renderer),
            (_("At Altoviz"), {"fields": identity}),
            (_("Complete object"), {"classes": ["collapse"], "fields": ["complete_object"]}),
        ]

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        if self.get_search_fields(request) != _FOLDED:  # a project has chosen its own columns
            return super().get_search_results(request, queryset, search_term)
        words = words_of(search_term)
        if not words:
            return queryset, False
        # By themselves, the rows are found in the index, without a look at the table.
        found = self.model.with_deleted.filter(has_words(words))
        return queryset.filter(pk__in=found.order_by().values("pk")), False

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        return to_field == "key" or super().to_field_allowed(request, to_field)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context["original"]
        context["problems"], context["has_more_problems"] = problems_of(row, self)
        context["story"] = story_of(row, self.lead, self)
        context["history"] = history_of(row, self)
        context |= self.remote_buttons(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        buttons = {"can_export": self.has_export_permission(request)}
        return super().changelist_view(request, buttons | (extra_context or {}))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        # Django's own view lists changes made in the admin, of which there are none. The object's
        # page has its history.
        return redirect_within(self, "change", object_id)

    @admin.display(description=_("data"))
    def complete_object(self, row: Mirror) -> str:
        return self.renderer.preformatted(indented(row.data))


def _with_details(fieldsets: Any, row: Mirror | None, renderer: Renderer) -> list[Any]:
    """Return the field sets with the row's details rendered, and without those that are empty."""
    filled = []
    for title, options in fieldsets:
        fields = [_filled_field(field, row, renderer) for field in options["fields"]]
        if present := [field for field in fields if field is not None]:
            filled.append((title, options | {"fields": present}))
    return filled


def _filled_field(field: Any, row: Mirror | None, renderer: Renderer) -> Any:
    if not isinstance(field, Detail):
        return field
    return None if row is None else field.column_for(row, renderer)


@admin.register(Customer)
class CustomerAdmin(MirrorAdmin):
    list_display = [
        "number",
        "name",
        "email",
        column(Customer, "type"),
        "billing_city",
        "siret",
        "active",
    ]
    list_filter = [CustomerTypeFilter, "active"]
    lead = [
        column(Customer, "number"),
        column(Customer, "email"),
        column(Customer, "phone"),
        column(Customer, "billing_city"),
        "documents",
    ]
    search_help_text = _(
        "Search by any parts of the number, name, email address, zipcode, city, phone, SIRET, VAT "
        "number, or Altoviz id."
    )
    fieldsets = [
        (None, {"fields": ["number", "name", column(Customer, "type"), "active"]}),
        (_("Identity"), {"fields": ["company_name", "siret", "vat_number", "electronic_address"]}),
        (
            _("Contact"),
            {"fields": ["title", "first_name", "last_name", "email", "phone", "cell_phone"]},
        ),
        (
            _("Billing"),
            {
                "fields": [
                    "billing_zipcode",
                    "billing_city",
                    "billing_country_iso",
                    BILLING_ADDRESS,
                    SHIPPING_ADDRESS,
                    column(Customer, "payment_method"),
                    column(Customer, "initial_commitment_amount"),
                    "initial_commitment_date",
                ]
            },
        ),
        (_("Family"), {"fields": ["family_number", "family_label"]}),
        (_("Notes"), {"fields": [INTERNAL_NOTES]}),
    ]

    @admin.display(description=_("documents"))
    def documents(self, customer: Customer) -> str:
        links = [
            (self.link(model, "changelist", label, customer__exact=customer.key),)
            for model, label in _DOCUMENT_LINKS
            if self.may_view(model)
        ]
        return format_html_join(" · ", "{}", links) or EMPTY


@admin.register(Contact)
class ContactAdmin(MirrorAdmin):
    list_display = ["display_name", "company_name", "function", "email", "phone"]
    lead = [
        column(Contact, "company_name"),
        column(Contact, "function"),
        column(Contact, "email"),
        column(Contact, "phone"),
    ]
    search_help_text = _(
        "Search by any parts of the name, company, function, email address, phone, or Altoviz id."
    )
    fieldsets = [
        (None, {"fields": ["display_name", "title", "first_name", "last_name"]}),
        (_("Company"), {"fields": ["company_name", "function", "service"]}),
        (_("Contact"), {"fields": ["email", "phone", "cell_phone", "inverted_display_name"]}),
    ]


@admin.register(Product)
class ProductAdmin(MirrorAdmin):
    list_display = [
        "number",
        "name",
        column(Product, "type"),
        column(Product, "unit_price"),
        column(Product, "vat_rate"),
        "active",
    ]
    list_filter = [ProductTypeFilter, "active"]
    lead = [
        column(Product, "number"),
        column(Product, "unit_price"),
        column(Product, "vat_rate"),
        column(Product, "unit_code"),
    ]
    search_help_text = _("Search by any parts of the number, name, or Altoviz id.")
    fieldsets = [
        (
            None,
            {"fields": ["number", "name", column(Product, "type"), "plain_description", "active"]},
        ),
        (
            _("Prices"),
            {
                "fields": [
                    column(Product, "unit_price"),
                    "is_unit_price_tax_included",
                    column(Product, "purchase_price"),
                    column(Product, "default_quantity"),
                    "unit_code",
                    column(Product, "vat_rate"),
                    "vat_region",
                ]
            },
        ),
        (_("Family"), {"fields": ["family_number", "family_label"]}),
        (_("Notes"), {"fields": [INTERNAL_NOTES]}),
    ]

    @admin.display(description=_("description"))
    def plain_description(self, product: Product) -> str:
        if not product.description:
            return EMPTY
        return self.renderer.paragraphs(html_to_text(product.description))
