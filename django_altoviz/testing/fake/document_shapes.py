"""Shapes of invoices, quotes, credits and their lines: all fields, as Altoviz sends them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django_altoviz.testing.fake.amounts import line_amounts, number, totals
from django_altoviz.testing.fake.shapes import (
    STANDARD_VAT,
    UNIT,
    address,
    blank,
    contact_fields,
    merged,
    no_discount,
)
from django_altoviz.testing.fake.store import FakeRecord

_LINE = blank(
    "id", "description", "taxExcludedPrice", "taxIncludedPrice", "quantity", "taxExcludedAmount",
    "taxIncludedAmount", "discount", "date", "type", "productId", "productNumber",
    "productInternalId", "classificationId", "purchasePrice", "marginRate", "marginAmount",
    "product", "vat", "unit",
) | {"marginRate": number(0), "marginAmount": number(0)}  # fmt: skip

_DOCUMENT = blank(
    "id", "number", "date", "internalId", "customerId", "customerNumber", "customerName",
    "customerType", "customerSiret", "customerVatNumber", "customerElectronicAddress",
    "customerOrderReference", "billingContact", "billingAddress", "shippingContact",
    "shippingAddress", "subject", "useTaxIncludedPrices", "vatReverseCharge", "liableToVat",
    "lines", "grossTaxExcludedAmount", "globalDiscount", "taxExcludedAmount", "shippingAmount",
    "shippingVat", "taxAmount", "vats", "taxIncludedAmount", "headerNotes", "footerNotes",
    "internalNotes", "vendorReference", "vatNote", "metadata", "publicLink", "sentAt", "region",
    "balance", "pdfUrl",
) | {
    "useTaxIncludedPrices": False,
    "vatReverseCharge": False,
    "liableToVat": True,
    "lines": [],
    "globalDiscount": no_discount(),
    "shippingAmount": number(0),
    "shippingVat": STANDARD_VAT,
    "metadata": {},
    "region": "FR",
}  # fmt: skip
_ACCOUNTING_DOCUMENT = {
    "vatMode": "Auto",
    "isDraft": True,
    "isPaid": False,
    "isProforma": False,
    "isCancelled": False,
    "replacedBy": None,
    "overdue": number(0),
    "commitments": [],
}

QUOTE: FakeRecord = {
    "status": "Pending",
    **blank("validityDate", "acceptedAt", "refusedAt"),
    "deposit": no_discount(),
    **_DOCUMENT,
}
INVOICE: FakeRecord = {
    **_ACCOUNTING_DOCUMENT,
    **blank("cancellationCreditId", "cancellationCreditNumber"),
    **_DOCUMENT,
    # Undocumented, and always null [observed].
    **blank(
        "cancelledCreditId",
        "cancelledCreditNumber",
        "eInvoicingInvoiceId",
        "eInvoicingProviderId",
        "eInvoicingStatus",
    ),
}
CREDIT: FakeRecord = {
    **_ACCOUNTING_DOCUMENT,
    **_DOCUMENT,
    # The spelling "Invoicet" is Altoviz's own [documented].
    **blank("cancelledInvoicetId", "cancelledInvoicetNumber"),
    **blank("cancellationInvoiceId", "cancellationInvoiceNumber"),
}
del CREDIT["isProforma"]  # only invoices have it


def customer_fields(customer: FakeRecord) -> FakeRecord:
    """Return the fields that a document copies from its customer."""
    company = customer["companyInformations"] or {}
    person = ("title", "lastName", "firstName", "email", "cellPhone", "phone")
    return {
        "customerId": customer["id"],
        "customerNumber": customer["number"],
        "customerName": customer["name"],
        "customerType": customer["type"],
        "customerSiret": company.get("siret"),
        "customerVatNumber": company.get("vatNumber"),
        "customerElectronicAddress": company.get("effectiveElectronicAddress"),
        "billingContact": contact_fields(None, {name: customer[name] for name in person}),
        "billingAddress": customer["billingAddress"],
    }


def line(given: Mapping[str, Any], product: FakeRecord | None, id: int) -> FakeRecord:
    """Return a complete line: the fields of the product, overridden by the given ones.

    A line without a product and without a price is a text line, which has no amounts.
    """
    made = merged(_LINE, {**_product_fields(product), **given, "id": id}, "A line")
    if made["taxExcludedPrice"] is None:
        return made | {"type": made["type"] or "Text"}
    made["type"] = made["type"] or "Service"
    made["discount"] = made["discount"] or no_discount()
    # A key with None means none; only a missing key means the default.
    made["vat"] = made["vat"] if "vat" in given or product else STANDARD_VAT
    made["unit"] = made["unit"] if "unit" in given or product else UNIT
    made["quantity"] = number(1 if made["quantity"] is None else made["quantity"])
    made["taxExcludedPrice"] = number(made["taxExcludedPrice"])
    made["purchasePrice"] = number(made["purchasePrice"] or 0)
    return made | line_amounts(made)


def _product_fields(product: FakeRecord | None) -> FakeRecord:
    if product is None:
        return {}
    return {
        "description": product["name"],
        "taxExcludedPrice": product["unitPrice"],
        "purchasePrice": product["purchasePrice"],
        "quantity": product["defaultQuantity"],
        "type": product["type"],
        "productId": product["id"],
        "productNumber": product["number"],
        "productInternalId": product["internalId"],
        "product": product,
        "vat": product["vat"],
        "unit": product["unit"],
    }


def document(old: FakeRecord, new: FakeRecord, what: str) -> FakeRecord:
    """Return the document with new values and the totals. The lines must be complete already."""
    made = merged(old, new, what)
    for name in ("billingAddress", "shippingAddress"):
        made[name] = address(old[name], made[name])
    for name in ("billingContact", "shippingContact"):
        made[name] = contact_fields(old[name], made[name])
    if made["globalDiscount"]:
        value = number(made["globalDiscount"]["value"])
        made["globalDiscount"] = made["globalDiscount"] | {"value": value}
    return made | totals(made["lines"], made["globalDiscount"])
