"""A difference becomes an event, and takes the way of all events."""

from __future__ import annotations

import secrets

from django_altoviz.event_types import Entity, EventType
from django_altoviz.exact_json import to_bytes
from django_altoviz.models import Source, Status, SyncRun, WebhookEvent
from django_altoviz.processing import process
from django_altoviz.signals import event_received
from django_altoviz.sync.comparing import Object


def tell(run: SyncRun, action: str, data: Object, as_of: int) -> Status:
    """Store a difference as an event, process it, and return what became of it.

    ``as_of`` stays with the event: it has no effect on an object of which another event came in
    since.
    """
    body = body_of(EventType[f"{Entity(run.entity).name}_{action}"], data)
    event = WebhookEvent.from_delivery(body, run.account, {}, Source.SYNC, as_of)
    WebhookEvent.objects.using(run._state.db).store(event)
    event_received.send_robust(WebhookEvent, event=event)
    process(event)
    return Status(event.status)


def body_of(event_type: EventType, data: Object) -> bytes:
    """An envelope of our own. Its id is drawn, so that no two differences are the same event."""
    envelope = {"id": f"sync_{secrets.token_hex(13)}", "type": event_type.value, "data": data}
    return to_bytes(envelope)
