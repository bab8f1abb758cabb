"""Invoices and quotes, laid out for those who keep the accounts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.filters import QuoteStatusFilter
from django_altoviz.admin.lines import InvoiceLineInline, QuoteLineInline
from django_altoviz.admin.mirrors import MirrorAdmin
from django_altoviz.admin.rendering import EMPTY, amount
from django_altoviz.models import Document, Invoice, Quote

_PARTIES: Any = (
    _("Parties"),
    {
        "fields": [
            "customer_page",
            "customer_number",
            "customer_name",
            "customer_type",
            "customer_siret",
            "customer_vat_number",
            "customer_electronic_address",
            "customer_order_reference",
            "vendor_reference",
        ]
    },
)
_AMOUNTS: list[Any] = [
    amount(Document, "gross_tax_excluded_amount"),
    ("global_discount_value", "global_discount_type"),
    amount(Document, "tax_excluded_amount"),
    amount(Document, "shipping_amount"),
    amount(Document, "tax_amount"),
    amount(Document, "tax_included_amount"),
    amount(Document, "balance"),
]
_VAT: Any = (
    _("VAT"),
    {"fields": ["region", "liable_to_vat", "vat_reverse_charge", "use_tax_included_prices"]},
)
_LINKS: Any = (_("Links"), {"fields": ["public_page", "pdf_url"]})


class DocumentAdmin(MirrorAdmin):
    change_form_template = "admin/django_altoviz/document_change_form.html"
    ordering = ["-date", "-id"]
    list_select_related = ["customer"]
    deferred = ["data", "customer__data"]
    search_fields = [
        "number",
        "subject",
        "customer_number",
        "customer_name",
        "customer_siret",
        "customer_vat_number",
        "customer_order_reference",
        "internal_id",
    ]

    @admin.display(description=_("customer"))
    def customer_page(self, document: Document) -> str:
        return self.link_if_mirrored(document.customer, document.customer_id)

    @admin.display(description=_("public link"))
    def public_page(self, document: Document) -> str:
        url = document.public_link or ""
        if not url.lower().startswith(("https://", "http://")):
            return url or EMPTY
        hint = _("It opens without a login: whoever has the link can read the document.")
        link = '<a href="{0}" rel="noopener noreferrer">{0}</a><div class="help">{1}</div>'
        return format_html(link, url, hint)


@admin.register(Invoice)
class InvoiceAdmin(DocumentAdmin):
    list_display = [
        "number",
        "date",
        "customer_page",
        amount(Invoice, "tax_excluded_amount"),
        amount(Invoice, "tax_included_amount"),
        amount(Invoice, "balance"),
        "is_draft",
        "is_paid",
        "is_cancelled",
        "sent_at",
    ]
    list_filter = ["is_draft", "is_paid", "is_cancelled", "is_proforma", "date", "sent_at"]
    inlines = [InvoiceLineInline]
    fieldsets = [
        (None, {"fields": ["number", "subject", "date"]}),
        _PARTIES,
        (_("Amounts"), {"fields": [*_AMOUNTS, amount(Invoice, "overdue")]}),
        (
            _("State"),
            {
                "fields": [
                    "is_draft",
                    "is_paid",
                    "is_cancelled",
                    "is_proforma",
                    "vat_mode",
                    "replacement",
                    ("cancellation_credit_number", "cancellation_credit_id"),
                    "sent_at",
                ]
            },
        ),
        _VAT,
        _LINKS,
    ]

    @admin.display(description=_("replaced by"))
    def replacement(self, invoice: Invoice) -> str:
        if invoice.replaced_by is None:
            return EMPTY
        later = Invoice.with_deleted.filter(altoviz_id=invoice.replaced_by).first()
        return self.link_if_mirrored(later, invoice.replaced_by)


@admin.register(Quote)
class QuoteAdmin(DocumentAdmin):
    list_display = [
        "number",
        "date",
        "customer_page",
        amount(Quote, "tax_excluded_amount"),
        amount(Quote, "tax_included_amount"),
        "status",
        "validity_date",
        "sent_at",
    ]
    list_filter = [QuoteStatusFilter, "date", "validity_date", "sent_at"]
    inlines = [QuoteLineInline]
    fieldsets = [
        (None, {"fields": ["number", "subject", "date", "validity_date"]}),
        _PARTIES,
        (_("Amounts"), {"fields": [*_AMOUNTS, ("deposit_value", "deposit_type")]}),
        (_("State"), {"fields": ["status", "accepted_at", "refused_at", "sent_at"]}),
        _VAT,
        _LINKS,
    ]
