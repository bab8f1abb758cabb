"""The admin pages of events, mirrors and syncs: read-only, with actions to process events again."""

from django_altoviz.admin.documents import InvoiceAdmin, QuoteAdmin
from django_altoviz.admin.events import WebhookEventAdmin
from django_altoviz.admin.mirrors import ContactAdmin, CustomerAdmin, ProductAdmin
from django_altoviz.admin.rejections import RejectionAdmin
from django_altoviz.admin.syncs import SyncRunAdmin

__all__ = [
    "ContactAdmin",
    "CustomerAdmin",
    "InvoiceAdmin",
    "ProductAdmin",
    "QuoteAdmin",
    "RejectionAdmin",
    "SyncRunAdmin",
    "WebhookEventAdmin",
]
