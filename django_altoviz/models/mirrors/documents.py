"""The base of invoices and quotes, and of their lines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_altoviz.exact_json import same
from django_altoviz.exceptions import InvalidPayload
from django_altoviz.models.mirrors.base import Mirror, short
from django_altoviz.models.mirrors.fields import (
    AmountField,
    ExactJSONField,
    IdentifierField,
    MirrorKey,
)
from django_altoviz.models.mirrors.parties import Customer
from django_altoviz.models.mirrors.payloads import (
    SHORT_TEXT,
    amount,
    day,
    flag,
    integer,
    objects,
    short_text,
    text,
    timestamp,
)
from django_altoviz.models.mirrors.products import Product


class BusinessSignal(NamedTuple):
    """Two tests on a document's columns: the signal is due, and what it says was undone.

    A document that has moved on passes neither: a cancelled invoice does not count as paid, and its
    payment was not undone. If a value is missing, neither passes.
    """

    is_reached: Callable[[Any], bool]
    is_undone: Callable[[Any], bool]


class Document(Mirror):
    """The base of invoices and quotes. Customer columns are a snapshot of the day it was written."""

    number = short(_("number"))
    date = models.DateField(_("date"), null=True)
    subject = models.TextField(_("subject"), null=True)
    customer = MirrorKey(Customer, related_name="%(class)ss", verbose_name=_("customer"))
    customer_number = short(_("customer number"))
    customer_name = models.TextField(_("customer name"), null=True)
    customer_type = short(_("customer type"))
    customer_siret = short(_("customer SIRET"))
    customer_vat_number = short(_("customer VAT number"))
    customer_electronic_address = short(_("customer electronic address"))
    customer_order_reference = models.TextField(_("customer order reference"), null=True)
    vendor_reference = models.TextField(_("vendor reference"), null=True)
    gross_tax_excluded_amount = AmountField(_("gross amount without tax"), null=True)
    global_discount_type = short(_("global discount type"))
    global_discount_value = AmountField(_("global discount"), null=True)
    tax_excluded_amount = AmountField(_("amount without tax"), null=True)
    shipping_amount = AmountField(_("shipping amount"), null=True)
    tax_amount = AmountField(_("tax amount"), null=True)
    tax_included_amount = AmountField(_("amount with tax"), null=True)
    balance = AmountField(_("balance"), null=True)
    use_tax_included_prices = models.BooleanField(_("prices include tax"), null=True)
    vat_reverse_charge = models.BooleanField(_("VAT reverse charge"), null=True)
    liable_to_vat = models.BooleanField(_("liable to VAT"), null=True)
    region = short(_("region"))
    sent_at = models.DateTimeField(_("sent at"), null=True)
    pdf_url = models.TextField(
        _("PDF"), null=True, help_text=_("A path at the API; it needs the API key.")
    )
    public_link = models.TextField(
        _("public link"), null=True, help_text=_("Opens the document for anyone who has the link.")
    )

    business_signals = models.JSONField(
        _("business signals"),
        default=list,
        help_text=_("The business signals that were sent for the document, or would have been."),
    )

    #: The business signals by name.
    BUSINESS_SIGNALS: Mapping[str, BusinessSignal] = {}
    _ALWAYS_WRITTEN = (*Mirror._ALWAYS_WRITTEN, "business_signals")

    lines: Any  # the reverse side of the relation that each kind of line has
    # Lines that were read and are not saved yet. None: the stored ones stay.
    _new_lines: list[models.Model] | None = None

    class Meta(Mirror.Meta):
        abstract = True
        indexes = [
            *Mirror.Meta.indexes,
            models.Index(fields=["number"], name="altoviz_%(class)s_number"),
            models.Index(fields=["date"], name="altoviz_%(class)s_date"),
        ]

    def __str__(self) -> str:
        return self.number or str(self.altoviz_id)

    @classmethod
    def columns_from(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        return super().columns_from(data) | {
            "number": short_text(data, "number"),
            "date": day(data, "date"),
            "subject": text(data, "subject"),
            "customer_id": integer(data, "customerId"),
            "customer_number": short_text(data, "customerNumber"),
            "customer_name": text(data, "customerName"),
            "customer_type": short_text(data, "customerType"),
            "customer_siret": short_text(data, "customerSiret"),
            "customer_vat_number": short_text(data, "customerVatNumber"),
            "customer_electronic_address": short_text(data, "customerElectronicAddress"),
            "customer_order_reference": text(data, "customerOrderReference"),
            "vendor_reference": text(data, "vendorReference"),
            "gross_tax_excluded_amount": amount(data, "grossTaxExcludedAmount"),
            "global_discount_type": short_text(data, "globalDiscount", "type"),
            "global_discount_value": amount(data, "globalDiscount", "value"),
            "tax_excluded_amount": amount(data, "taxExcludedAmount"),
            "shipping_amount": amount(data, "shippingAmount"),
            "tax_amount": amount(data, "taxAmount"),
            "tax_included_amount": amount(data, "taxIncludedAmount"),
            "balance": amount(data, "balance"),
            "use_tax_included_prices": flag(data, "useTaxIncludedPrices"),
            "vat_reverse_charge": flag(data, "vatReverseCharge"),
            "liable_to_vat": flag(data, "liableToVat"),
            "region": short_text(data, "region"),
            "sent_at": timestamp(data, "sentAt"),
            "pdf_url": text(data, "pdfUrl"),
            "public_link": text(data, "publicLink"),
        }

    def _read_lines(self, data: Mapping[str, Any]) -> None:
        is_known = not self._state.adding and same(self.data.get("lines"), data.get("lines"))
        self._new_lines = None if is_known else self._lines_from(data)

    def _lines_from(self, data: Mapping[str, Any]) -> list[models.Model]:
        relation: Any = self._meta.get_field("lines")
        lines = []
        for position, line in enumerate(objects(data, "lines")):
            try:
                columns = relation.related_model.columns_from(line)
            except InvalidPayload as error:
                path = f"lines.{position}.{error.path}"
                raise InvalidPayload(path, error.problem) from error
            columns[relation.field.attname] = self.altoviz_id
            lines.append(relation.related_model(position=position, data=line, **columns))
        return lines

    def _pending_lines(self) -> list[models.Model]:
        return self._new_lines or []

    def _update_business_signals(self, *, from_api: bool) -> list[str]:
        signals = self.BUSINESS_SIGNALS.items()
        # A delivery that shows a signal undone may be a late one. Only the API's word counts, so that
        # no signal is sent twice.
        undone = {name for name, each in signals if from_api and each.is_undone(self)}
        kept = [name for name in self.business_signals if name not in undone]
        new = [name for name, each in signals if name not in kept and each.is_reached(self)]
        self.business_signals = [*kept, *new]
        return new

    def _save(self, changes: Collection[str], using: str) -> None:
        is_new = self._state.adding
        super()._save(changes, using)
        if self._new_lines is None:
            return
        # Lines have no life outside their document, so they are replaced as a whole.
        if not is_new:
            self.lines.all().delete()
        self.lines.bulk_create(self._new_lines)


class Line(models.Model):
    """A line of a document, in the order of the payload's list [documented].

    Several documents may use the same line id, so document and position identify a line.
    """

    position = models.PositiveIntegerField(_("position"))
    altoviz_id = models.BigIntegerField(_("Altoviz id"), null=True)
    type = short(_("type"))
    description = models.TextField(_("description"), null=True, help_text=_("May be HTML."))
    date = models.DateField(_("date"), null=True)
    product = MirrorKey(Product, related_name="%(class)ss", verbose_name=_("product"))
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
    data = ExactJSONField(_("data"))

    class Meta:
        abstract = True
        ordering = ["position"]

    def __str__(self) -> str:
        return self.description or str(self.position)

    @classmethod
    def columns_from(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "altoviz_id": integer(data, "id"),
            "type": short_text(data, "type"),
            "description": text(data, "description"),
            "date": day(data, "date"),
            "product_id": integer(data, "productId"),
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
