"""Receivers of the shop: they copy changes from Altoviz into the shop's own models.

Each receiver runs in its own transaction, which commits exactly once per event. ``instance`` is the
mirror's row at the time of the run. If the event came late or is processed again, the row already
shows newer events. So most receivers here copy the row, whatever the event, and are right in any
order. Send mail and the like in ``transaction.on_commit``.
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
    # ``changes`` has the old and the new value of each changed column. The old values of a new row
    # are None.
    old_price, new_price = changes.get("unit_price", (None, None))
    if old_price is not None and new_price is not None:
        # keep_catalogue may have failed and be waiting for its retry, so the item may not exist yet.
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
    """Return the invoice's client, or create it with its name only.

    An invoice may come before its customer. The event of the customer fills in the rest.
    """
    if invoice.customer_altoviz_id is None:
        return None
    client, _ = Client.objects.get_or_create(
        altoviz_id=invoice.customer_altoviz_id, defaults={"name": invoice.customer_name or ""}
    )
    return client


def state_of(invoice: Invoice) -> Sale.State:
    if invoice.deleted_at is not None:
        return Sale.State.DELETED
    if invoice.is_cancelled:
        return Sale.State.CANCELLED
    if invoice.is_draft:  # before is_paid, because a draft with a total of 0 is both
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
    """Record the run for the demonstration. Your own shop does not need this."""
    ReceiverLog.objects.create(receiver=name, event_id=event.event_id, type=event.type)
