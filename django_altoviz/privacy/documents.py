"""Find the documents of a customer, and the documents with somebody's e-mail address."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from django_altoviz.event_types import Entity
from django_altoviz.exact_json import has_duplicate_keys
from django_altoviz.intake.envelopes import stored_json, valid_id
from django_altoviz.models import WebhookEvent
from django_altoviz.models.mirrors.personal_data import (
    COLUMNS,
    has_text,
    scalars,
    without_addresses,
    without_personal_data,
)
from django_altoviz.privacy.traces import (
    EventTrace,
    Redact,
    RowTrace,
    Subject,
    Traces,
    rows_with,
)

# The columns of an event, as text, that hold data of its object.
_EVENT_TEXTS = ("body", "changes_text")


def find_documents(subject: Subject, entity: Entity, traces: Traces) -> None:
    """Find the customer's documents, by its id and by its number."""
    redact = partial(_redact_document, entity, subject)
    by_number, is_shared = _documents_by_number(subject, entity)
    candidates = _documents_by_id(subject, entity)
    if is_shared:
        unclear = sorted(by_number - candidates)
        traces.unclear_documents |= dict.fromkeys((entity, id) for id in unclear)
    else:
        candidates |= by_number
    owned = []
    for id in sorted(candidates):
        owner = None
        for event in subject.events_of(entity, id):
            former, owner = _owners(event, owner, subject)
            if owner in (None, subject.id):
                traces.events[event.pk] = EventTrace(redact, COLUMNS[entity])
            elif former == subject.id:
                # The event gave the document away. Its changes still have the old values.
                traces.events[event.pk] = EventTrace(lambda data: data, COLUMNS[entity])
        if owner in (None, subject.id):
            owned.append(id)
    condition = Q(customer_altoviz_id=subject.id) | Q(
        customer_altoviz_id=None, altoviz_id__in=owned
    )
    traces.rows.append(RowTrace(entity, condition, redact))


def _redact_document(entity: Entity, subject: Subject, data: Any) -> dict[str, Any]:
    left = without_personal_data(entity, data)
    return without_addresses(left, subject.has_address)  # which somebody may have typed in a line


def _documents_by_number(subject: Subject, entity: Entity) -> tuple[set[int], bool]:
    """Return the documents that have the customer's number but not its id.

    The boolean is True if other customers share the number, which Altoviz does not say is unique.
    """
    customers = subject.rows(Entity.CUSTOMER)
    number = customers.filter(altoviz_id=subject.id).values_list("number", flat=True).first()
    if not number:
        return set(), False
    rows = subject.rows(entity).filter(customer_altoviz_id=None, customer_number=number)
    documents = rows.values_list("altoviz_id", "customer_number")
    # MySQL and MariaDB also find the numbers that differ in case only.
    found = {id for id, found_number in documents if found_number == number}
    # An event that failed has left no row.
    events = _events_with_object(subject, entity).filter(mirrored_at=None)
    for event in rows_with(events, [number], "body"):
        data = event.envelope.data
        if data.get("customerNumber") == number and _named_owner(event, subject) is None:
            found.add(event.object_id)
    others = customers.filter(number=number).exclude(altoviz_id=subject.id)
    return found, number in others.values_list("number", flat=True)


def _documents_by_id(subject: Subject, entity: Entity) -> set[int]:
    """Return the documents that name the customer's id now, or did so in a stored event."""
    rows = subject.rows(entity).filter(customer_altoviz_id=subject.id)
    found = {*rows.values_list("altoviz_id", flat=True)}
    # A substring may be part of another number, so test the parsed values.
    events = rows_with(_events_with_object(subject, entity), [str(subject.id)], *_EVENT_TEXTS)
    for event in events:
        if subject.id in (_named_owner(event, subject), *_changed_owner(event)):
            assert event.object_id is not None
            found.add(event.object_id)
    return found


def _events_with_object(subject: Subject, entity: Entity) -> QuerySet[WebhookEvent]:
    events = subject.events(entity=entity, object_id__isnull=False)
    return events.annotate(changes_text=Cast("changes", TextField()))


def _owners(event: WebhookEvent, owner: Any, subject: Subject) -> tuple[Any, Any]:
    """Return the document's customer before and after the event.

    ``owner`` is the customer known so far. An event that names no customer does not change it.
    """
    former = next((id for id in _changed_owner(event)[:1] if id is not None), owner)
    named = _named_owner(event, subject)
    return former, former if named is None else named


def _named_owner(event: WebhookEvent, subject: Subject) -> int | None:
    """Return the customer that the event names.

    An event that failed may name the subject in an odd way: as text, in a list, or in an object.
    """
    data = event.envelope.data
    customer = data.get("customer")
    named = [data.get("customerId"), customer.get("id") if isinstance(customer, dict) else None]
    if any(subject.is_id(value) for _path, value in scalars(named)):
        return subject.id
    return valid_id(data.get("customerId"))


def _changed_owner(event: WebhookEvent) -> list[Any]:
    changed: list[Any] = event.changes.get("customer_altoviz_id", [])
    return changed


def find_addresses(subject: Subject, entity: Entity, traces: Traces) -> None:
    """Find the documents with one of the subject's addresses.

    A document refers to its contacts by their addresses only, so a contact's is erased wherever it
    stands. In the document of another customer, a customer's address may be that of somebody whom
    both employ, so these documents are unclear.
    """
    redact = partial(without_addresses, has_address=subject.has_address)
    rows = subject.rows(entity).annotate(text=Cast("data", TextField()))
    for trace in traces.rows:
        if trace.entity == entity:
            rows = rows.exclude(trace.condition)
    documents = [
        row.altoviz_id
        for row in rows_with(rows, subject.emails, "text")
        if redact(row.data) != row.data
    ]
    with_address = [
        event.pk
        for event in rows_with(_events_with_object(subject, entity), subject.emails, *_EVENT_TEXTS)
        if event.pk not in traces.events and _has_address(event, redact, subject)
    ]
    if subject.entity == Entity.CONTACT:
        traces.rows.append(RowTrace(entity, Q(altoviz_id__in=documents), redact))
        event_trace = EventTrace(redact, has_address=subject.has_address)
        traces.events |= dict.fromkeys(with_address, event_trace)
    else:
        traces.unclear_documents |= dict.fromkeys((entity, id) for id in documents)
        traces.unclear |= dict.fromkeys(with_address)


def _has_address(event: WebhookEvent, redact: Redact, subject: Subject) -> bool:
    data = event.envelope.data
    return (
        redact(data) != data
        or has_duplicate_keys(stored_json(event.body))  # of which only the last value was parsed
        or has_text(event.changes, subject.has_address)
    )
