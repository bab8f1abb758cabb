"""The signals that a project connects its receivers to.

Each receiver of an ``EventSignal`` runs in a transaction of its own. Its database work commits together
with the record that it has handled the event, so that the work is done exactly once per event. A
retry calls only the receivers that have not succeeded.
"""

from __future__ import annotations

from django_altoviz.event_types import EventType
from django_altoviz.signals.event_signal import EventSignal
from django_altoviz.signals.notification import Notification

# The signals of the event types. Sender: the mirror's model class. Keywords:
#   event: the WebhookEvent.
#   instance: the row of the mirror, as it is when the receiver runs.
#   data: the object as Altoviz sent it. After a deletion it may have no more than the id.
#   changes: the columns that the event changed, as {column: (old, new)}. Empty if the event changed
#       nothing, for example because it came too late.

#: Sent after a contact was created. ``instance`` is the new row; in ``changes`` all old values are ``None``.
contact_created = EventSignal("contact_created")
#: Sent after a contact was updated. ``instance`` has the new values, ``changes`` the old ones, too.
contact_updated = EventSignal("contact_updated")
#: Sent after a contact was deleted. ``instance`` is the tombstone, a row with ``deleted_at``.
contact_deleted = EventSignal("contact_deleted")
#: Sent after a customer was created. ``instance`` is the new row; in ``changes`` all old values are ``None``.
customer_created = EventSignal("customer_created")
#: Sent after a customer was updated. ``instance`` has the new values, ``changes`` the old ones, too.
customer_updated = EventSignal("customer_updated")
#: Sent after a customer was deleted. ``instance`` is the tombstone, a row with ``deleted_at``.
customer_deleted = EventSignal("customer_deleted")
#: Sent after a product was created. ``instance`` is the new row; in ``changes`` all old values are ``None``.
product_created = EventSignal("product_created")
#: Sent after a product was updated. ``instance`` has the new values, ``changes`` the old ones, too.
product_updated = EventSignal("product_updated")
#: Sent after a product was deleted. ``instance`` is the tombstone, a row with ``deleted_at``.
product_deleted = EventSignal("product_deleted")
#: Sent after an invoice was created. ``instance`` is the new row; in ``changes`` all old values are ``None``.
invoice_created = EventSignal("invoice_created")
#: Sent after an invoice was updated. ``instance`` has the new values, ``changes`` the old ones, too.
invoice_updated = EventSignal("invoice_updated")
#: Sent after an invoice was deleted. ``instance`` is the tombstone, a row with ``deleted_at``.
invoice_deleted = EventSignal("invoice_deleted")
#: Sent after a quote was created. ``instance`` is the new row; in ``changes`` all old values are ``None``.
quote_created = EventSignal("quote_created")
#: Sent after a quote was updated. ``instance`` has the new values, ``changes`` the old ones, too.
quote_updated = EventSignal("quote_updated")
#: Sent after a quote was deleted. ``instance`` is the tombstone, a row with ``deleted_at``.
quote_deleted = EventSignal("quote_deleted")
#: Sent after a sync found a new credit. ``instance`` is the new row; in ``changes`` all old values are ``None``.
credit_created = EventSignal("credit_created")
#: Sent after a sync found a changed credit. ``instance`` has the new values, ``changes`` the old ones, too.
credit_updated = EventSignal("credit_updated")
#: Sent after a sync found that a credit was deleted. ``instance`` is the tombstone, a row with ``deleted_at``.
credit_deleted = EventSignal("credit_deleted")

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
    EventType.CREDIT_CREATED: credit_created,
    EventType.CREDIT_UPDATED: credit_updated,
    EventType.CREDIT_DELETED: credit_deleted,
}

# The business signals. They are derived from changes in the mirror, whether a webhook, a watch or a sync
# brought them, and sent each time that a document reaches the state. Sender and keywords are those of
# the event type's signal.

#: Sent when an invoice is no longer a draft.
invoice_finalized = EventSignal("invoice_finalized")
#: Sent when an invoice was sent to the customer.
invoice_sent = EventSignal("invoice_sent")
#: Sent when an invoice is paid in full. Not sent for a draft (a draft of 0 counts as paid, too), nor for
#: a cancelled invoice, because a credit that settles an invoice is not a payment.
invoice_paid = EventSignal("invoice_paid")
#: Sent when an invoice was cancelled by a credit.
invoice_cancelled = EventSignal("invoice_cancelled")
#: Sent when a due date of an invoice has passed and its amount is not paid in full. Sent once for each
#: due date, which is the old value of ``awaited_due_date`` in ``changes``. The calendar causes it, not
#: Altoviz: no signal of an event type is sent with it.
invoice_overdue = EventSignal("invoice_overdue")
#: Sent when a quote was sent to the customer.
quote_sent = EventSignal("quote_sent")
#: Sent when the customer accepted a quote.
quote_accepted = EventSignal("quote_accepted")
#: Sent when the customer refused a quote.
quote_refused = EventSignal("quote_refused")
#: Sent when a quote was turned into an invoice.
quote_invoiced = EventSignal("quote_invoiced")
#: Sent when a credit is no longer a draft.
credit_finalized = EventSignal("credit_finalized")
#: Sent when a credit was sent to the customer.
credit_sent = EventSignal("credit_sent")
#: Sent when nothing of a credit is left to be given back: it was refunded, or it settled an invoice.
#: Altoviz shows both in the same way, as ``isPaid`` [inferred]. Not sent for a draft (a draft of 0
#: counts as paid, too), nor for a cancelled credit.
credit_settled = EventSignal("credit_settled")

BY_BUSINESS_SIGNAL: dict[str, EventSignal] = {
    "invoice_finalized": invoice_finalized,
    "invoice_sent": invoice_sent,
    "invoice_paid": invoice_paid,
    "invoice_cancelled": invoice_cancelled,
    "invoice_overdue": invoice_overdue,
    "quote_sent": quote_sent,
    "quote_accepted": quote_accepted,
    "quote_refused": quote_refused,
    "quote_invoiced": quote_invoiced,
    "credit_finalized": credit_finalized,
    "credit_sent": credit_sent,
    "credit_settled": credit_settled,
}

# The signals below only report. An exception of their receivers is logged and changes nothing, and
# nothing guarantees that they are sent exactly once. Sender: WebhookEvent, or the view's class for
# webhook_rejected.

#: Sent when an event was stored for the first time, whatever its status. Keywords: ``event``.
event_received = Notification()
#: Sent when an event was processed, or ignored for a reason. Keywords: ``event``, ``instance``,
#: ``data``, ``changes``.
event_processed = Notification()
#: Sent when an attempt at an event failed. Keywords: ``event``, ``instance``, ``data``, ``changes``,
#: ``error`` (the first exception).
event_failed = Notification()
#: Sent when the view rejected a delivery and stored nothing. Keywords: ``request``, ``account`` (its
#: name), ``status_code``, ``reason``, ``body_length`` (in bytes) and ``body_digest`` (SHA-256, hexadecimal),
#: which are ``None`` if the body was not read.
webhook_rejected = Notification()
