"""What the shop does when something happens in Altoviz.

Each receiver runs in a transaction of its own, which commits exactly once per event. ``instance`` is
the mirror's row as it is when the receiver runs: after an event that came late, or that was processed
again, that is what came since. So most receivers here copy what the row says, whichever event it
was, and are right in any order. Mail and the like belong into ``transaction.on_commit``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.dispatch import receiver

from django_altoviz.models import Contact, Customer, Invoice, Product, Quote, WebhookEvent
from django_altoviz.signals import (
    contact_created,
    contact_deleted,
    contact_updated,
    customer_created,
    customer_deleted,
    customer_updated,
    invoice_created,
    invoice_deleted,
    invoice_updated,
    product_created,
    product_deleted,
    product_updated,
    quote_created,
    quote_deleted,
    quote_updated,
)

from .models import (
    AddressBookEntry,
    CatalogueItem,
    Client,
    Offer,
    PriceChange,
    ReceiverLog,
    Sale,
)


@receiver([customer_created, customer_updated, customer_deleted])
def keep_client(event: WebhookEvent, instance: Customer, **kwargs: Any) -> None:
    log("keep_client", event)
    Client.objects.update_or_create(
        altoviz_id=instance.altoviz_id,
        defaults={
            "name": str(instance),
            "email": instance.email or "",
            "is_closed": instance.deleted_at is not None,
        },
    )


@receiver([contact_created, contact_updated, contact_deleted])
def keep_address_book(event: WebhookEvent, instance: Contact, **kwargs: Any) -> None:
    log("keep_address_book", event)
    if instance.deleted_at is not None:
        AddressBookEntry.objects.filter(altoviz_id=instance.altoviz_id).delete()
        return
    AddressBookEntry.objects.update_or_create(
        altoviz_id=instance.altoviz_id,
        defaults={"name": str(instance), "email": instance.email or ""},
    )


@receiver([product_created, product_updated, product_deleted])
def keep_catalogue(event: WebhookEvent, instance: Product, **kwargs: Any) -> None:
    log("keep_catalogue", event)
    CatalogueItem.objects.update_or_create(
        altoviz_id=instance.altoviz_id,
        defaults={
            "number": instance.number or "",
            "label": str(instance),
            "price": instance.unit_price,
            "is_withdrawn": instance.deleted_at is not None,
        },
    )


@receiver([product_created, product_updated])
def note_price_change(
    event: WebhookEvent,
    instance: Product,
    changes: dict[str, tuple[Decimal | None, Decimal | None]],
    **kwargs: Any,
) -> None:
    log("note_price_change", event)
    # What this event changed in the mirror, by column. All old values of a new row are None.
    old_price, new_price = changes.get("unit_price", (None, None))
    if old_price is not None and new_price is not None:
        # Not to rely on keep_catalogue, which may have failed and wait for its retry.
        item, _ = CatalogueItem.objects.get_or_create(altoviz_id=instance.altoviz_id)
        PriceChange.objects.create(item=item, old_price=old_price, new_price=new_price)


@receiver([invoice_created, invoice_updated, invoice_deleted])
def keep_sale(event: WebhookEvent, instance: Invoice, **kwargs: Any) -> None:
    log("keep_sale", event)
    Sale.objects.update_or_create(
        altoviz_id=instance.altoviz_id,
        defaults={
            "number": instance.number or "",
            "client": client_of(instance),
            "total": instance.tax_included_amount,
            "state": state_of(instance),
        },
    )


def client_of(invoice: Invoice) -> Client | None:
    """The invoice's client. It may come before its customer, whose event then fills in the rest."""
    if invoice.customer_id is None:
        return None
    client, _ = Client.objects.get_or_create(
        altoviz_id=invoice.customer_id, defaults={"name": invoice.customer_name or ""}
    )
    return client


def state_of(invoice: Invoice) -> Sale.State:
    if invoice.deleted_at is not None:
        return Sale.State.DELETED
    if invoice.is_cancelled:
        return Sale.State.CANCELLED
    if invoice.is_draft:  # before is_paid, for a draft of 0 may be both
        return Sale.State.DRAFT
    return Sale.State.PAID if invoice.is_paid else Sale.State.OPEN


@receiver([quote_created, quote_updated, quote_deleted])
def keep_offer(event: WebhookEvent, instance: Quote, **kwargs: Any) -> None:
    log("keep_offer", event)
    Offer.objects.update_or_create(
        altoviz_id=instance.altoviz_id,
        defaults={
            "number": instance.number or "",
            "status": instance.status or "",
            "total": instance.tax_included_amount,
            "is_withdrawn": instance.deleted_at is not None,
        },
    )


def log(name: str, event: WebhookEvent) -> None:
    """Only for the demonstration; a shop of your own does without."""
    ReceiverLog.objects.create(receiver=name, event_id=event.event_id, type=event.type)
