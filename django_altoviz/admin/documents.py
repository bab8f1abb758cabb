"""The pages of documents, with their lines, laid out for accountants."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.display.details import (
    ADDRESSES,
    NOTES,
    VAT_AMOUNTS,
    VAT_NOTE,
)
from django_altoviz.admin.display.rendering import EMPTY
from django_altoviz.admin.display.states import badges, days_overdue, overdue_for, states_of
from django_altoviz.admin.display.values import business_signal_labels, column, format_discount
from django_altoviz.admin.filters import DueFilter, QuoteStatusFilter
from django_altoviz.admin.lines import lines_of
from django_altoviz.admin.lists import DocumentChangeList, DocumentPaginator
from django_altoviz.admin.mirrors import MirrorAdmin
from django_altoviz.models import Credit, Document, Invoice, Quote
from django_altoviz.models.mirrors.accounting import AccountingDocument
from django_altoviz.models.mirrors.relations import key_of

_PARTIES: Any = (
    _("Parties"),
    {
        "fields": [
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
    date_hierarchy = "date"
    paginator = DocumentPaginator
    list_select_related = ["customer"]
    deferred = ["data", "customer__data"]
    search_help_text = _(
        "Search by any parts of the number, subject, order reference, or Altoviz id, and of the "
        "customer’s name, number, SIRET or VAT number."
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DocumentChangeList]:
        return DocumentChangeList

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["lines"] = lines_of(context["original"], self)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=_("state"))
    def state(self, document: Document) -> str:
        return badges(states_of(document)) or EMPTY

    @admin.display(description=_("customer"))
    def customer_page(self, document: Document) -> str:
        name = document.customer_name
        # The name that the document has, by which it is also found. The customer may have another one now.
        return self.link_if_mirrored(
            document.customer, document.customer_altoviz_id, name, label=name
        )

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


_LISTED: list[Any] = [
    "number",
    "date",
    "customer_page",
    "state",
    column(AccountingDocument, "tax_included_amount"),
    column(AccountingDocument, "balance"),
    column(AccountingDocument, "next_due_date"),
    "days_overdue",
    column(AccountingDocument, "tax_excluded_amount"),
]
_LEAD: list[Any] = [
    column(AccountingDocument, "date"),
    column(AccountingDocument, "tax_excluded_amount"),
    column(AccountingDocument, "tax_amount"),
    column(AccountingDocument, "tax_included_amount"),
    column(AccountingDocument, "balance"),
    column(AccountingDocument, "next_due_date"),
    "days_overdue",
]
_TOP: Any = (None, {"fields": ["number", "subject", "date", "signals_sent"]})
_OWED: Any = (
    _("Amounts"),
    {"fields": [*_AMOUNTS, column(AccountingDocument, "overdue"), VAT_AMOUNTS]},
)


class AccountingDocumentAdmin(DocumentAdmin):
    """The base of the pages of invoices and credits."""

    @admin.display(description=_("overdue for"), ordering="next_due_date")
    def days_overdue(self, document: AccountingDocument) -> str:
        return overdue_for(days) if (days := days_overdue(document)) else EMPTY


@admin.register(Invoice)
class InvoiceAdmin(AccountingDocumentAdmin):
    list_display = [*_LISTED, "sent_at"]
    list_filter = [
        DueFilter,
        *("is_draft", "is_paid", "is_cancelled", "is_proforma", "date", "sent_at"),
    ]
    lead = ["customer_page", *_LEAD]
    fieldsets = [
        _TOP,
        _PARTIES,
        _OWED,
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
                    "credit",
                    "sent_at",
                ]
            },
        ),
        _VAT,
        _ADDRESSES,
        _NOTES,
        _LINKS,
    ]

    @admin.display(description=_("cancellation credit"))
    def credit(self, invoice: Invoice) -> str:
        id, number = invoice.cancellation_credit_altoviz_id, invoice.cancellation_credit_number
        return self.link_if_mirrored(invoice.cancellation_credit, id, number)

    @admin.display(description=_("replaced by"))
    def replacement(self, invoice: Invoice) -> str:
        if invoice.replaced_by is None:
            return EMPTY
        key = key_of(invoice.account, invoice.replaced_by)
        later = Invoice.with_deleted.filter(key=key).first()
        return self.link_if_mirrored(later, invoice.replaced_by)


@admin.register(Credit)
class CreditAdmin(AccountingDocumentAdmin):
    list_display = [*_LISTED, "cancelled_invoice_number", "sent_at"]
    list_filter = [DueFilter, "is_draft", "is_paid", "is_cancelled", "date", "sent_at"]
    lead = ["customer_page", "invoice", *_LEAD]
    fieldsets = [
        _TOP,
        _PARTIES,
        _OWED,
        (
            _("State"),
            {
                "fields": [
                    "is_draft",
                    "is_paid",
                    "is_cancelled",
                    column(Credit, "vat_mode"),
                    "invoice",
                    "sent_at",
                ]
            },
        ),
        _VAT,
        _ADDRESSES,
        _NOTES,
        _LINKS,
    ]

    @admin.display(description=_("cancelled invoice"))
    def invoice(self, credit: Credit) -> str:
        id, number = credit.cancelled_invoice_altoviz_id, credit.cancelled_invoice_number
        return self.link_if_mirrored(credit.cancelled_invoice, id, number)


@admin.register(Quote)
class QuoteAdmin(DocumentAdmin):
    list_display = [
        "number",
        "date",
        "customer_page",
        "state",
        column(Quote, "tax_included_amount"),
        "validity_date",
        column(Quote, "tax_excluded_amount"),
        "sent_at",
    ]
    lead = [
        "customer_page",
        column(Quote, "date"),
        column(Quote, "validity_date"),
        column(Quote, "tax_excluded_amount"),
        column(Quote, "tax_amount"),
        column(Quote, "tax_included_amount"),
    ]
    list_filter = [QuoteStatusFilter, "date", "validity_date", "sent_at"]
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
