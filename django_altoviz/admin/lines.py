"""The lines of a document, as a table with its total."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.base import ReadOnly
from django_altoviz.admin.display.rendering import EMPTY
from django_altoviz.admin.display.values import (
    column,
    format_discount,
    format_value,
    html_to_text,
)
from django_altoviz.models import Document
from django_altoviz.models.mirrors.lines import Line

MAX_LINES = 500
#: The columns that the document has a total for.
_TOTALLED = ("tax_excluded_amount", "tax_included_amount")


@dataclass(frozen=True)
class Lines:
    """A table: the name and the label of each column, and the cells of each line.

    ``totals`` are the cells of the last row. ``is_cut`` says that there are more lines.
    """

    columns: list[tuple[str, Any]]
    rows: list[list[tuple[str, Any]]]
    totals: list[tuple[str, Any]]
    is_cut: bool


def lines_of(document: Document, page: ReadOnly) -> Lines:
    """Read the first lines of a document in one query."""
    lines = document.lines.order_by("position").select_related("product")
    found = list(lines.defer("data", "product__data")[: MAX_LINES + 1])
    columns = _columns_for(page)
    return Lines(
        columns=[(each.__name__, each.short_description) for each in columns],
        rows=[
            [(each.__name__, page.renderer.shown(each(line))) for each in columns]
            for line in found[:MAX_LINES]
        ],
        totals=[(each.__name__, _total(document, each.__name__)) for each in columns],
        is_cut=len(found) > MAX_LINES,
    )


def _total(document: Document, name: str) -> str:
    if name not in _TOTALLED:
        return ""
    field: Any = document._meta.get_field(name)
    return format_value(field, getattr(document, name))


def _columns_for(page: ReadOnly) -> list[Any]:
    @admin.display(description=_("position"))
    def position(line: Line) -> int:
        return line.position + 1

    @admin.display(description=_("description"))
    def plain_description(line: Line) -> str:
        if not line.description:
            return EMPTY
        return page.renderer.paragraphs(html_to_text(line.description))

    @admin.display(description=_("discount"))
    def discount(line: Line) -> str:
        return format_discount(line.discount_value, line.discount_type)

    @admin.display(description=_("product"))
    def product_page(line: Line) -> str:
        return page.link_if_mirrored(line.product, line.product_altoviz_id, line.product_number)

    return [
        position,
        column(Line, "type"),
        plain_description,
        column(Line, "quantity"),
        column(Line, "unit_code"),
        column(Line, "tax_excluded_price"),
        discount,
        column(Line, "vat_rate"),
        column(Line, "tax_excluded_amount"),
        column(Line, "tax_included_amount"),
        product_page,
    ]
