"""Find the traces in events without an object: of an unknown type, without an id, or malformed."""

from __future__ import annotations

from functools import partial

from django.db.models import Q

from django_altoviz.event_types import Entity
from django_altoviz.exact_json import has_duplicate_keys
from django_altoviz.exceptions import MalformedBody
from django_altoviz.intake.envelopes import stored_json
from django_altoviz.models import WebhookEvent
from django_altoviz.models.mirrors.personal_data import (
    COLUMNS,
    scalars,
    without_personal_data,
    without_texts,
)
from django_altoviz.privacy.traces import (
    EventTrace,
    Subject,
    Traces,
    entity_of,
    may_be_about,
    page_through,
    rows_with,
)

# The last keys of a path by which an object of an unknown entity may refer to the subject. The
# ``thirdId`` in a document's commitments is the customer's id [documented].
_REFERENCES = {
    Entity.CUSTOMER: {("customerId",), ("thirdId",), ("customer", "id"), ("third", "id")},
    Entity.CONTACT: {("contactId",), ("contact", "id")},
}


def find_other_events(subject: Subject, traces: Traces) -> None:
    """Find the events that no object leads to, by the subject's id and addresses."""
    events = subject.events(Q(entity="") | Q(object_id=None))
    with_id = page_through(events.filter(body__contains=str(subject.id)))
    with_address = rows_with(events, subject.emails, "body")
    for found in (with_id, with_address):
        for event in found:
            if event.pk in traces.events:
                continue
            is_concerned = _concerns(event, subject)
            if is_concerned is None:
                traces.unclear[event.pk] = None
            elif is_concerned:
                traces.events[event.pk] = _trace_without_object(event, subject)


def _trace_without_object(event: WebhookEvent, subject: Subject) -> EventTrace:
    entity = entity_of(event)
    if entity in COLUMNS and isinstance(event.envelope.data, dict):
        redact = partial(without_personal_data, entity)
        return EventTrace(redact, is_own=entity == subject.entity)
    return EventTrace(without_texts, is_own=entity == subject.entity)


def _concerns(event: WebhookEvent, subject: Subject) -> bool | None:
    """Return True if an event without an object concerns the subject, ``None`` if that is unclear."""
    try:
        data = event.envelope.data
    except MalformedBody:
        return None if subject.has_id(event.body) or subject.has_address(event.body) else False
    # Only the last value of a key was parsed.
    is_unclear = has_duplicate_keys(stored_json(event.body))
    for path, value in scalars(data):
        if isinstance(value, str) and subject.has_address(value):
            return True
        if not subject.is_id(value):
            # A text may be JSON itself.
            is_unclear = is_unclear or (isinstance(value, str) and subject.has_id(value))
            continue
        if {path[-1:], path[-2:]} & _REFERENCES[subject.entity]:
            return True
        if path == ("id",) and entity_of(event) == subject.entity:
            return True
        # The id of an object of another entity is no trace. Elsewhere, the number may mean anything.
        is_other = path == ("id",) and not may_be_about(event, subject.entity)
        is_unclear = is_unclear or not is_other
    return None if is_unclear else False
