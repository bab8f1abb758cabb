"""The copies of what is at Altoviz, laid out for those who keep the accounts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.base import ReadOnlyAdmin, whole_number
from django_altoviz.admin.filters import (
    AccountFilter,
    CustomerTypeFilter,
    DeletedFilter,
    ProductTypeFilter,
)
from django_altoviz.admin.rendering import amount, indented, preformatted
from django_altoviz.models import (
    MIRRORS,
    Contact,
    Customer,
    Invoice,
    Mirror,
    Product,
    Quote,
    WebhookEvent,
)

_MOST_SEARCHED_WORDS = 10
_ENTITIES = {model: entity for entity, model in MIRRORS.items()}


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
        identity = ["altoviz_id", "internal_id", "account"]
        events = ["events", "last_event", "synced_at", "deleted_at", "forgotten_at"]
        return [
            *(self.fieldsets or []),
            (_("At Altoviz"), {"fields": [*identity, *events]}),
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

    @admin.display(description=_("events"))
    def events(self, row: Mirror) -> str:
        filters = {
            "entity__exact": _ENTITIES[type(row)].value,
            "object_id": row.altoviz_id,
            "account": row.account,
        }
        return self.link(WebhookEvent, "changelist", _("Events of this object"), **filters)

    @admin.display(description=_("last event"))
    def last_event(self, row: Mirror) -> str:
        event = WebhookEvent.with_pruned.filter(
            pk=row.last_event_id, object_id=row.altoviz_id, entity=_ENTITIES[type(row)]
        )
        if not event.exists():
            return gettext("None: a sync has read it.")
        return self.link(WebhookEvent, "change", row.last_event_id, row.last_event_id)

    @admin.display(description=_("data"))
    def whole_object(self, row: Mirror) -> str:
        return preformatted(indented(row.data))


@admin.register(Customer)
class CustomerAdmin(MirrorAdmin):
    list_display = ["number", "name", "email", "type", "billing_city", "siret", "active"]
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
        (None, {"fields": ["number", "name", "type", "active", "documents"]}),
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
                    "payment_method",
                    amount(Customer, "initial_commitment_amount"),
                    "initial_commitment_date",
                ]
            },
        ),
        (_("Family"), {"fields": ["family_number", "family_label"]}),
    ]

    @admin.display(description=_("documents"))
    def documents(self, customer: Customer) -> str:
        links = [
            (self.link(model, "changelist", label, customer__exact=customer.altoviz_id),)
            for model, label in ((Invoice, _("Its invoices")), (Quote, _("Its quotes")))
        ]
        return format_html_join(" · ", "{}", links)


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
    list_display = ["number", "name", "type", amount(Product, "unit_price"), "vat_rate", "active"]
    list_filter = [ProductTypeFilter, "active"]
    search_fields = ["number", "name", "internal_id"]
    fieldsets = [
        (None, {"fields": ["number", "name", "type", "description", "active"]}),
        (
            _("Prices"),
            {
                "fields": [
                    amount(Product, "unit_price"),
                    "is_unit_price_tax_included",
                    amount(Product, "purchase_price"),
                    "default_quantity",
                    "unit_code",
                    "vat_rate",
                    "vat_region",
                ]
            },
        ),
        (_("Family"), {"fields": ["family_number", "family_label"]}),
    ]
