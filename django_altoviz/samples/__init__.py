"""An invented delivery of each event type, in the shape of 2026 [observed and documented]."""

from __future__ import annotations

import secrets
import string
from importlib import resources

from django_altoviz import exact_json
from django_altoviz.event_types import EventType
from django_altoviz.intake.envelopes import EVENT_ID_PREFIX, Envelope

#: A type that no version knows: an event of it is stored, and has no effect.
PING = "Ping"
_BASE36 = string.digits + string.ascii_lowercase


def sample_body(event_type: EventType) -> bytes:
    """Return the body of the sample. Its event id is always the same."""
    return (resources.files(__package__) / f"{event_type}.json").read_bytes()


def sample(event_type: EventType) -> Envelope:
    """Return the parsed sample. The caller may modify its data."""
    body = exact_json.loads(sample_body(event_type).decode())
    return Envelope(event_id=body["id"], type=body["type"], data=body["data"])


def ping_body() -> bytes:
    """Return the body of an event without effect, with a new id."""
    return to_body(Envelope(new_event_id(), PING, {}))


def new_event_id() -> str:
    """Return a random event id like Altoviz's: ``evt_`` and 25 characters of base 36 [observed]."""
    return EVENT_ID_PREFIX + "".join(secrets.choice(_BASE36) for _ in range(25))


def to_body(envelope: Envelope) -> bytes:
    """Return the envelope as Altoviz would send it, without escaped accents [inferred]."""
    members = {"id": envelope.event_id, "type": envelope.type, "data": envelope.data}
    return exact_json.dumps(members).encode()
