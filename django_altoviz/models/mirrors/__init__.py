"""The mirrors: a local copy of each object of Altoviz, as its last event shows it."""

from django_altoviz.event_types import Entity
from django_altoviz.models.mirrors.base import (
    FINGERPRINT,
    Changes,
    Mirror,
    dump_changes,
    load_changes,
)
from django_altoviz.models.mirrors.credits import Credit, CreditLine
from django_altoviz.models.mirrors.documents import Document
from django_altoviz.models.mirrors.invoices import Invoice, InvoiceLine
from django_altoviz.models.mirrors.parties import Contact, Customer
from django_altoviz.models.mirrors.products import Product
from django_altoviz.models.mirrors.quotes import Quote, QuoteLine

#: The mirror of each kind of object.
MIRRORS: dict[Entity, type[Mirror]] = {
    Entity.CUSTOMER: Customer,
    Entity.CONTACT: Contact,
    Entity.PRODUCT: Product,
    Entity.INVOICE: Invoice,
    Entity.QUOTE: Quote,
    Entity.CREDIT: Credit,
}


def models_of(entity: str) -> list[type[Mirror]]:
    """Return the mirror of the kind, or all mirrors if the kind is unknown."""
    return [MIRRORS[Entity(entity)]] if entity in [*Entity] else [*MIRRORS.values()]


__all__ = [
    "FINGERPRINT",
    "MIRRORS",
    "Changes",
    "Contact",
    "Credit",
    "CreditLine",
    "Customer",
    "Document",
    "Invoice",
    "InvoiceLine",
    "Mirror",
    "Product",
    "Quote",
    "QuoteLine",
    "dump_changes",
    "load_changes",
    "models_of",
]
