"""Products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_altoviz.models.mirrors.base import Mirror, short
from django_altoviz.models.mirrors.fields import AmountField, ExactTextField
from django_altoviz.models.mirrors.payloads import amount, flag, short_text, text


class Product(Mirror):
    number = short(_("number"))
    name = ExactTextField(_("name"), null=True)
    description = ExactTextField(_("description"), null=True, help_text=_("May be HTML."))
    type = short(_("type"))
    unit_price = AmountField(_("unit price"), null=True)
    is_unit_price_tax_included = models.BooleanField(_("unit price includes tax"), null=True)
    purchase_price = AmountField(_("purchase price"), null=True)
    default_quantity = AmountField(_("default quantity"), null=True)
    vat_rate = AmountField(_("VAT rate"), null=True, help_text=_("In per cent."))
    vat_region = short(_("VAT region"))
    unit_code = short(_("unit"))
    family_number = short(_("family number"))
    family_label = ExactTextField(_("family"), null=True)
    active = models.BooleanField(_("active"), null=True)

    _SEARCHED = (*Mirror._SEARCHED, "number", "name")

    class Meta(Mirror.Meta):
        verbose_name = _("product")
        verbose_name_plural = _("products")
        indexes = [
            *Mirror.Meta.indexes,
            models.Index(fields=["number"], name="altoviz_product_number"),
        ]

    def __str__(self) -> str:
        return self.name or self.number or str(self.altoviz_id)

    @classmethod
    def columns_from(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        return super().columns_from(data) | {
            "number": short_text(data, "number"),
            "name": text(data, "name"),
            "description": text(data, "description"),
            "type": short_text(data, "type"),
            "unit_price": amount(data, "unitPrice"),
            "is_unit_price_tax_included": flag(data, "isUnitPriceTaxIncluded"),
            "purchase_price": amount(data, "purchasePrice"),
            "default_quantity": amount(data, "defaultQuantity"),
            "vat_rate": amount(data, "vat", "rate"),
            "vat_region": short_text(data, "vat", "region"),
            "unit_code": short_text(data, "unit", "code"),
            "family_number": short_text(data, "family", "number"),
            "family_label": text(data, "family", "label"),
            "active": flag(data, "active"),
        }
