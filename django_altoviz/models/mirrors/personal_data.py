"""The personal data in an object, and the object without them (GDPR erasure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from django_altoviz.event_types import Entity

Payload = Mapping[str, Any]
#: Returns True if a text holds one of the e-mail addresses of the person to erase.
HasAddress = Callable[[str], bool]

#: The entities that have a customer and a snapshot of it.
DOCUMENTS = (Entity.INVOICE, Entity.QUOTE, Entity.CREDIT)
#: The fields of an object that are kept, each with the fields that are kept inside it.
Kept = Mapping[str, "Kept"]


def _fields(*names: str, **objects: Kept) -> Kept:
    """Return plain values by their names, and objects (or lists of objects) by what is kept of them."""
    plain: dict[str, Kept] = {name: MappingProxyType({}) for name in names}
    return MappingProxyType(plain | objects)


_KEPT_OF_ADDRESSES = _fields("countryIso", "countryName")  # the country decides on the VAT
_KEPT_OF_AMOUNTS = _fields("type", "value")
_KEPT_OF_FAMILIES = _fields("id", "number", "label", "internalId")
_KEPT_OF_VAT = _fields("default", "id", "label", "rate", "region")
_KEPT_OF_UNITS = _fields("code", "conversion", "decimals", "id", "name", "type")
_KEPT_OF_PRODUCTS = _fields(
    *("id", "internalId", "number", "name", "description", "type", "active"),
    *("defaultQuantity", "imageUrl", "isUnitPriceTaxIncluded", "purchasePrice", "unitPrice"),
    vat=_KEPT_OF_VAT,
    unit=_KEPT_OF_UNITS,
    family=_KEPT_OF_FAMILIES,
)
_KEPT_OF_LINES = _fields(
    *("id", "type", "date", "description", "quantity", "classificationId"),
    *("productId", "productInternalId", "productNumber"),
    *("purchasePrice", "marginAmount", "marginRate"),
    *("taxExcludedAmount", "taxExcludedPrice", "taxIncludedAmount", "taxIncludedPrice"),
    unit=_KEPT_OF_UNITS,
    vat=_KEPT_OF_VAT,
    discount=_KEPT_OF_AMOUNTS,
    product=_KEPT_OF_PRODUCTS,
)
_KEPT_OF_DOCUMENTS = _fields(
    *("id", "internalId", "number", "date", "status", "region", "pdfUrl", "sentAt"),
    *("customerId", "customerNumber", "customerType", "customerSiret", "customerVatNumber"),
    *("isCancelled", "isDraft", "isPaid", "isProforma", "overdue", "replacedBy"),
    *("cancellationCreditId", "cancellationCreditNumber"),
    *("cancelledInvoicetId", "cancelledInvoicetNumber"),
    *("cancellationInvoiceId", "cancellationInvoiceNumber"),
    *("acceptedAt", "refusedAt", "validityDate"),
    *("balance", "grossTaxExcludedAmount", "shippingAmount"),
    *("taxAmount", "taxExcludedAmount", "taxIncludedAmount", "useTaxIncludedPrices"),
    *("liableToVat", "vatMode", "vatNote", "vatReverseCharge"),
    billingAddress=_KEPT_OF_ADDRESSES,
    shippingAddress=_KEPT_OF_ADDRESSES,
    lines=_KEPT_OF_LINES,
    vats=_fields("vatAmount", "taxExcludedAmount", vat=_KEPT_OF_VAT),
    commitments=_fields("id", "date", "amount", "dueAmount", "thirdId"),
    deposit=_KEPT_OF_AMOUNTS,
    globalDiscount=_KEPT_OF_AMOUNTS,
    shippingVat=_KEPT_OF_VAT,
)
#: Allow list: the fields that are kept. Any other field is redacted, also one that Altoviz adds
#: later. ``internalId`` is the project's own key. The references that people type
#: (``customerOrderReference``, ``vendorReference``, ``buyerReference``) may name somebody.
KEPT: Mapping[Entity, Kept] = {
    Entity.CUSTOMER: _fields(
        *("id", "number", "type", "internalId", "active"),
        family=_KEPT_OF_FAMILIES,
        # The tax office identifies a company by its numbers.
        companyInformations=_fields("siret", "vatNumber"),
        billingAddress=_KEPT_OF_ADDRESSES,
        shippingAddress=_KEPT_OF_ADDRESSES,
        billingOptions=_fields(
            *("allowed", "bankAccountId", "colleagueId", "paymentMethod"),
            *("initialCommitmentAmount", "initialCommitmentDate", "initialCommitmentStatus"),
            *("sendDocumentAsAttachment", "settlementTermId", "liableToVat"),
            *("useTaxIncludedPrices", "vatReverseCharge"),
            discount=_KEPT_OF_AMOUNTS,
        ),
    ),
    Entity.CONTACT: _fields("id", "internalId"),
    **dict.fromkeys(DOCUMENTS, _KEPT_OF_DOCUMENTS),
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
    **dict.fromkeys(DOCUMENTS, _DOCUMENT_COLUMNS),
}
_NOTHING: Payload = MappingProxyType({})
# A key of another spelling may be anything, even a name.
_FIELD_NAME = re.compile("[a-z][A-Za-z0-9_]{0,49}")


def without_personal_data(
    entity: Entity, data: Payload, mirrored: Payload = _NOTHING
) -> dict[str, Any]:
    """Return the object with ``null`` in place of personal data.

    A field that is not ``null`` in ``mirrored``, the object as the mirror holds it, keeps its value.
    """
    return _redact_object(KEPT[entity], data, mirrored)


def _redact_object(kept: Kept, data: Payload, mirrored: Payload) -> dict[str, Any]:
    return {
        name: _redact_field(kept.get(name), value, mirrored.get(name))
        for name, value in data.items()
        if name in kept or _FIELD_NAME.fullmatch(name)
    }


def _redact_field(kept: Kept | None, value: Any, mirrored: Any) -> Any:
    """Redact a field of which ``kept`` is kept: nothing inside it if it is a plain value."""
    if kept is None:
        return None if mirrored is None else value
    if not kept:
        return None if isinstance(value, dict | list) else value  # it may hold anything
    if isinstance(value, list):
        return [_redact_field(kept, item, None) for item in value]
    if not isinstance(value, dict):
        return None  # not an object as documented, so it may hold anything
    return _redact_object(kept, value, mirrored if isinstance(mirrored, dict) else _NOTHING)


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


def without_addresses(data: Payload, has_address: HasAddress) -> dict[str, Any]:
    """Return a document without the texts that hold an address, and without the people that have it.

    A person is an object with such a text, such as ``billingContact``. Of the fields that accounting
    needs, for example the lines, only the text goes.
    """
    return {
        name: _without_address(value, has_address, is_person=name not in _KEPT_OF_DOCUMENTS)
        for name, value in data.items()
    }


def _without_address(value: Any, has_address: HasAddress, is_person: bool) -> Any:
    if isinstance(value, str):
        return None if has_address(value) else value
    if isinstance(value, list):
        return [_without_address(item, has_address, is_person) for item in value]
    if not isinstance(value, dict):
        return value
    left = {key: _without_address(item, has_address, is_person) for key, item in value.items()}
    is_theirs = is_person and (left != value or any(map(has_address, value)))
    return None if is_theirs else left


def email_of(person: Any) -> str:
    """Return the e-mail address of a customer or contact in lower case, or "" if it has none."""
    email = person.get("email") if isinstance(person, dict) else None
    return email.lower() if isinstance(email, str) else ""


def without_texts(value: Any, name: str = "") -> Any:
    """Return a value of an unknown entity without its texts, except those in ``KEPT_TEXTS``."""
    if isinstance(value, dict):
        return {
            key if _FIELD_NAME.fullmatch(key) else f"erased{number}": without_texts(item, key)
            for number, (key, item) in enumerate(value.items())
        }
    if isinstance(value, list):
        return [without_texts(item, name) for item in value]
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


def has_text(value: Any, matches: Callable[[str], bool]) -> bool:
    """Return True if one of the texts in a JSON value matches. The keys of objects don't count."""
    return any(isinstance(item, str) and matches(item) for _path, item in scalars(value))
