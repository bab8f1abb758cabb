"""The lines of documents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from django.db import connections, models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from django_altoviz.exact_json import same
from django_altoviz.models.mirrors.base import short
from django_altoviz.models.mirrors.fields import (
    AmountField,
    ExactJSONField,
    ExactTextField,
    IdentifierField,
)
from django_altoviz.models.mirrors.payloads import (
    SHORT_TEXT,
    amount,
    day,
    integer,
    short_text,
    text,
)
from django_altoviz.models.mirrors.products import Product
from django_altoviz.models.mirrors.relations import MirrorKey

# Lines that change places would collide: until each has its new position, this is added to the old.
_ASIDE = 2**30


class Line(models.Model):
    """A line of a document, in the order of the payload's list [documented].

    Several documents may use the same line id, so document and position identify a line.
    """

    position = models.PositiveIntegerField(_("position"))
    altoviz_id = models.BigIntegerField(_("Altoviz id"), null=True)
    type = short(_("type"))
    description = ExactTextField(_("description"), null=True, help_text=_("May be HTML."))
    date = models.DateField(_("date"), null=True)
    product_altoviz_id = models.BigIntegerField(_("product id"), null=True)
    product = MirrorKey(Product, null=True, related_name="%(class)ss", verbose_name=_("product"))
    product_number = short(_("product number"))
    product_internal_id = IdentifierField(
        _("product internal id"), max_length=SHORT_TEXT, null=True
    )
    classification_id = models.BigIntegerField(_("classification id"), null=True)
    quantity = AmountField(_("quantity"), null=True)
    unit_code = short(_("unit"))
    tax_excluded_price = AmountField(_("price without tax"), null=True)
    tax_included_price = AmountField(_("price with tax"), null=True)
    discount_type = short(_("discount type"))
    discount_value = AmountField(_("discount"), null=True)
    vat_rate = AmountField(_("VAT rate"), null=True, help_text=_("In per cent."))
    vat_region = short(_("VAT region"))
    tax_excluded_amount = AmountField(_("amount without tax"), null=True)
    tax_included_amount = AmountField(_("amount with tax"), null=True)
    purchase_price = AmountField(_("purchase price"), null=True)
    margin_amount = AmountField(_("margin"), null=True)
    margin_rate = AmountField(_("margin rate"), null=True)
    data: ExactJSONField[Mapping[str, Any], dict[str, Any]] = ExactJSONField(_("data"))

    class Meta:
        abstract = True
        ordering = ["position"]
        indexes = [
            models.Index(fields=["product"], name="altoviz_%(class)s_product"),
            models.Index(fields=["product_altoviz_id"], name="altoviz_%(class)s_prod_id"),
        ]

    def __str__(self) -> str:
        return self.description or str(self.position)

    @classmethod
    def columns_from(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "altoviz_id": integer(data, "id"),
            "type": short_text(data, "type"),
            "description": text(data, "description"),
            "date": day(data, "date"),
            "product_altoviz_id": integer(data, "productId"),
            "product_number": short_text(data, "productNumber"),
            "product_internal_id": short_text(data, "productInternalId"),
            "classification_id": integer(data, "classificationId"),
            "quantity": amount(data, "quantity"),
            "unit_code": short_text(data, "unit", "code"),
            "tax_excluded_price": amount(data, "taxExcludedPrice"),
            "tax_included_price": amount(data, "taxIncludedPrice"),
            "discount_type": short_text(data, "discount", "type"),
            "discount_value": amount(data, "discount", "value"),
            "vat_rate": amount(data, "vat", "rate"),
            "vat_region": short_text(data, "vat", "region"),
            "tax_excluded_amount": amount(data, "taxExcludedAmount"),
            "tax_included_amount": amount(data, "taxIncludedAmount"),
            "purchase_price": amount(data, "purchasePrice"),
            "margin_amount": amount(data, "marginAmount"),
            "margin_rate": amount(data, "marginRate"),
        }


AnyLine = TypeVar("AnyLine", bound=Line)


def replace_lines(stored: models.QuerySet[AnyLine], lines: Sequence[AnyLine]) -> None:
    """Write the lines of a document in place of the ``stored`` ones. Must run in a transaction.

    A line with the same Altoviz id keeps its row, so that a project may link to it. What links to a
    line that is gone is treated as its ``on_delete`` says. The statements do not grow with the lines.

    Raises:
        django.db.models.ProtectedError: a project protects a line that is gone.
    """
    rows = {row.pk: row for row in stored}
    _give_rows(rows.values(), lines)
    kept = [line for line in lines if line.pk is not None]
    if gone := rows.keys() - {line.pk for line in kept}:
        stored.filter(pk__in=gone).delete()
    if moved := [line.pk for line in kept if line.position != rows[line.pk].position]:
        stored.filter(pk__in=moved).update(position=F("position") + _ASIDE)
    _overwrite([line for line in kept if not _is_same(line, rows[line.pk])], stored.db)
    stored.bulk_create([line for line in lines if line.pk is None])


def _give_rows(rows: Iterable[Line], lines: Iterable[Line]) -> None:
    """Give each line the primary key of the row that it keeps. Pair equal ids in their order."""
    by_id: dict[int | None, list[Line]] = defaultdict(list)
    for row in rows:
        by_id[row.altoviz_id].append(row)
    by_id.pop(None, None)  # a line without an id can't be told from another
    for line in lines:
        if same_id := by_id.get(line.altoviz_id):
            line.pk = same_id.pop(0).pk


def _is_same(line: Line, row: Line) -> bool:
    names = [field.attname for field in line._meta.concrete_fields]
    return same(line.data, row.data) and all(
        getattr(line, name) == getattr(row, name) for name in names
    )


def _overwrite(lines: list[AnyLine], using: str) -> None:
    """Write the stored lines in one statement: an INSERT whose rows are all there already."""
    if not lines:
        return
    model = type(lines[0])
    # MariaDB does not let a statement name the key that conflicts.
    takes_key = connections[using].features.supports_update_conflicts_with_target
    model._base_manager.using(using).bulk_create(
        lines,
        update_conflicts=True,
        unique_fields=["pk"] if takes_key else None,
        update_fields=[field.name for field in model._meta.concrete_fields if field.name != "id"],
    )
