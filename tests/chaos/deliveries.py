"""Plan the deliveries: events of many objects in random order, some repeated.

Two accounts have objects with the same ids.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from django_altoviz.event_types import EventType
from django_altoviz.intake.signing import SIGNATURE_HEADER, sign
from django_altoviz.samples import sample, to_body

#: The secret of each account, and the path of its webhook.
SECRETS = {"default": "secret-of-the-chaos-suite", "acme": "secret-of-the-other-account"}
PATHS = {"default": "/altoviz/webhook/", "acme": "/altoviz/webhook/acme/"}
ENTITIES = ["Customer", "Contact", "Product", "Invoice", "Quote"]
REPEATED = 0.3
#: The share of objects that have a deletion among their events.
DELETED = 0.1


@dataclass(frozen=True)
class Event:
    event_id: str
    account: str
    #: The account, the entity and the Altoviz id.
    object: tuple[str, str, int]
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
    place, second = divmod(owner, 2)
    account = [*SECRETS][second]
    entity = ENTITIES[place % len(ENTITIES)]
    action = "Deleted" if is_deletion else "Created" if number < 2 * owner else "Updated"
    envelope = sample(EventType(f"{entity}{action}"))
    object_id = 1000 + place
    related = object_id - place % len(ENTITIES)  # a customer; the product is two further
    # The internalId of each event is unique, so the judge sees which event the mirror shows.
    data = envelope.data | {"id": object_id, "internalId": f"event {number}"}
    if "customerId" in data:
        data["customerId"] = related
    for position, line in enumerate(data.get("lines") or []):
        line |= {"id": object_id * 100 + position, "productId": related + 2}
    event_id = f"evt_{number:025d}"
    body = to_body(type(envelope)(event_id, envelope.type, data))
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        SIGNATURE_HEADER: sign(body, SECRETS[account]),
    }
    name = (account, entity.lower(), object_id)
    return Event(event_id, account, name, is_deletion, body, headers)
