"""Turn a difference into an event and process it like a delivery."""

from __future__ import annotations

import secrets
from enum import Enum

from django_altoviz.event_types import Entity, EventType
from django_altoviz.exact_json import dumps_storable, dumps_utf8
from django_altoviz.exceptions import InvalidPayload
from django_altoviz.intake.envelopes import object_id_of
from django_altoviz.models import Source, Status, SyncRun, WebhookEvent
from django_altoviz.processing import process
from django_altoviz.signals import event_received
from django_altoviz.sync.comparing import RemoteObject, model_of


class Action(str, Enum):
    """A kind of difference. The name is the suffix of its event type, the value its count."""

    CREATED = "new"
    UPDATED = "changed"
    DELETED = "deleted"


#: The arrival of an event of no sync: somebody had one object read again.
REREAD = {"reason": "read again"}


def record_difference(run: SyncRun, action: Action, data: RemoteObject, as_of: int) -> str | None:
    """Store a difference as an event, process the event, and return which count it belongs to.

    Return ``None`` if another event of the object came in after ``as_of``. The event of the sync is
    ignored then, because the other one may be newer. A dry run only checks that the data fit.
    """
    if run.is_dry_run:
        return action.value if _fits(run, data) else "failed"
    body = body_of(EventType[f"{Entity(run.entity).name}_{action.name}"], data)
    arrival = {} if run.pk else REREAD
    event = WebhookEvent.from_delivery(body, run.account, arrival, Source.SYNC, as_of)
    WebhookEvent.objects.using(run._state.db).store(event)
    event_received.notify(WebhookEvent, event=event)
    process(event)
    if event.status == Status.IGNORED:
        return None
    failed = event.status in (Status.FAILED, Status.DEAD, Status.MALFORMED)
    return "failed" if failed else action.value


def body_of(event_type: EventType, data: RemoteObject) -> bytes:
    """Return an envelope as Altoviz would send it.

    Its id is random, because a difference that occurs again is another event, not a redelivery.
    """
    envelope = {"id": f"sync_{secrets.token_hex(13)}", "type": event_type.value, "data": data}
    return dumps_utf8(envelope)


def _fits(run: SyncRun, object: RemoteObject) -> bool:
    id = object_id_of(object)
    try:
        model_of(run)(altoviz_id=id or 0, account=run.account)._apply(
            object, dumps_storable(object)
        )
    except InvalidPayload:
        return False
    return id is not None
