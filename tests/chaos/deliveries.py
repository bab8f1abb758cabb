"""Plan the deliveries: events of many objects in random order, some repeated."""

from __future__ import annotations

import random
from dataclasses import dataclass

from django_altoviz.event_types import EventType
from django_altoviz.intake.signing import SIGNATURE_HEADER, sign
from django_altoviz.samples import sample, to_body

SECRET = "secret-of-the-chaos-suite"
ENTITIES = ["Customer", "Contact", "Product", "Invoice", "Quote"]
REPEATED = 0.3
#: The share of objects that have a deletion among their events.
DELETED = 0.1


@dataclass(frozen=True)
class Event:
    event_id: str
    object: tuple[str, int]
    is_deletion: bool
    body: bytes
    headers: dict[str, str]


def plan(deliveries: int, objects: int, chance: random.Random) -> list[Event]:
    """Return the events in the order of sending. A repeated event is there several times."""
    unique = round(deliveries * (1 - REPEATED))
    deleted = {number for number in range(objects) if chance.random() < DELETED}
    events = []
    for number in range(unique):
        owner = number % objects
        is_deletion = owner in deleted and number < objects
        events.append(_event(number, owner, is_deletion))
    sent = events + chance.choices(events, k=deliveries - unique)
    chance.shuffle(sent)
    return sent


def _event(number: int, owner: int, is_deletion: bool) -> Event:
    entity = ENTITIES[owner % len(ENTITIES)]
    action = "Deleted" if is_deletion else "Created" if number < 2 * owner else "Updated"
    envelope = sample(EventType(f"{entity}{action}"))
    object_id = 1000 + owner
    # The internalId of each event is unique, so the judge sees which event the mirror shows.
    data = envelope.data | {"id": object_id, "internalId": f"event {number}"}
    for position, line in enumerate(data.get("lines") or []):
        line["id"] = object_id * 100 + position
    event_id = f"evt_{number:025d}"
    body = to_body(type(envelope)(event_id, envelope.type, data))
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        SIGNATURE_HEADER: sign(body, SECRET),
    }
    return Event(event_id, (entity.lower(), object_id), is_deletion, body, headers)
