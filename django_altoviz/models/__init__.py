"""The models that a project queries, with their enums and querysets."""

from django_altoviz.models.event_querysets import WebhookEventQuerySet
from django_altoviz.models.events import WebhookEvent
from django_altoviz.models.mirrors import (
    MIRRORS,
    Contact,
    Credit,
    CreditLine,
    Customer,
    Document,
    Invoice,
    InvoiceLine,
    Mirror,
    Product,
    Quote,
    QuoteLine,
)
from django_altoviz.models.overview import Overview
from django_altoviz.models.queue import Source, Status
from django_altoviz.models.receiver_runs import ReceiverRun
from django_altoviz.models.rejections import Rejection
from django_altoviz.models.sync_runs import SyncRun, SyncStep
from django_altoviz.models.watches import Watch

__all__ = [
    "MIRRORS",
    "Contact",
    "Credit",
    "CreditLine",
    "Customer",
    "Document",
    "Invoice",
    "InvoiceLine",
    "Mirror",
    "Overview",
    "Product",
    "Quote",
    "QuoteLine",
    "ReceiverRun",
    "Rejection",
    "Source",
    "Status",
    "SyncRun",
    "SyncStep",
    "Watch",
    "WebhookEvent",
    "WebhookEventQuerySet",
]
