"""The personal data in an object, and the object without them (GDPR erasure)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from django_altoviz.event_types import Entity

Payload = Mapping[str, Any]

#: The entities that have a customer and a snapshot of it.
DOCUMENTS = (Entity.INVOICE, Entity.QUOTE)
#: The contacts of a document. They are snapshots without an id [documented].
DOCUMENT_CONTACTS = ("billingContact", "shippingContact")
_KEPT_OF_DOCUMENTS = {
    *("id", "internalId", "number", "date", "status", "region", "pdfUrl", "sentAt"),
    *("customerId", "customerNumber", "customerType", "customerSiret", "customerVatNumber"),
    *("billingAddress", "shippingAddress", "lines", "vats", "commitments", "deposit"),
    *("isCancelled", "isDraft", "isPaid", "isProforma", "overdue", "replacedBy"),
    *("cancellationCreditId", "cancellationCreditNumber"),
    *("acceptedAt", "refusedAt", "validityDate"),
    *("balance", "globalDiscount", "grossTaxExcludedAmount", "shippingAmount", "shippingVat"),
    *("taxAmount", "taxExcludedAmount", "taxIncludedAmount", "useTaxIncludedPrices"),
    *("liableToVat", "vatMode", "vatNote", "vatReverseCharge"),
}
#: Allow list: the fields that are kept. Any other field is redacted, also one that Altoviz adds
#: later. ``internalId`` is the project's own key. The references that people type
#: (``customerOrderReference``, ``vendorReference``, ``buyerReference``) may name somebody.
KEPT = {
    Entity.CUSTOMER: {
        "id",
        "number",
        "type",
        "internalId",
        "active",
        "family",
        "billingOptions",
        "companyInformations",
        "billingAddress",
        "shippingAddress",
    },
    Entity.CONTACT: {"id", "internalId"},
    Entity.INVOICE: _KEPT_OF_DOCUMENTS,
    Entity.QUOTE: _KEPT_OF_DOCUMENTS,
}
#: The keys that are kept of nested objects, and of the objects in a list: the country decides on the
#: VAT, and the tax office identifies a company by its numbers.
KEPT_INSIDE = {
    "billingAddress": {"countryIso", "countryName"},
    "shippingAddress": {"countryIso", "countryName"},
    "companyInformations": {"siret", "vatNumber"},
    "billingOptions": {
        *("allowed", "bankAccountId", "colleagueId", "discount", "paymentMethod"),
        *("initialCommitmentAmount", "initialCommitmentDate", "initialCommitmentStatus"),
        *("sendDocumentAsAttachment", "settlementTermId", "liableToVat"),
        *("useTaxIncludedPrices", "vatReverseCharge"),
    },
    "lines": {
        *("id", "type", "date", "description", "quantity", "unit", "vat", "discount"),
        *("classificationId", "product", "productId", "productInternalId", "productNumber"),
        *("purchasePrice", "marginAmount", "marginRate"),
        *("taxExcludedAmount", "taxExcludedPrice", "taxIncludedAmount", "taxIncludedPrice"),
    },
    "vats": {"vat", "vatAmount", "taxExcludedAmount"},
    "commitments": {"id", "date", "amount", "dueAmount", "thirdId"},
    "globalDiscount": {"type", "value"},
    "deposit": {"type", "value"},
    "family": {"id", "number", "label", "internalId"},
    "shippingVat": {"default", "id", "label", "rate", "region"},
}
#: The texts that are kept of an entity that this version does not know.
KEPT_TEXTS = {"number", "type", "status", "date", "internalId", "customerNumber", "countryIso"}
_DOCUMENT_COLUMNS = {
    "customer_name",
    "customer_electronic_address",
    "customer_order_reference",
    "vendor_reference",
    "subject",
    "public_link",
}
#: The columns filled from redacted fields.
COLUMNS = {
    Entity.CUSTOMER: {
        "name",
        "company_name",
        "title",
        "first_name",
        "last_name",
        "email",
        "phone",
        "cell_phone",
        "electronic_address",
        "billing_zipcode",
        "billing_city",
    },
    Entity.CONTACT: {
        "title",
        "first_name",
        "last_name",
        "display_name",
        "inverted_display_name",
        "company_name",
        "function",
        "service",
        "email",
        "phone",
        "cell_phone",
    },
    Entity.INVOICE: _DOCUMENT_COLUMNS,
    Entity.QUOTE: _DOCUMENT_COLUMNS,
}
_NOTHING: Payload = MappingProxyType({})
# No object of Altoviz is nested so deep, but a body may be nested deeper than Python's stack.
_MAX_DEPTH = 50


def without_personal_data(
    entity: Entity, data: Payload, mirrored: Payload = _NOTHING
) -> dict[str, Any]:
    """Return the object with ``null`` in place of personal data.

    A field that is not ``null`` in ``mirrored``, the object as the mirror holds it, keeps its value.
    """
    return {
        name: _redact_field(entity, name, value, mirrored.get(name)) for name, value in data.items()
    }


def _redact_field(entity: Entity, name: str, value: Any, mirrored: Any) -> Any:
    if name not in KEPT[entity]:
        return None if mirrored is None else value
    kept = KEPT_INSIDE.get(name)
    if kept is None:
        return None if isinstance(value, dict | list) else value  # it may hold anything
    if isinstance(value, list):
        return [_redact_inside(kept, item, _NOTHING) for item in value]
    return _redact_inside(kept, value, mirrored if isinstance(mirrored, dict) else _NOTHING)


def _redact_inside(kept: Collection[str], value: Any, known: Payload) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None  # not an object as documented, so it may hold anything
    return {
        key: item if key in kept or known.get(key) is not None else None
        for key, item in value.items()
    }


def has_other_customer(data: Payload, mirrored: Payload) -> bool:
    """Return True if a document now names another customer than the mirror does."""
    former, present = mirrored.get("customerId"), data.get("customerId")
    return former is not None and present is not None and former != present


def as_erased(entity: Entity, data: Payload, mirrored: Payload) -> dict[str, Any]:
    """Return ``data`` as the erased row that holds ``mirrored`` may store it.

    Personal data are left out unless the row holds such data already. A document that was given to
    another customer is stored whole, because the erasure does not concern that customer.
    """
    if has_other_customer(data, mirrored):
        return {**data}
    return without_personal_data(entity, data, mirrored)


def without_contacts(data: Payload, emails: Collection[str]) -> dict[str, Any]:
    """Return a document without the contacts that have one of the lower-case ``emails``."""
    gone = [name for name in DOCUMENT_CONTACTS if email_of(data.get(name)) in emails]
    return {**data, **dict.fromkeys(gone)}


def email_of(person: Any) -> str:
    """Return the e-mail address of a customer or contact in lower case, or "" if it has none."""
    email = person.get("email") if isinstance(person, dict) else None
    return email.lower() if isinstance(email, str) else ""


def without_texts(value: Any, name: str = "", depth: int = 0) -> Any:
    """Return a value of an unknown entity without its texts, except those in ``KEPT_TEXTS``."""
    if isinstance(value, dict | list) and depth == _MAX_DEPTH:
        return None
    if isinstance(value, dict):
        return {key: without_texts(item, key, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [without_texts(item, name, depth + 1) for item in value]
    return None if isinstance(value, str) and name not in KEPT_TEXTS else value


def scalars(value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each text, number, boolean and null, with the last two keys of its path."""
    todo: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, dict):
            todo += [((*path[-1:], key), item) for key, item in value.items()]
        elif isinstance(value, list):
            todo += [(path, item) for item in value]
        else:
            yield path, value
