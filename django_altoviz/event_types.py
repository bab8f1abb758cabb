"""The catalogue: the kinds of object that are mirrored, and the types of their events.

Altoviz sends events of some of these types by webhook [documented]. The others are made by syncs only.
"""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Entity(TextChoices):
    """A kind of object, in the order in which a sync reads them: documents after what they refer to."""

    CUSTOMER = "customer", _("customer")
    CONTACT = "contact", _("contact")
    PRODUCT = "product", _("product")
    INVOICE = "invoice", _("invoice")
    QUOTE = "quote", _("quote")
    CREDIT = "credit", _("credit")

    @property
    def has_webhook(self) -> bool:
        """Return False if Altoviz sends no events of these objects, so that only a sync knows them."""
        return self not in _ONLY_SYNCED


# Altoviz has no event types for them, so only a sync knows them [documented].
_ONLY_SYNCED = (Entity.CREDIT,)


class EventType(TextChoices):
    """An event type. The values are Altoviz's own names, as in the envelope's ``type``.

    Those of credits are named in the same way.
    """

    CONTACT_CREATED = "ContactCreated", _("contact created")
    CONTACT_UPDATED = "ContactUpdated", _("contact updated")
    CONTACT_DELETED = "ContactDeleted", _("contact deleted")
    CUSTOMER_CREATED = "CustomerCreated", _("customer created")
    CUSTOMER_UPDATED = "CustomerUpdated", _("customer updated")
    CUSTOMER_DELETED = "CustomerDeleted", _("customer deleted")
    PRODUCT_CREATED = "ProductCreated", _("product created")
    PRODUCT_UPDATED = "ProductUpdated", _("product updated")
    PRODUCT_DELETED = "ProductDeleted", _("product deleted")
    INVOICE_CREATED = "InvoiceCreated", _("invoice created")
    INVOICE_UPDATED = "InvoiceUpdated", _("invoice updated")
    INVOICE_DELETED = "InvoiceDeleted", _("invoice deleted")
    QUOTE_CREATED = "QuoteCreated", _("quote created")
    QUOTE_UPDATED = "QuoteUpdated", _("quote updated")
    QUOTE_DELETED = "QuoteDeleted", _("quote deleted")
    CREDIT_CREATED = "CreditCreated", _("credit created")
    CREDIT_UPDATED = "CreditUpdated", _("credit updated")
    CREDIT_DELETED = "CreditDeleted", _("credit deleted")

    @property
    def entity(self) -> Entity:
        return Entity[self.name.partition("_")[0]]

    @property
    def is_deletion(self) -> bool:
        return self.name.endswith("_DELETED")

    @classmethod
    def known(cls, name: str) -> EventType | None:
        """Return the named event type, or ``None``, because Altoviz may add types at any time."""
        return _BY_NAME.get(name)


_BY_NAME = {event_type.value: event_type for event_type in EventType}
#: The event types that Altoviz sends, which are those that a webhook can be registered for.
SENT_TYPES = tuple(event_type for event_type in EventType if event_type.entity.has_webhook)


def sent_type(name: str) -> EventType:
    """Return the named event type.

    Raises:
        ValueError: Altoviz sends no events of that type.
    """
    event_type = EventType(name)
    if event_type not in SENT_TYPES:
        raise ValueError(f"Altoviz sends no {event_type}: a sync brings {event_type.entity}s in.")
    return event_type
