"""Apply an event to the mirror: lock the row, decide, write it, and return the result.

An older event never overwrites a newer one, and only an object that was seen at the API comes back
after its deletion.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import DEFAULT_DB_ALIAS, DataError, IntegrityError, OperationalError
from django.utils import timezone

from django_altoviz.event_types import EventType
from django_altoviz.exceptions import InvalidPayload
from django_altoviz.models import MIRRORS, Mirror, Source, WebhookEvent
from django_altoviz.models.mirrors import Changes, dump_changes, load_changes
from django_altoviz.models.mirrors.payloads import explain_refusal
from django_altoviz.models.mirrors.relations import key_of
from django_altoviz.models.statements import locked
from django_altoviz.processing.calendar import pass_due_date


@dataclass(frozen=True)
class Reading:
    """An object as an event or the API shows it.

    ``data`` are its fields, ``raw`` is the text that they were read from, and ``is_gone`` says that
    it was deleted. ``number`` is the primary key of the last event that was stored before the object
    was read. ``from_api`` says that it was read at the API: a delivery may be late.
    """

    data: Any
    raw: str
    number: int
    from_api: bool
    is_gone: bool

    def is_complete(self, known: Mapping[str, Any]) -> bool:
        """Return True if it has every field that is known. A deletion may have no more than the id."""
        fields = self.data if isinstance(self.data, dict) else {}
        return all(name in fields for name, value in known.items() if value is not None)


class Decision(enum.Enum):
    """The effect that an event has on a row. The value of a refusal is the reason."""

    SHOW = "show the object"
    REVIVE = "show the object, although the row is a tombstone"
    DELETE = "make the row a tombstone"
    KEEP = "the row shows this event already, or a later one"
    OVERTAKEN = "Another event came in after the object had been read."
    SEEN_ALIVE = "The object was seen alive after this event."
    DELETED = "The object was deleted before this event arrived."


#: An event that comes too late is ignored.
TOO_LATE = (Decision.OVERTAKEN, Decision.SEEN_ALIVE, Decision.DELETED)


@dataclass(frozen=True)
class MirrorResult:
    """The row that an event was applied to, and what changed.

    ``ignored`` says why the event had no effect. ``effect`` are the columns of the event in which all
    this is kept for a later attempt.
    """

    instance: Mirror | None
    changes: Changes = field(default_factory=dict)
    business_signals: tuple[str, ...] = ()
    ignored: str = ""
    effect: dict[str, Any] = field(default_factory=dict)


def reading_of(event: WebhookEvent) -> Reading:
    """Return the object as the event itself shows it."""
    is_gone = EventType(event.type).is_deletion
    from_api = event.source == Source.SYNC
    return Reading(event.envelope.data, event.body, event.pk, from_api, is_gone)


def apply(event: WebhookEvent, refetched: Reading | None = None) -> MirrorResult:
    """Apply the event to the mirror. Must run in a transaction.

    ``refetched`` is the object as it was read at the API because of the event, if it was. An event
    that was applied at an earlier attempt changes nothing; its result is read from the event.

    Raises:
        InvalidPayload: a value does not fit.
    """
    if event.object_id is None:
        return _without_object(event)
    row = _lock_row(event)
    if row is not None and row.last_event_id > event.pk and _is_numbered_anew(event, row):
        row.last_event_id = 0
    if event.mirrored_at is not None:
        changes = load_changes(MIRRORS[EventType(event.type).entity], event.changes)
        return MirrorResult(row, changes, tuple(event.business_signals))
    if event.source == Source.CALENDAR:
        return _pass_due_date(event, row)
    reading = refetched or reading_of(event)
    decision = decide(
        row,
        reading,
        is_overtaken=event.source == Source.SYNC and _is_overtaken(event, row),
        is_seen_alive=reading.is_gone and _is_seen_alive(event, row, reading),
    )
    if decision in TOO_LATE:
        return MirrorResult(row, ignored=decision.value)
    if row is None:
        model: Any = MIRRORS[EventType(event.type).entity]
        row = model(altoviz_id=event.object_id, account=event.account)
    changes, business_signals = _write(event, row, reading, decision)
    result = _result(row, changes, business_signals)
    if refetched is not None:
        found = "gone" if refetched.is_gone else "alive"
        result.effect["arrival"] = event.arrival | {"read_again": found}
    return result


def _pass_due_date(event: WebhookEvent, row: Mirror | None) -> MirrorResult:
    passed = pass_due_date(event, row)
    if passed is None:
        return MirrorResult(row, ignored="The due date is paid, postponed or signalled already.")
    return _result(row, *passed)


def _result(row: Mirror | None, changes: Changes, business_signals: list[str]) -> MirrorResult:
    effect = {
        "mirrored_at": timezone.now(),
        "changes": dump_changes(changes),
        "business_signals": business_signals,
    }
    return MirrorResult(row, changes, tuple(business_signals), effect=effect)


def decide(
    row: Mirror | None, reading: Reading, *, is_overtaken: bool, is_seen_alive: bool
) -> Decision:
    """Return what the event does to the row, which may not be there yet.

    ``is_overtaken`` and ``is_seen_alive`` are what other events of the object say.
    """
    if is_overtaken:
        return Decision.OVERTAKEN
    if reading.is_gone:
        return Decision.SEEN_ALIVE if is_seen_alive else Decision.DELETE
    if row is None:
        return Decision.SHOW
    if row.deleted_at is not None and not reading.from_api:
        return Decision.DELETED
    # The sync writes rows without events; they have the number of the last event before the reading.
    if row.last_event_id >= reading.number:
        return Decision.KEEP
    return Decision.SHOW if row.deleted_at is None else Decision.REVIVE


def _without_object(event: WebhookEvent) -> MirrorResult:
    # The bodies of deletions are not documented, and may be empty.
    if EventType(event.type).is_deletion and not event.envelope.data:
        return MirrorResult(None, ignored="The event does not say which object was deleted.")
    raise InvalidPayload("id", "expected a positive integer of at most 64 bits")


def _lock_row(event: WebhookEvent) -> Mirror | None:
    model = MIRRORS[EventType(event.type).entity]
    key = key_of(event.account, event.object_id)
    return locked(model, "key", key, event._state.db or DEFAULT_DB_ALIAS, model._counts())


def _is_numbered_anew(event: WebhookEvent, row: Mirror) -> bool:
    """Return True if the row's number is from a table of events that is not there any more.

    The mirror may have been restored without its events, whose numbers then begin anew. An event that
    came in after the row was written can't be older than what the row shows.
    """
    if event.received_at <= row.synced_at:
        return False
    events = WebhookEvent.with_pruned.using(event._state.db)
    return not events.filter(pk__gte=row.last_event_id).exists()


def _is_overtaken(event: WebhookEvent, row: Mirror | None) -> bool:
    """Return True if a sync may have read the object before another event of it was stored."""
    if event.as_of is None:
        return False
    if row is not None and row.last_event_id > event.as_of:
        return True
    events = WebhookEvent.with_pruned.using(event._state.db).of_object(event)
    return events.filter(pk__gt=event.as_of, pk__lt=event.pk).exists()


def _is_seen_alive(event: WebhookEvent, row: Mirror | None, reading: Reading) -> bool:
    """Return True if a sync saw the object at the API after this deletion was stored."""
    if row is None or row.last_event_id <= reading.number:
        return False
    later = WebhookEvent.with_pruned.using(event._state.db).of_object(event).filter(pk__gt=event.pk)
    return later.filter(source=Source.SYNC).exclude(type=event.type).exists()


def _write(
    event: WebhookEvent, row: Mirror, reading: Reading, decision: Decision
) -> tuple[Changes, list[str]]:
    """Write the row. Return the columns that changed, and the business signals to send."""
    if decision is Decision.KEEP:
        return {}, []
    changes: Changes = {}
    business_signals: list[str] = []
    # If a deletion has fewer fields than are known, the row keeps the object as it was last known.
    if decision is not Decision.DELETE or row._state.adding or reading.is_complete(row.data):
        changes = row._apply(reading.data, reading.raw)
    if decision is Decision.DELETE:
        changes |= row._assign({"deleted_at": row.deleted_at or event.received_at})
    else:
        changes |= row._assign({"deleted_at": None})
        business_signals = row._update_business_signals(from_api=reading.from_api)
    row.last_event_id = max(row.last_event_id or 0, reading.number)
    try:
        row._save(changes, event._state.db or DEFAULT_DB_ALIAS)
    except (DataError, IntegrityError, OperationalError):
        explain_refusal(row.data)
        raise
    return changes, business_signals
