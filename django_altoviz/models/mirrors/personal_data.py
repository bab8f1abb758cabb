"""What of an object says who somebody is, and what is left without it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from django_altoviz.event_types import Entity

Object = Mapping[str, Any]

#: The kinds that have a customer, and a snapshot of it.
DOCUMENTS = (Entity.INVOICE, Entity.QUOTE)
#: What stays of a customer and of a contact. A field that is not here goes, also one that is new.
STAYS = {
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
}
#: The contacts in a document: snapshots without an id [documented].
CONTACTS = ("billingContact", "shippingContact")
#: What goes of an invoice or a quote: the customer's snapshot, and texts in which one may be named.
GOES = {
    *CONTACTS,
    "customerName",
    "customerElectronicAddress",
    "subject",
    "headerNotes",
    "footerNotes",
    "internalNotes",
    "metadata",
    "publicLink",
}
#: What stays of the objects in them: the country decides on the VAT, and a company is known to the
#: tax office by its numbers.
STAYS_INSIDE = {
    "billingAddress": {"countryIso", "countryName"},
    "shippingAddress": {"countryIso", "countryName"},
    "companyInformations": {"siret", "vatNumber"},
}
#: The texts that stay of an object of a kind that this version does not know.
TEXTS_STAY = {"number", "type", "status", "date", "internalId", "customerNumber", "countryIso"}
_DOCUMENT_COLUMNS = {"customer_name", "customer_electronic_address", "subject", "public_link"}
#: The columns that hold what goes.
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
_NOTHING: Object = MappingProxyType({})
# No object of Altoviz is nested so deep; Python's stack would not take what a body can have.
_DEEP = 50


def without_personal_data(entity: Entity, data: Object, shown: Object = _NOTHING) -> dict[str, Any]:
    """The object with ``null`` in place of what says who somebody is.

    ``shown`` is the object as it may be shown already: what is not ``null`` there is taken over.
    """
    return {name: _left(entity, name, value, shown.get(name)) for name, value in data.items()}


def _left(entity: Entity, name: str, value: Any, shown: Any) -> Any:
    if name in GOES if entity in DOCUMENTS else name not in STAYS[entity]:
        return None if shown is None else value
    inside = STAYS_INSIDE.get(name)
    if inside is None:
        return value
    if not isinstance(value, dict):
        return None  # whatever it is, it is not as documented
    known = shown if isinstance(shown, dict) else _NOTHING
    return {
        key: item if key in inside or known.get(key) is not None else None
        for key, item in value.items()
    }


def is_anothers(data: Object, shown: Object) -> bool:
    """Whether a document that was shown so is another customer's now."""
    former, present = shown.get("customerId"), data.get("customerId")
    return former is not None and present is not None and former != present


def shown_of_forgotten(entity: Entity, data: Object, shown: Object) -> dict[str, Any]:
    """What a forgotten object, shown so until now, takes over: no personal data that are not there."""
    return {**data} if is_anothers(data, shown) else without_personal_data(entity, data, shown)


def without_contacts(data: Object, emails: Collection[str]) -> dict[str, Any]:
    """A document without the contacts that have one of these e-mail addresses, in lower case."""
    gone = [name for name in CONTACTS if _email(data.get(name)) in emails]
    return {**data, **dict.fromkeys(gone)}


def _email(contact: Any) -> str:
    email = contact.get("email") if isinstance(contact, dict) else None
    return email.lower() if isinstance(email, str) else ""


def without_texts(value: Any, name: str = "", depth: int = 0) -> Any:
    """A value of a kind that nobody knows: numbers stay, and of its texts only ``TEXTS_STAY``."""
    if isinstance(value, dict | list) and depth == _DEEP:
        return None
    if isinstance(value, dict):
        return {key: without_texts(item, key, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [without_texts(item, name, depth + 1) for item in value]
    return None if isinstance(value, str) and name not in TEXTS_STAY else value


def leaves(value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All that is no object and no list in a value, each with the last two keys that lead to it."""
    todo: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, dict):
            todo += [((*path[-1:], key), item) for key, item in value.items()]
        elif isinstance(value, list):
            todo += [(path, item) for item in value]
        else:
            yield path, value
