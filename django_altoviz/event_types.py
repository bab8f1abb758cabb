"""The event types of Altoviz: five entities, three actions each [documented]."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Entity(TextChoices):
    CONTACT = "contact", _("contact")
    CUSTOMER = "customer", _("customer")
    PRODUCT = "product", _("product")
    INVOICE = "invoice", _("invoice")
    QUOTE = "quote", _("quote")


class EventType(TextChoices):
    """An event type. The values are Altoviz's own names, as in the envelope's ``type``."""

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
