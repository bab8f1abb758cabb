"""The copies of what is at Altoviz, laid out for those who keep the accounts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.base import ReadOnlyAdmin, whole_number
from django_altoviz.admin.display.details import (
    BILLING_ADDRESS,
    INTERNAL_NOTES,
    SHIPPING_ADDRESS,
    Detail,
)
from django_altoviz.admin.display.rendering import EMPTY, indented, paragraphs, preformatted
from django_altoviz.admin.display.values import column, readable
from django_altoviz.admin.filters import (
    AccountFilter,
    CustomerTypeFilter,
    DeletedFilter,
    ProductTypeFilter,
    are_told_apart,
)
from django_altoviz.admin.history import story_of
from django_altoviz.models import Contact, Customer, Invoice, Mirror, Product, Quote

_MOST_SEARCHED_WORDS = 10


class MirrorAdmin(ReadOnlyAdmin):
    """The page of a mirror: what its class declares, and what all of them end with."""

    deferred = ["data"]
    ordering = ["-id"]
    search_help_text = _("The whole Altoviz id, or a part of a number, a name or an address.")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows: models.QuerySet[Any] = self.model.with_deleted.all()
        return rows

    def get_list_display(self, request: HttpRequest) -> Any:
        first, *others = self.list_display
        deleted = ["deleted_at"] if DeletedFilter.parameter_name in request.GET else []
        return [first, *deleted, *others, "account"]

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [*self.list_filter, DeletedFilter, AccountFilter]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        account = ["account"] if obj is None or are_told_apart({obj.account}) else []
        seen = ["synced_at", "deleted_at", "forgotten_at"]
        identity = ["altoviz_id", "internal_id", *account, *seen]
        return [
            *_told(self.fieldsets or [], obj),
            (_("At Altoviz"), {"fields": identity}),
            (_("The whole object"), {"classes": ["collapse"], "fields": ["whole_object"]}),
        ]

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        # Each word becomes conditions, of which SQLite takes no thousands.
        words = " ".join(search_term.split()[:_MOST_SEARCHED_WORDS])
        found, may_have_duplicates = super().get_search_results(request, queryset, words)
        return found | queryset.filter(altoviz_id=whole_number(words)), may_have_duplicates

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        return to_field == "altoviz_id" or super().to_field_allowed(request, to_field)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["story"] = story_of(context["original"], self)
        return super().render_change_form(request, context, *args, **kwargs)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        # Django's has what was changed in the admin, and nothing is. The page tells the story.
        opts = self.opts
        return redirect(f"admin:{opts.app_label}_{opts.model_name}_change", object_id)

    @admin.display(description=_("data"))
    def whole_object(self, row: Mirror) -> str:
        return preformatted(indented(row.data))


def _told(fieldsets: Any, row: Mirror | None) -> list[Any]:
    """The field sets without the details of which the object tells nothing."""
    told = []
    for title, options in fieldsets:
        fields = [
            field
            for field in options["fields"]
            if row is None or not isinstance(field, Detail) or field(row) != EMPTY
        ]
        if fields:
            told.append((title, options | {"fields": fields}))
    return told


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
    search_fields = [
        "number",
        "name",
        "company_name",
        "email",
        "siret",
        "vat_number",
        "internal_id",
    ]
    fieldsets = [
        (None, {"fields": ["number", "name", column(Customer, "type"), "active", "documents"]}),
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
            (self.link(model, "changelist", label, customer__exact=customer.altoviz_id),)
            for model, label in ((Invoice, _("Its invoices")), (Quote, _("Its quotes")))
            if self.may_view(model)
        ]
        return format_html_join(" · ", "{}", links) or EMPTY


@admin.register(Contact)
class ContactAdmin(MirrorAdmin):
    list_display = ["display_name", "company_name", "function", "email", "phone"]
    search_fields = ["display_name", "first_name", "last_name", "company_name", "email"]
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
    search_fields = ["number", "name", "internal_id"]
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
        return paragraphs(readable(product.description)) if product.description else EMPTY
