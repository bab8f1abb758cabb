"""The lines of invoices and quotes, as tables on the pages of these."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.base import ReadOnly
from django_altoviz.admin.rendering import EMPTY, amount
from django_altoviz.models import InvoiceLine, QuoteLine
from django_altoviz.models.documents import Line

MOST_LINES = 500


class LineInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    template = "admin/django_altoviz/lines.html"
    verbose_name_plural = format_lazy(_("lines (the first {count} at most)"), count=MOST_LINES)
    fields: ClassVar[list[Any]] = [
        "position",
        "type",
        "description",
        "quantity",
        "unit_code",
        amount(Line, "tax_excluded_price"),
        "discount",
        "vat_rate",
        amount(Line, "tax_excluded_amount"),
        amount(Line, "tax_included_amount"),
        "product_page",
    ]
    readonly_fields = fields

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # lines are a part of their document, which has its own permission

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        lines = super().get_queryset(request).filter(position__lt=MOST_LINES)
        return lines.select_related("product").defer("data", "product__data")

    @admin.display(description=_("discount"))
    def discount(self, line: Line) -> str:
        if line.discount_value is None:
            return EMPTY
        unit = "%" if line.discount_type == "Percent" else line.discount_type or ""
        return f"{number_format(line.discount_value)} {unit}"

    @admin.display(description=_("product"))
    def product_page(self, line: Line) -> str:
        return self.link_if_mirrored(line.product, line.product_id)


class InvoiceLineInline(LineInline):
    model = InvoiceLine


class QuoteLineInline(LineInline):
    model = QuoteLine
