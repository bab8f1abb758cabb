"""The admin: the overview with its buttons, and read-only pages of events, mirrors and syncs."""

from django_altoviz.admin.documents import CreditAdmin, InvoiceAdmin, QuoteAdmin
from django_altoviz.admin.events import WebhookEventAdmin
from django_altoviz.admin.mirrors import ContactAdmin, CustomerAdmin, ProductAdmin
from django_altoviz.admin.overview import OverviewAdmin
from django_altoviz.admin.rejections import RejectionAdmin
from django_altoviz.admin.syncs import SyncRunAdmin

__all__ = [
    "ContactAdmin",
    "CreditAdmin",
    "CustomerAdmin",
    "InvoiceAdmin",
    "OverviewAdmin",
    "ProductAdmin",
    "QuoteAdmin",
    "RejectionAdmin",
    "SyncRunAdmin",
    "WebhookEventAdmin",
]
