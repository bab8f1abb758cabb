"""One event's effect on the mirror: what it shows, and when it comes too late to show anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import DEFAULT_DB_ALIAS, DataError, IntegrityError, OperationalError
from django.utils import timezone

from django_altoviz.event_types import EventType
from django_altoviz.exceptions import ForeignObject, InvalidPayload
from django_altoviz.models import MIRRORS, Mirror, Source, WebhookEvent
from django_altoviz.models.mirrors import Changes, dump_changes, load_changes
from django_altoviz.models.mirrors.payloads import explain_refusal
from django_altoviz.models.statements import locked


@dataclass(frozen=True)
class Shown:
    """What the mirror shows after an event.

    ``business_signals`` are the business signals that the event causes, and ``ignored`` says why it had no
    effect. ``effect`` is what is to be kept of all this on the event.
    """

    instance: Mirror | None
    changes: Changes = field(default_factory=dict)
    business_signals: tuple[str, ...] = ()
    ignored: str = ""
    effect: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class News:
    """What is known of an object: its ``data`` (``None`` where it is gone), and the ``text`` that
    they were read from.

    ``number`` is that of the last event before it was known. ``is_certain`` where it was seen at the
    API, and not told by a delivery.
    """

    data: Any
    text: str
    number: int
    is_certain: bool

    def tells_as_much_as(self, known: Mapping[str, Any]) -> bool:
        """Whether all that is known of the object is told again: a deletion may tell no more than
        the id."""
        told = self.data if isinstance(self.data, dict) else {}
        return all(name in told for name, value in known.items() if value is not None)


def told_by(event: WebhookEvent) -> News:
    """What the event itself says."""
    is_certain = event.source == Source.SYNC
    return News(event.envelope.data, event.body, event.pk, is_certain)


def mirror(event: WebhookEvent, seen: News | None = None) -> Shown:
    """Bring the mirror up to the event; has to run in a transaction.

    ``seen`` is the object as it was read at the API because of the event, if it was. An event that is
    known to have had its effect already has none: what it showed then is told from the event.

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
        return Shown(row, load_changes(model, event.changes), tuple(event.business_signals))
    if event.source == Source.SYNC and _is_overtaken(event, row):
        return Shown(row, ignored="Another event came in after the object had been read.")
    news = seen or told_by(event)
    is_gone = event_type.is_deletion if seen is None else seen.data is None
    shown = _delete(event, row, news) if is_gone else _show(event, row, news)
    return shown if shown.ignored else replace(shown, effect=_effect(event, shown, seen))


def _effect(event: WebhookEvent, shown: Shown, seen: News | None) -> dict[str, Any]:
    effect = {
        "mirrored_at": timezone.now(),
        "changes": dump_changes(shown.changes),
        "business_signals": [*shown.business_signals],
    }
    if seen is not None:
        found = "gone" if seen.data is None else "alive"
        effect["arrival"] = event.arrival | {"read_again": found}
    return effect


def _nothing_named(event: WebhookEvent, event_type: EventType) -> Shown:
    # Bodies of deletions are documented nowhere, and may be empty.
    if event_type.is_deletion and not event.envelope.data:
        return Shown(None, ignored="The event does not tell which object was deleted.")
    raise InvalidPayload("id", "expected a positive integer of at most 64 bits")


def _is_overtaken(event: WebhookEvent, row: Mirror | None) -> bool:
    """Whether what a sync has read may be older than another event of the object."""
    if "as_of" not in event.arrival:
        return False
    as_of = int(event.arrival["as_of"])
    if row is not None and row.last_event_id > as_of:
        return True
    events = WebhookEvent.with_pruned.using(event._state.db).of_object(event)
    return bool(events.filter(pk__gt=as_of, pk__lt=event.pk).exists())


def _show(event: WebhookEvent, row: Mirror | None, news: News) -> Shown:
    revived = {}
    if row is not None and row.deleted_at is not None:
        if not news.is_certain:
            return Shown(row, ignored="The object was deleted before this event arrived.")
        revived = {"deleted_at": None}
    # What was imported has the number of the last event that came before.
    if row is not None and row.last_event_id >= news.number:
        return Shown(row)
    row = row or _new_row(event)
    changes = row.show(news.data, news.text) | row.set(revived)
    business_signals = row.reach(is_certain=news.is_certain)
    return replace(_saved(event, row, changes, news), business_signals=tuple(business_signals))


def _delete(event: WebhookEvent, row: Mirror | None, news: News) -> Shown:
    if row is not None and row.last_event_id > news.number and _seen_alive_since(event):
        return Shown(row, ignored="The object was seen alive after this event.")
    is_new = row is None
    row = row or _new_row(event)
    if news.data is None:
        news = replace(told_by(event), number=news.number)
    changes: Changes = {}
    # Where less is told than is known, the last known object is the best there is.
    if is_new or news.tells_as_much_as(row.data):
        changes = row.show(news.data, news.text)
    changes |= row.set({"deleted_at": row.deleted_at or event.received_at})
    return _saved(event, row, changes, news)


def _new_row(event: WebhookEvent) -> Mirror:
    model: Any = MIRRORS[EventType(event.type).entity]
    row: Mirror = model(altoviz_id=event.object_id, account=event.account)
    return row


def _saved(event: WebhookEvent, row: Mirror, changes: Changes, news: News) -> Shown:
    row.last_event_id = max(row.last_event_id or 0, news.number)
    try:
        row.save_shown(changes, event._state.db or DEFAULT_DB_ALIAS)
    except (DataError, IntegrityError, OperationalError):
        explain_refusal(row.data)
        raise
    return Shown(row, changes)


def _seen_alive_since(event: WebhookEvent) -> bool:
    later = WebhookEvent.with_pruned.using(event._state.db).of_object(event).filter(pk__gt=event.pk)
    return bool(later.filter(source=Source.SYNC).exclude(type=event.type).exists())
