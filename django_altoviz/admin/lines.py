"""The lines of invoices and quotes, as tables on the pages of these."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.base import ReadOnly
from django_altoviz.admin.display.rendering import EMPTY, paragraphs
from django_altoviz.admin.display.values import column, readable, reduction
from django_altoviz.models import InvoiceLine, QuoteLine
from django_altoviz.models.mirrors.documents import Line

MOST_LINES = 500


@admin.display(description=_("position"))
def position(line: Line) -> int:
    """As people count."""
    return line.position + 1


@admin.display(description=_("description"))
def description(line: Line) -> str:
    return paragraphs(readable(line.description)) if line.description else EMPTY


class LineInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    template = "admin/django_altoviz/lines.html"
    verbose_name_plural = format_lazy(_("lines (the first {count} at most)"), count=MOST_LINES)
    fields: ClassVar[list[Any]] = [
        position,
        column(Line, "type"),
        description,
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
        return True  # lines are a part of their document, which has its own permission

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        lines = super().get_queryset(request).filter(position__lt=MOST_LINES)
        return lines.select_related("product").defer("data", "product__data")

    @admin.display(description=_("discount"))
    def discount(self, line: Line) -> str:
        return reduction(line.discount_value, line.discount_type)

    @admin.display(description=_("product"))
    def product_page(self, line: Line) -> str:
        return self.link_if_mirrored(line.product, line.product_id, line.product_number)


class InvoiceLineInline(LineInline):
    model = InvoiceLine


class QuoteLineInline(LineInline):
    model = QuoteLine
