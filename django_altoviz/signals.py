"""The signals that a project connects its receivers to.

Each receiver of an ``EventSignal`` runs in a transaction of its own. Its database work commits together
with the record that it has handled the event, so that the work is done exactly once per event. A
retry calls only the receivers that have not succeeded.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from asgiref.sync import async_to_sync
from django.dispatch import Signal

from django_altoviz.event_types import EventType

Receiver = Callable[..., Any]

# The length of the column ReceiverRun.receiver.
_NAME_LENGTH = 255
# The longest text that is appended to the path: the number of a closure, and a business signal.
_LONGEST_SUFFIX = 30


class EventSignal(Signal):
    """A signal whose receivers are called one at a time, each identified by a stable name.

    The name is what records that a receiver has handled an event.
    """

    def named_receivers(self, sender: Any) -> list[tuple[str, Receiver]]:
        """Return the connected receivers in order, each with a unique name.

        The name is the dotted path, so a receiver that is renamed or moved counts as a new one.
        """
        synchronous, asynchronous = self._live_receivers(sender)
        receivers = [*synchronous, *(async_to_sync(receiver) for receiver in asynchronous)]
        names: dict[str, int] = {}
        named = []
        for name, receiver in zip(
            map(dotted_path, [*synchronous, *asynchronous]), receivers, strict=True
        ):
            names[name] = names.get(name, 0) + 1
            # Closures made by the same function share its path. Number them in order.
            named.append((f"{name}#{names[name]}" if names[name] > 1 else name, receiver))
        return named


def dotted_path(receiver: Receiver) -> str:
    """Return the dotted path of the receiver, or of its class if the receiver is an instance."""
    named = receiver if hasattr(receiver, "__qualname__") else type(receiver)
    path = f"{named.__module__}.{named.__qualname__}"
    if len(path) <= _NAME_LENGTH - _LONGEST_SUFFIX:
        return path
    digest = sha256(path.encode()).hexdigest()[:16]
    return f"{path[: _NAME_LENGTH - _LONGEST_SUFFIX - 17]}~{digest}"


# The signals of the event types. Sender: the mirror's model class. Keywords:
#   event: the WebhookEvent.
#   instance: the row of the mirror, as it is when the receiver runs.
#   data: the object as Altoviz sent it. After a deletion it may have no more than the id.
#   changes: the columns that the event changed, as {column: (old, new)}. Empty if the event changed
#       nothing, for example because it came too late.

#: Sent after a contact was created. ``instance`` is the new row; in ``changes`` all old values are ``None``.
contact_created = EventSignal()
#: Sent after a contact was updated. ``instance`` has the new values, ``changes`` the old ones, too.
contact_updated = EventSignal()
#: Sent after a contact was deleted. ``instance`` is the tombstone, a row with ``deleted_at``.
contact_deleted = EventSignal()
#: Sent after a customer was created. ``instance`` is the new row; in ``changes`` all old values are ``None``.
customer_created = EventSignal()
#: Sent after a customer was updated. ``instance`` has the new values, ``changes`` the old ones, too.
customer_updated = EventSignal()
#: Sent after a customer was deleted. ``instance`` is the tombstone, a row with ``deleted_at``.
customer_deleted = EventSignal()
#: Sent after a product was created. ``instance`` is the new row; in ``changes`` all old values are ``None``.
product_created = EventSignal()
#: Sent after a product was updated. ``instance`` has the new values, ``changes`` the old ones, too.
product_updated = EventSignal()
#: Sent after a product was deleted. ``instance`` is the tombstone, a row with ``deleted_at``.
product_deleted = EventSignal()
#: Sent after an invoice was created. ``instance`` is the new row; in ``changes`` all old values are ``None``.
invoice_created = EventSignal()
#: Sent after an invoice was updated. ``instance`` has the new values, ``changes`` the old ones, too.
invoice_updated = EventSignal()
#: Sent after an invoice was deleted. ``instance`` is the tombstone, a row with ``deleted_at``.
invoice_deleted = EventSignal()
#: Sent after a quote was created. ``instance`` is the new row; in ``changes`` all old values are ``None``.
quote_created = EventSignal()
#: Sent after a quote was updated. ``instance`` has the new values, ``changes`` the old ones, too.
quote_updated = EventSignal()
#: Sent after a quote was deleted. ``instance`` is the tombstone, a row with ``deleted_at``.
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

# The business signals. They are derived from changes in the mirror, whether a webhook or a sync brought
# them, and sent each time that an invoice or a quote reaches the state. Sender and keywords are
# those of the event type's signal.

#: Sent when an invoice is no longer a draft.
invoice_finalized = EventSignal()
#: Sent when an invoice was sent to the customer.
invoice_sent = EventSignal()
#: Sent when an invoice is paid in full. Not sent for a draft (a draft of 0 counts as paid, too), nor for
#: a cancelled invoice, because a credit that settles an invoice is not a payment.
invoice_paid = EventSignal()
#: Sent when an invoice was cancelled by a credit.
invoice_cancelled = EventSignal()
#: Sent when a quote was sent to the customer.
quote_sent = EventSignal()
#: Sent when the customer accepted a quote.
quote_accepted = EventSignal()
#: Sent when the customer refused a quote.
quote_refused = EventSignal()
#: Sent when a quote was turned into an invoice.
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

# The signals below only report. An exception of their receivers is logged and changes nothing, and
# nothing guarantees that they are sent exactly once. Sender: WebhookEvent, or the view's class for
# webhook_rejected.

#: Sent when an event was stored for the first time, whatever its status. Keywords: ``event``.
event_received = Signal()
#: Sent when an event was processed, or ignored for a reason. Keywords: ``event``, ``instance``,
#: ``data``, ``changes``.
event_processed = Signal()
#: Sent when an attempt at an event failed. Keywords: ``event``, ``instance``, ``data``, ``changes``,
#: ``error`` (the first exception).
event_failed = Signal()
#: Sent when the view rejected a delivery and stored nothing. Keywords: ``request``, ``account`` (its
#: name), ``status_code``, ``reason``.
webhook_rejected = Signal()
