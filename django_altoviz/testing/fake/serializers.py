"""Serialize objects in the shape that the switches ask for."""

from __future__ import annotations

from typing import Any

from django_altoviz import exact_json
from django_altoviz.testing.fake.behaviour import Behaviour
from django_altoviz.testing.fake.store import compact_json

# Fields that objects did not have in February 2024 [observed].
_NEWER = {
    "internalId", "internalNotes", "metadata", "customerType", "customerSiret",
    "customerElectronicAddress", "liableToVat", "publicLink", "sentAt", "vats", "commitments",
    "family", "active", "function", "service", "countryName", "name", "electronicAddress",
    "effectiveElectronicAddress", "productInternalId", "classificationId", "imageUrl",
    "cancelledCreditId", "cancelledCreditNumber", "eInvoicingInvoiceId", "eInvoicingProviderId",
    "eInvoicingStatus",
}  # fmt: skip
# Of these, products had the following already.
_OLD_IN_PRODUCTS = {"active", "name"}
_FORMER_TYPES = {"Business": "Company", "Consumer": "Individual"}


def serialize(raw: bytes, behaviour: Behaviour, *, in_list: bool = False) -> bytes:
    """Return the object as it is in an answer or an event."""
    without_lines = in_list and not behaviour.lines_in_lists
    if not (behaviour.legacy or behaviour.unknown_fields or without_lines):
        return raw
    value = exact_json.loads(raw.decode())
    if without_lines and "lines" in value:
        value["lines"] = None
    if behaviour.legacy:
        value = _as_in_2024(value)
    if behaviour.unknown_fields:
        value["colorOfTheYear"] = {"name": "Terre d'ombre brûlée", "codes": [17, 18.5, None]}
    return compact_json(value)


def _as_in_2024(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_in_2024(each) for each in value]
    if not isinstance(value, dict):
        return value
    newer = _NEWER - _OLD_IN_PRODUCTS if "unitPrice" in value else _NEWER
    if value.keys() & {"rate", "conversion"}:  # taxes and units already had names
        newer = set()
    old = {name: _as_in_2024(part) for name, part in value.items() if name not in newer}
    if "billingOptions" in old:
        old["type"] = _FORMER_TYPES.get(old["type"], old["type"])
    return old
