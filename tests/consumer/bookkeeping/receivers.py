"""Receivers of each kind of signal, with typed arguments."""

from __future__ import annotations

import datetime
import logging
from decimal import Decimal
from typing import Any

from django.dispatch import receiver
from django.http import HttpRequest
from typing_extensions import assert_type

from bookkeeping.models import Booking
from django_altoviz.event_types import EventType
from django_altoviz.exceptions import GiveUp, InvalidPayload, RetryLater
from django_altoviz.models import Customer, Invoice, Quote, WebhookEvent
from django_altoviz.signals import (
    customer_created,
    customer_updated,
    event_failed,
    event_processed,
    event_received,
    invoice_paid,
    quote_accepted,
    webhook_rejected,
)

log = logging.getLogger("bookkeeping")


@receiver([customer_created, customer_updated])
def greet(
    sender: type[Customer],
    event: WebhookEvent,
    instance: Customer,
    data: dict[str, Any],
    changes: dict[str, tuple[Any, Any]],
    **kwargs: Any,
) -> None:
    if "email" in changes and instance.email is not None:
        assert_type(instance.email, str)
        log.info("%s wrote %s for %s", event.event_id, data["email"], sender.__name__)


@receiver(invoice_paid, dispatch_uid="bookkeeping.book")
def book(instance: Invoice, **kwargs: Any) -> None:
    amount = instance.tax_included_amount
    assert_type(amount, Decimal | None)
    if amount is None:
        raise GiveUp("an invoice without an amount")
    Booking.objects.create(invoice=instance, amount=amount)


@receiver(quote_accepted)
def order_material(instance: Quote, **kwargs: Any) -> None:
    if instance.customer is None:
        raise RetryLater(datetime.timedelta(minutes=1), "the customer has not come yet")
    if instance.customer.deleted_at is not None:
        raise GiveUp("the customer was deleted")
    if not instance.lines.exists():
        raise RetryLater(60)


@receiver(event_received)
def count(event: WebhookEvent, **kwargs: Any) -> None:
    assert_type(event.event_type, EventType | None)
    assert_type(event.object_id, int | None)


@receiver(event_processed)
def note_success(event: WebhookEvent, instance: Invoice | None, **kwargs: Any) -> None:
    log.info("%s after %s attempts: %s", event, event.attempts, instance)


@receiver(event_failed)
def alert(event: WebhookEvent, error: Exception, **kwargs: Any) -> None:
    path = error.path if isinstance(error, InvalidPayload) else ""
    log.error("%s of account %s failed: %s %s", event.type, event.account, error, path)


@receiver(webhook_rejected)
def watch(
    request: HttpRequest,
    account: str,
    status_code: int,
    reason: str,
    body_length: int | None,
    body_digest: str | None,
    **kwargs: Any,
) -> None:
    log.warning("%s: %s %s (%s, %s)", request.path, status_code, reason, body_length, body_digest)
