"""The base of invoices, quotes and credits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_altoviz.exact_json import same
from django_altoviz.exceptions import InvalidPayload
from django_altoviz.models.mirrors.base import Changes, Mirror, short
from django_altoviz.models.mirrors.fields import AmountField, ExactDateTimeField, ExactTextField
from django_altoviz.models.mirrors.lines import Line, replace_lines
from django_altoviz.models.mirrors.parties import Customer
from django_altoviz.models.mirrors.payloads import (
    amount,
    day,
    flag,
    integer,
    objects,
    short_text,
    text,
    timestamp,
)
from django_altoviz.models.mirrors.relations import MirrorKey, key_of

#: No company's invoice has as many [inferred]. Each line takes a worker about 0.15 ms.
MAX_DOCUMENT_LINES = 10_000


#: What the admin's list adds up. An index has it, beside the state, because the rows are large.
TOTALLED = ("tax_excluded_amount", "tax_included_amount", "balance")


class BusinessSignal(NamedTuple):
    """Two tests on a document's columns: the signal is due, and what it says was undone.

    A document that has moved on passes neither: a cancelled invoice does not count as paid, and its
    payment was not undone. If a value is missing, neither passes.
    """

    is_reached: Callable[[Any], bool]
    is_undone: Callable[[Any], bool]


class Document(Mirror):
    """The base of documents. Customer columns are a snapshot of the day it was written."""

    number = short(_("number"))
    date = models.DateField(_("date"), null=True)
    subject = ExactTextField(_("subject"), null=True)
    customer_altoviz_id = models.BigIntegerField(_("customer id"), null=True)
    customer = MirrorKey(Customer, null=True, related_name="%(class)ss", verbose_name=_("customer"))
    customer_number = short(_("customer number"))
    customer_name = ExactTextField(_("customer name"), null=True)
    customer_type = short(_("customer type"))
    customer_siret = short(_("customer SIRET"))
    customer_vat_number = short(_("customer VAT number"))
    customer_electronic_address = short(_("customer electronic address"))
    customer_order_reference = ExactTextField(_("customer order reference"), null=True)
    vendor_reference = ExactTextField(_("vendor reference"), null=True)
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
    sent_at = ExactDateTimeField(_("sent at"), null=True)
    pdf_url = ExactTextField(
        _("PDF"), null=True, help_text=_("A path at the API; it needs the API key.")
    )
    public_link = ExactTextField(
        _("public link"), null=True, help_text=_("Opens the document for anyone who has the link.")
    )

    business_signals: models.JSONField[list[str], list[str]] = models.JSONField(
        _("business signals"),
        default=list,
        help_text=_("The business signals that were sent for the document, or would have been."),
    )

    #: The relations to objects of the account: ``customer`` has the key of ``customer_altoviz_id``.
    _RELATIONS: tuple[str, ...] = ("customer",)
    #: Those that are neither paid nor cancelled. A draft of 0 counts as paid [observed].
    OPEN: models.Q | None = models.Q(is_draft=True) | ~models.Q(is_paid=True) & ~models.Q(
        is_cancelled=True
    )
    #: The business signals by name.
    BUSINESS_SIGNALS: Mapping[str, BusinessSignal] = {}
    _SEARCHED = (
        *Mirror._SEARCHED,
        "number",
        "subject",
        "customer_number",
        "customer_name",
        "customer_siret",
        "customer_vat_number",
        "customer_order_reference",
    )
    _ALWAYS_WRITTEN = (*Mirror._ALWAYS_WRITTEN, "business_signals")

    lines: Any  # the reverse side of the relation that each kind of line has
    # Lines that were read and are not saved yet. None: the stored ones stay.
    _new_lines: list[Line] | None = None
    # The number of stored lines when the row was locked.
    _stored_lines: int | None = None

    class Meta(Mirror.Meta):
        abstract = True
        default_permissions = (  # type: ignore[assignment]
            *Mirror.Meta.default_permissions,
            "download",
        )
        indexes = [
            *Mirror.Meta.indexes,
            models.Index(fields=["number"], name="altoviz_%(class)s_number"),
            models.Index(fields=["date"], name="altoviz_%(class)s_date"),
            models.Index(fields=["customer"], name="altoviz_%(class)s_customer"),
            models.Index(fields=["customer_altoviz_id"], name="altoviz_%(class)s_cust_id"),
        ]

    def __str__(self) -> str:
        return self.number or str(self.altoviz_id)

    @classmethod
    def columns_from(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        return super().columns_from(data) | {
            "number": short_text(data, "number"),
            "date": day(data, "date"),
            "subject": text(data, "subject"),
            "customer_altoviz_id": integer(data, "customerId"),
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

    @classmethod
    def _lines_key(cls) -> Any:
        """Return the lines' foreign key to the document."""
        relation: Any = cls._meta.get_field("lines")
        return relation.field

    @classmethod
    def count_lines(cls, account: str, ids: Iterable[int], using: str | None) -> Counter[int]:
        """Count the stored lines of an account's documents, by Altoviz id, in one query."""
        key = cls._lines_key()
        documents = {key_of(account, id): id for id in ids}
        lines = key.model._base_manager.using(using).filter(**{f"{key.name}__in": [*documents]})
        counts = lines.order_by().values_list(key.name).annotate(models.Count("pk"))
        return Counter({documents[document]: count for document, count in counts})

    @classmethod
    def _counts(cls) -> Mapping[str, Any]:
        return {"_stored_lines": cls._lines_key()}

    def _assign(self, columns: Mapping[str, Any]) -> Changes:
        changes = super()._assign(columns)
        for name in self._RELATIONS:
            setattr(self, f"{name}_id", key_of(self.account, getattr(self, f"{name}_altoviz_id")))
        return changes

    def _read_lines(self, data: Mapping[str, Any]) -> None:
        is_known = not self._state.adding and same(self.data.get("lines"), data.get("lines"))
        # Lines that were deleted here come back, although they are the same at Altoviz.
        is_whole = self._stored_lines in (None, len(objects(data, "lines")))
        self._new_lines = None if is_known and is_whole else self._lines_from(data)

    def _lines_from(self, data: Mapping[str, Any]) -> list[Line]:
        key = self._lines_key()
        lines: list[Line] = []
        found = objects(data, "lines")
        if len(found) > MAX_DOCUMENT_LINES:
            raise InvalidPayload("lines", f"more than {MAX_DOCUMENT_LINES} lines")
        for position, line in enumerate(found):
            try:
                columns = key.model.columns_from(line)
            except InvalidPayload as error:
                path = f"lines.{position}.{error.path}"
                raise InvalidPayload(path, error.problem) from error
            columns[key.attname] = key_of(self.account, self.altoviz_id)
            columns["product_id"] = key_of(self.account, columns["product_altoviz_id"])
            lines.append(key.model(position=position, data=line, **columns))
        return lines

    def _pending_lines(self) -> list[models.Model]:
        return [*(self._new_lines or ())]

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
        super()._save([*changes, *(f"{name}_id" for name in self._RELATIONS)], using)
        if self._new_lines is None:
            return
        key = self._lines_key()
        lines = key.model._base_manager.using(using)
        if is_new:
            lines.bulk_create(self._new_lines)
        else:
            replace_lines(lines.filter(**{key.name: self}), self._new_lines)
