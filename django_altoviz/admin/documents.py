"""The pages of invoices and quotes, with their lines, laid out for accountants."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.base import ReadOnly
from django_altoviz.admin.display.details import (
    ADDRESSES,
    DUE_DATES,
    NOTES,
    VAT_AMOUNTS,
    VAT_NOTE,
)
from django_altoviz.admin.display.rendering import EMPTY
from django_altoviz.admin.display.values import (
    business_signal_labels,
    column,
    format_discount,
    html_to_text,
)
from django_altoviz.admin.filters import QuoteStatusFilter
from django_altoviz.admin.mirrors import MirrorAdmin
from django_altoviz.models import Document, Invoice, InvoiceLine, Quote, QuoteLine
from django_altoviz.models.mirrors.lines import Line
from django_altoviz.models.mirrors.relations import key_of

MAX_LINES = 500


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


@admin.display(description=_("position"))
def position(line: Line) -> int:
    """Return the position, counted from 1."""
    return line.position + 1


class LineInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    template = "admin/django_altoviz/lines.html"
    verbose_name_plural = format_lazy(_("lines (at most the first {count})"), count=MAX_LINES)
    fields: ClassVar[list[Any]] = [
        position,
        column(Line, "type"),
        "plain_description",
        column(Line, "quantity"),
        "unit_code",
        column(Line, "tax_excluded_price"),
        "discount",
        column(Line, "vat_rate"),
        column(Line, "tax_excluded_amount"),
        column(Line, "tax_included_amount"),
        "product_page",
    ]
    readonly_fields = fields

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # a line is part of its document, whose permission is checked

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        lines = super().get_queryset(request).filter(position__lt=MAX_LINES)
        return lines.select_related("product").defer("data", "product__data")

    @admin.display(description=_("description"))
    def plain_description(self, line: Line) -> str:
        if not line.description:
            return EMPTY
        return self.renderer.paragraphs(html_to_text(line.description))

    @admin.display(description=_("discount"))
    def discount(self, line: Line) -> str:
        return format_discount(line.discount_value, line.discount_type)

    @admin.display(description=_("product"))
    def product_page(self, line: Line) -> str:
        return self.link_if_mirrored(line.product, line.product_altoviz_id, line.product_number)


class InvoiceLineInline(LineInline):
    model = InvoiceLine


class QuoteLineInline(LineInline):
    model = QuoteLine


class DocumentAdmin(MirrorAdmin):
    ordering = ["-date", "-id"]
    list_select_related = ["customer"]
    deferred = ["data", "customer__data"]
    search_help_text = _(
        "Search by any parts of the number, subject, order reference, or Altoviz id, and of the "
        "customer’s name, number, SIRET or VAT number."
    )

    @admin.display(description=_("customer"))
    def customer_page(self, document: Document) -> str:
        name = document.customer_name
        return self.link_if_mirrored(document.customer, document.customer_altoviz_id, name)

    @admin.display(description=_("business signals"))
    def signals_sent(self, document: Document) -> str:
        return ", ".join(business_signal_labels(document.business_signals)) or EMPTY

    @admin.display(description=_("global discount"))
    def global_discount(self, document: Document) -> str:
        return format_discount(document.global_discount_value, document.global_discount_type)

    @admin.display(description=_("public link"))
    def public_page(self, document: Document) -> str:
        url = document.public_link or ""
        if not url.lower().startswith(("https://", "http://")):
            return url or EMPTY
        hint = _("Anyone who has this link can read the document without a login.")
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
        (None, {"fields": ["number", "subject", "date", "signals_sent"]}),
        _PARTIES,
        (_("Amounts"), {"fields": [*_AMOUNTS, column(Invoice, "overdue"), VAT_AMOUNTS, DUE_DATES]}),
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
        """Return all states of the invoice: a draft of 0 is also paid, for example."""
        flags = ("is_draft", "is_proforma", "is_paid", "is_cancelled")
        names = [name for name in flags if getattr(invoice, name)]
        if not names and invoice.is_draft is False:
            return gettext("finalised")
        fields: list[Any] = [Invoice._meta.get_field(name) for name in names]
        return ", ".join(str(field.verbose_name) for field in fields) or EMPTY

    @admin.display(description=_("replaced by"))
    def replacement(self, invoice: Invoice) -> str:
        if invoice.replaced_by is None:
            return EMPTY
        key = key_of(invoice.account, invoice.replaced_by)
        later = Invoice.with_deleted.filter(key=key).first()
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
        (None, {"fields": ["number", "subject", "date", "validity_date", "signals_sent"]}),
        _PARTIES,
        (_("Amounts"), {"fields": [*_AMOUNTS, "deposit", VAT_AMOUNTS]}),
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
        return format_discount(quote.deposit_value, quote.deposit_type)
