"""Invoices and quotes, laid out for those who keep the accounts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.display.details import ADDRESSES, DUE_DATES, NOTES, VAT_NOTE, VAT_SUMS
from django_altoviz.admin.display.rendering import EMPTY
from django_altoviz.admin.display.values import column, reduction
from django_altoviz.admin.display.vocabulary import business_signals_in_words
from django_altoviz.admin.filters import QuoteStatusFilter
from django_altoviz.admin.lines import InvoiceLineInline, QuoteLineInline
from django_altoviz.admin.mirrors import MirrorAdmin
from django_altoviz.models import Document, Invoice, Quote

_PARTIES: Any = (
    _("Parties"),
    {
        "fields": [
            "customer_page",
            "customer_number",
            "customer_name",
            column(Document, "customer_type"),
            "customer_siret",
            "customer_vat_number",
            "customer_electronic_address",
            "customer_order_reference",
            "vendor_reference",
        ]
    },
)
_AMOUNTS: list[Any] = [
    column(Document, "gross_tax_excluded_amount"),
    "global_discount",
    column(Document, "tax_excluded_amount"),
    column(Document, "shipping_amount"),
    column(Document, "tax_amount"),
    column(Document, "tax_included_amount"),
    column(Document, "balance"),
]
_VAT: Any = (
    _("VAT"),
    {
        "fields": [
            "region",
            "liable_to_vat",
            "vat_reverse_charge",
            "use_tax_included_prices",
            VAT_NOTE,
        ]
    },
)
_ADDRESSES: Any = (_("Addresses"), {"fields": ADDRESSES})
_NOTES: Any = (_("Notes"), {"fields": NOTES})
_LINKS: Any = (_("Links"), {"fields": ["public_page", "pdf_url"]})


class DocumentAdmin(MirrorAdmin):
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
        name = document.customer_name
        return self.link_if_mirrored(document.customer, document.customer_id, name)

    @admin.display(description=_("business signals"))
    def reached(self, document: Document) -> str:
        return ", ".join(business_signals_in_words(document.business_signals)) or EMPTY

    @admin.display(description=_("global discount"))
    def global_discount(self, document: Document) -> str:
        return reduction(document.global_discount_value, document.global_discount_type)

    @admin.display(description=_("public link"))
    def public_page(self, document: Document) -> str:
        url = document.public_link or ""
        if not url.lower().startswith(("https://", "http://")):
            return url or EMPTY
        hint = _("It opens without a login: whoever has the link can read the document.")
        link = '<a href="{0}" rel="noopener noreferrer">{0}</a><div class="altoviz-hint">{1}</div>'
        return format_html(link, url, hint)


@admin.register(Invoice)
class InvoiceAdmin(DocumentAdmin):
    list_display = [
        "number",
        "date",
        "customer_page",
        column(Invoice, "tax_excluded_amount"),
        column(Invoice, "tax_included_amount"),
        column(Invoice, "balance"),
        "state",
        "sent_at",
    ]
    list_filter = ["is_draft", "is_paid", "is_cancelled", "is_proforma", "date", "sent_at"]
    inlines = [InvoiceLineInline]
    fieldsets = [
        (None, {"fields": ["number", "subject", "date", "reached"]}),
        _PARTIES,
        (_("Amounts"), {"fields": [*_AMOUNTS, column(Invoice, "overdue"), VAT_SUMS, DUE_DATES]}),
        (
            _("State"),
            {
                "fields": [
                    "is_draft",
                    "is_paid",
                    "is_cancelled",
                    "is_proforma",
                    column(Invoice, "vat_mode"),
                    "replacement",
                    "cancellation_credit_number",
                    "cancellation_credit_id",
                    "sent_at",
                ]
            },
        ),
        _VAT,
        _ADDRESSES,
        _NOTES,
        _LINKS,
    ]

    @admin.display(description=_("status"))
    def state(self, invoice: Invoice) -> str:
        """All that holds of it, for a draft of 0 may be paid, too."""
        states = ("is_draft", "is_proforma", "is_paid", "is_cancelled")
        holding = [name for name in states if getattr(invoice, name)]
        if not holding and invoice.is_draft is False:
            return gettext("finalised")
        fields: list[Any] = [Invoice._meta.get_field(name) for name in holding]
        return ", ".join(str(field.verbose_name) for field in fields) or EMPTY

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
        column(Quote, "tax_excluded_amount"),
        column(Quote, "tax_included_amount"),
        column(Quote, "status"),
        "validity_date",
        "sent_at",
    ]
    list_filter = [QuoteStatusFilter, "date", "validity_date", "sent_at"]
    inlines = [QuoteLineInline]
    fieldsets = [
        (None, {"fields": ["number", "subject", "date", "validity_date", "reached"]}),
        _PARTIES,
        (_("Amounts"), {"fields": [*_AMOUNTS, "deposit", VAT_SUMS]}),
        (
            _("State"),
            {
                "fields": [
                    column(Quote, "status"),
                    "accepted_at",
                    "refused_at",
                    "sent_at",
                ]
            },
        ),
        _VAT,
        _ADDRESSES,
        _NOTES,
        _LINKS,
    ]

    @admin.display(description=_("deposit"))
    def deposit(self, quote: Quote) -> str:
        return reduction(quote.deposit_value, quote.deposit_type)
