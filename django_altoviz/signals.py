"""What a project connects its receivers to.

The signals of the event types are sent with ``sender``, the mirror's model class, and the keywords
``event``, ``instance`` (the mirror's row), ``data`` (the object as received) and ``changes``
({column: (old, new)}). Each receiver runs in a transaction of its own, once per event.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from asgiref.sync import async_to_sync
from django.dispatch import Signal

from django_altoviz.event_types import EventType

Receiver = Callable[..., Any]

# As long as the column that keeps a receiver's name.
_NAME_LENGTH = 255
# What stands behind the path at most: the number of a closure, and a business signal.
_LONGEST_SUFFIX = 30


class EventSignal(Signal):
    """A signal whose receivers are called one by one, each known by a name that lasts."""

    def named_receivers(self, sender: Any) -> list[tuple[str, Receiver]]:
        """The connected receivers in order, each under a name of its own.

        The name is the dotted path, so a receiver that is renamed or moved counts as another one.
        """
        synchronous, asynchronous = self._live_receivers(sender)
        receivers = [*synchronous, *(async_to_sync(receiver) for receiver in asynchronous)]
        names: dict[str, int] = {}
        named = []
        for name, receiver in zip(
            map(dotted_path, [*synchronous, *asynchronous]), receivers, strict=True
        ):
            names[name] = names.get(name, 0) + 1
            # Two closures of one function share its path; their order tells them apart.
            named.append((f"{name}#{names[name]}" if names[name] > 1 else name, receiver))
        return named


def dotted_path(receiver: Receiver) -> str:
    """The receiver's importable path, or its class's where it is an instance."""
    named = receiver if hasattr(receiver, "__qualname__") else type(receiver)
    path = f"{named.__module__}.{named.__qualname__}"
    if len(path) <= _NAME_LENGTH - _LONGEST_SUFFIX:
        return path
    digest = sha256(path.encode()).hexdigest()[:16]
    return f"{path[: _NAME_LENGTH - _LONGEST_SUFFIX - 17]}~{digest}"


contact_created = EventSignal()
contact_updated = EventSignal()
contact_deleted = EventSignal()
customer_created = EventSignal()
customer_updated = EventSignal()
customer_deleted = EventSignal()
product_created = EventSignal()
product_updated = EventSignal()
product_deleted = EventSignal()
invoice_created = EventSignal()
invoice_updated = EventSignal()
invoice_deleted = EventSignal()
quote_created = EventSignal()
quote_updated = EventSignal()
quote_deleted = EventSignal()

BY_EVENT_TYPE: dict[EventType, EventSignal] = {
    EventType.CONTACT_CREATED: contact_created,
    EventType.CONTACT_UPDATED: contact_updated,
    EventType.CONTACT_DELETED: contact_deleted,
    EventType.CUSTOMER_CREATED: customer_created,
    EventType.CUSTOMER_UPDATED: customer_updated,
    EventType.CUSTOMER_DELETED: customer_deleted,
    EventType.PRODUCT_CREATED: product_created,
    EventType.PRODUCT_UPDATED: product_updated,
    EventType.PRODUCT_DELETED: product_deleted,
    EventType.INVOICE_CREATED: invoice_created,
    EventType.INVOICE_UPDATED: invoice_updated,
    EventType.INVOICE_DELETED: invoice_deleted,
    EventType.QUOTE_CREATED: quote_created,
    EventType.QUOTE_UPDATED: quote_updated,
    EventType.QUOTE_DELETED: quote_deleted,
}

# What events mean for a business. They are derived from what changes in the mirror, whichever way the
# change came in, and sent once for each time that an invoice or a quote gets there. Sender and
# keywords are those of the event's own signal.

#: It is no draft any more.
invoice_finalized = EventSignal()
#: It was sent to the customer.
invoice_sent = EventSignal()
#: It is paid in full, and neither a draft (one of 0 counts as paid, too) nor cancelled: a credit that
#: settles it is no payment.
invoice_paid = EventSignal()
#: It was cancelled, by a credit.
invoice_cancelled = EventSignal()
#: It was sent to the customer.
quote_sent = EventSignal()
#: The customer has accepted it.
quote_accepted = EventSignal()
#: The customer has refused it.
quote_refused = EventSignal()
#: It was made into an invoice.
quote_invoiced = EventSignal()

BY_BUSINESS_SIGNAL: dict[str, EventSignal] = {
    "invoice_finalized": invoice_finalized,
    "invoice_sent": invoice_sent,
    "invoice_paid": invoice_paid,
    "invoice_cancelled": invoice_cancelled,
    "quote_sent": quote_sent,
    "quote_accepted": quote_accepted,
    "quote_refused": quote_refused,
    "quote_invoiced": quote_invoiced,
}

# The four below report on the work, and are no part of it: a receiver of theirs that fails is logged
# and changes nothing. Their sender is WebhookEvent, but for webhook_rejected's, the view.

#: An event was stored for the first time. Keywords: ``event``.
event_received = Signal()
#: An event was processed, or ignored for a reason. Keywords: ``event``, ``instance``, ``data``,
#: ``changes``.
event_processed = Signal()
#: An attempt at an event failed. Keywords: ``event``, ``instance``, ``data``, ``changes``,
#: ``error`` (the first exception).
event_failed = Signal()
#: A delivery was turned away, and nothing of it stored. Keywords: ``request``, ``account`` (its
#: name), ``status_code``, ``reason``.
webhook_rejected = Signal()
