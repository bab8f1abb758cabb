"""Shapes of Altoviz's objects: every field is present, blank ones are null [observed]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django_altoviz.testing.fake.amounts import number
from django_altoviz.testing.fake.store import FakeRecord

_COUNTRIES = {
    "FR": "France",
    "BE": "Belgique",
    "CH": "Suisse",
    "DE": "Allemagne",
    "LU": "Luxembourg",
}


def blank(*names: str) -> FakeRecord:
    return dict.fromkeys(names)


def no_discount() -> FakeRecord:
    return {"type": "Percent", "value": number(0)}


def vat(id: int, rate: Any, default: bool = False) -> FakeRecord:
    rate = number(rate)
    return {"id": id, "rate": rate, "region": "FR", "label": f"{rate}% - FR", "default": default}


STANDARD_VAT = vat(48211, 20, default=True)
VATS = [STANDARD_VAT, vat(48212, 10), vat(48213, "5.5")]
UNIT = {
    "id": 64,
    "code": "U",
    "name": "Unité",
    "type": "Other",
    "conversion": number(1),
    "decimals": number(0),
}


def merged(old: Mapping[str, Any], new: Mapping[str, Any], what: str) -> FakeRecord:
    """Return the old fields with new values.

    Raises:
        TypeError: a new field is not among the old ones.
    """
    if unknown := new.keys() - old.keys():
        raise TypeError(f"{what} has no field {', '.join(sorted(unknown))}.")
    return {**old, **new}


_ADDRESS_FIELDS = blank(
    "street",
    "zipcode",
    "city",
    "countryIso",
    "countryName",
    "formattedAddress",
    "inlineAddress",
)
_CONTACT_FIELDS = blank(
    "title",
    "lastName",
    "firstName",
    "email",
    "cellPhone",
    "phone",
    "companyName",
    "displayName",
    "invertedDisplayName",
    "function",
    "service",
)


def address(old: FakeRecord | None, new: FakeRecord | None) -> FakeRecord | None:
    """Return an address with the fields that are derived from its parts."""
    if new is None:
        return None
    made = merged(old or {**_ADDRESS_FIELDS, "countryIso": "FR"}, new, "An address")
    iso = made["countryIso"] or "FR"
    made["countryName"] = _COUNTRIES.get(iso, iso)
    town = " ".join(filter(None, [made["zipcode"], made["city"]]))
    lines = [*filter(None, [made["street"], town]), made["countryName"]]
    made["formattedAddress"] = "\n".join(lines)
    made["inlineAddress"] = ", ".join(lines).replace("\n", ", ")
    return made


def contact_fields(old: FakeRecord | None, new: FakeRecord | None) -> FakeRecord | None:
    """Return a contact as documents embed it: a snapshot without an id."""
    return None if new is None else _named(merged(old or _CONTACT_FIELDS, new, "A contact"))


def contact(old: FakeRecord | None, new: FakeRecord) -> FakeRecord:
    blanks = {"id": None} | _CONTACT_FIELDS | {"internalId": None}
    return _named(merged(old or blanks, new, "A contact"))


def _named(made: FakeRecord) -> FakeRecord:
    names = [name for name in (made["lastName"], made["firstName"]) if name]
    made["displayName"] = " ".join(names) or made["companyName"]
    made["invertedDisplayName"] = " ".join(reversed(names)) or made["companyName"]
    return made


_COMPANY = blank("siret", "vatNumber", "electronicAddress", "effectiveElectronicAddress")
_BILLING: FakeRecord = {
    "allowed": True,
    "bankAccountId": None,
    "buyerReference": None,
    "colleagueId": None,
    "discount": no_discount(),
    "initialCommitmentAmount": None,
    "initialCommitmentDate": None,
    "initialCommitmentStatus": None,
    "liableToVat": None,
    "paymentMethod": None,
    "sendDocumentAsAttachment": None,
    "settlementTermId": None,
    "useTaxIncludedPrices": None,
    "vatReverseCharge": False,
    "vendorReference": None,
}
_CUSTOMER = blank(
    "id", "title", "lastName", "firstName", "email", "cellPhone", "phone", "companyName", "name",
    "billingAddress", "shippingAddress", "companyInformations", "billingOptions", "type", "number",
    "family", "internalId", "internalNotes",
) | {"active": True, "billingOptions": _BILLING}  # fmt: skip


def customer(old: FakeRecord | None, new: FakeRecord) -> FakeRecord:
    base = old or _CUSTOMER
    made = merged(base, new, "A customer")
    for name in ("billingAddress", "shippingAddress"):
        made[name] = address(base[name], made[name])
    if "billingOptions" in new:
        made["billingOptions"] = merged(
            base["billingOptions"], new["billingOptions"], "billingOptions"
        )
    if new.get("companyInformations"):
        company = merged(
            base["companyInformations"] or _COMPANY, new["companyInformations"], "A company"
        )
        siren = (company["siret"] or "")[:9] or None
        company["effectiveElectronicAddress"] = company["electronicAddress"] or siren
        made["companyInformations"] = company
    if made["type"] is None:
        made["type"] = "Business" if made["companyName"] else "Consumer"
    person = " ".join(filter(None, [made["firstName"], made["lastName"]]))
    made["name"] = new.get("name") or made["companyName"] or person or None
    return made


_PRODUCT: FakeRecord = {
    "id": None,
    "name": None,
    "number": None,
    "unitPrice": number(0),
    "isUnitPriceTaxIncluded": False,
    "type": "Product",
    "purchasePrice": number(0),
    "defaultQuantity": number(1),
    "description": None,
    "vat": STANDARD_VAT,
    "unit": UNIT,
    "active": True,
    "family": None,
    "imageUrl": None,
    "internalId": None,
    "internalNotes": None,
}


def product(old: FakeRecord | None, new: FakeRecord) -> FakeRecord:
    made = merged(old or _PRODUCT, new, "A product")
    for name in ("unitPrice", "purchasePrice", "defaultQuantity"):
        made[name] = number(made[name])
    return made
