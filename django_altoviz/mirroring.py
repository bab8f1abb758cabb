"""One event's effect on the mirror: what it shows, and when it comes too late to show anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.utils import timezone

from django_altoviz.event_types import EventType
from django_altoviz.exceptions import ForeignObject, InvalidPayload
from django_altoviz.models import (
    MIRRORS,
    Changes,
    Mirror,
    Source,
    WebhookEvent,
    dump_changes,
    load_changes,
    locked,
)


@dataclass(frozen=True)
class Shown:
    """What the mirror shows after an event.

    ``milestones`` are the business signals that the event causes, and ``ignored`` says why it had no
    effect. ``effect`` is what is to be kept of all this on the event.
    """

    instance: Mirror | None
    changes: Changes = field(default_factory=dict)
    milestones: tuple[str, ...] = ()
    ignored: str = ""
    effect: dict[str, Any] = field(default_factory=dict)


def mirror(event: WebhookEvent) -> Shown:
    """Bring the mirror up to the event; has to run in a transaction.

    An event that is known to have done this already is not applied again: what it showed then is
    told from the event.

    Raises:
        InvalidPayload: a value does not fit.
        ForeignObject: the object is another account's.
    """
    event_type = EventType(event.type)
    model = MIRRORS[event_type.entity]
    if event.object_id is None:
        return _nothing_named(event, event_type)
    row = locked(model, "altoviz_id", event.object_id, event._state.db or DEFAULT_DB_ALIAS)
    if row is not None and row.account != event.account:
        raise ForeignObject(f"{event_type.entity} {event.object_id} is another account's.")
    if event.mirrored_at is not None:
        return Shown(row, load_changes(model, event.changes), tuple(event.milestones))
    shown = _delete(event, row) if event_type.is_deletion else _show(event, row)
    return shown if shown.ignored else replace(shown, effect=_effect(shown))


def _effect(shown: Shown) -> dict[str, Any]:
    return {
        "mirrored_at": timezone.now(),
        "changes": dump_changes(shown.changes),
        "milestones": [*shown.milestones],
    }


def _nothing_named(event: WebhookEvent, event_type: EventType) -> Shown:
    # Bodies of deletions are documented nowhere, and may be empty.
    if event_type.is_deletion and not event.envelope.data:
        return Shown(None, ignored="The event does not tell which object was deleted.")
    raise InvalidPayload("id", "expected a positive integer of at most 64 bits")


def _show(event: WebhookEvent, row: Mirror | None) -> Shown:
    revived = {}
    if row is not None and row.deleted_at is not None:
        if event.source != Source.SYNC:
            return Shown(row, ignored="The object was deleted before this event arrived.")
        revived = {"deleted_at": None}
    if row is not None and row.last_event_id > event.pk:
        return Shown(row)
    row = row or _new_row(event)
    changes = row.show(event.envelope.data, event.body) | row.set(revived)
    milestones = row.reach(is_certain=event.source == Source.SYNC)
    return replace(_saved(event, row, changes), milestones=tuple(milestones))


def _delete(event: WebhookEvent, row: Mirror | None) -> Shown:
    if row is not None and row.last_event_id > event.pk and _seen_alive_since(event):
        return Shown(row, ignored="The object was seen alive after this event.")
    is_new = row is None
    row = row or _new_row(event)
    changes: Changes = {}
    # Where the id is all that is told, the last known object is the best there is.
    if is_new or _tells_more_than_the_id(event.envelope.data):
        changes = row.show(event.envelope.data, event.body)
    changes |= row.set({"deleted_at": row.deleted_at or event.received_at})
    return _saved(event, row, changes)


def _new_row(event: WebhookEvent) -> Mirror:
    model: Any = MIRRORS[EventType(event.type).entity]
    row: Mirror = model(altoviz_id=event.object_id, account=event.account)
    return row


def _saved(event: WebhookEvent, row: Mirror, changes: Changes) -> Shown:
    row.last_event_id = max(row.last_event_id or 0, event.pk)
    row.save_shown(changes, event._state.db or DEFAULT_DB_ALIAS)
    return Shown(row, changes)


def _tells_more_than_the_id(data: Mapping[str, Any]) -> bool:
    return len(data) > 1


def _seen_alive_since(event: WebhookEvent) -> bool:
    later = WebhookEvent.with_pruned.using(event._state.db).of_object(event).filter(pk__gt=event.pk)
    return bool(later.filter(source=Source.SYNC).exclude(type=event.type).exists())
