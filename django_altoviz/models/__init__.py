from django_altoviz.event_types import Entity
from django_altoviz.models.base import FINGERPRINT, Changes, Mirror, dump_changes, load_changes
from django_altoviz.models.documents import Document
from django_altoviz.models.events import WebhookEvent
from django_altoviz.models.invoices import Invoice, InvoiceLine
from django_altoviz.models.parties import Contact, Customer
from django_altoviz.models.products import Product
from django_altoviz.models.queue import Source, Status, WebhookEventQuerySet
from django_altoviz.models.quotes import Quote, QuoteLine
from django_altoviz.models.receiver_runs import ReceiverRun
from django_altoviz.models.statements import insert, locked
from django_altoviz.models.sync_runs import COUNTS, SyncRun, SyncStep

#: The mirror of each kind of object.
MIRRORS: dict[Entity, type[Mirror]] = {
    Entity.CONTACT: Contact,
    Entity.CUSTOMER: Customer,
    Entity.PRODUCT: Product,
    Entity.INVOICE: Invoice,
    Entity.QUOTE: Quote,
}

__all__ = [
    "COUNTS",
    "FINGERPRINT",
    "MIRRORS",
    "Changes",
    "Contact",
    "Customer",
    "Document",
    "Invoice",
    "InvoiceLine",
    "Mirror",
    "Product",
    "Quote",
    "QuoteLine",
    "ReceiverRun",
    "Source",
    "Status",
    "SyncRun",
    "SyncStep",
    "WebhookEvent",
    "WebhookEventQuerySet",
    "dump_changes",
    "insert",
    "load_changes",
    "locked",
]
