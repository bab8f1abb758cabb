"""Find the rows and events that hold the personal data of a customer or a contact."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from django_altoviz.event_types import Entity
from django_altoviz.exceptions import MalformedBody
from django_altoviz.intake.envelopes import valid_id
from django_altoviz.models import MIRRORS, WebhookEvent
from django_altoviz.models.mirrors.personal_data import (
    COLUMNS,
    DOCUMENTS,
    email_of,
    scalars,
    without_contacts,
    without_personal_data,
    without_texts,
)

#: Returns the data of an object or an event without the subject's personal data.
Redact = Callable[[Any], Any]

# The last keys of a path by which an object of an unknown entity may refer to the subject. The
# ``thirdId`` in a document's commitments is the customer's id [documented].
_REFERENCES = {
    Entity.CUSTOMER: {("customerId",), ("thirdId",), ("customer", "id"), ("third", "id")},
    Entity.CONTACT: {("contactId",), ("contact", "id")},
}
# An event type of a known entity, perhaps with an action that this version does not know.
_TYPE = re.compile(f"({'|'.join(entity.capitalize() for entity in Entity)})[A-Z][a-z]+")
_EMAIL = re.compile(r"\w@\w")
# Characters that JSON never escapes.
_UNESCAPED = re.compile(r"[\w.@-]+", re.ASCII)
_ROWS_PER_QUERY = 100


@dataclass(frozen=True)
class Subject:
    """The customer or contact to erase, with all of its e-mail addresses in lower case."""

    entity: Entity
    id: int
    account: str
    using: str
    emails: frozenset[str] = frozenset()

    def rows(self, entity: Entity) -> QuerySet[Any]:
        rows: QuerySet[Any] = MIRRORS[entity].with_deleted.using(self.using)
        return rows.filter(account=self.account).order_by("pk")

    def events(self, *conditions: Q, **more: Any) -> QuerySet[WebhookEvent]:
        events: QuerySet[WebhookEvent] = WebhookEvent.objects.using(self.using)
        return events.filter(*conditions, account=self.account, **more).order_by("pk")

    def events_of(self, entity: Entity, id: int) -> Iterator[WebhookEvent]:
        """Yield the events of an object, including those of an unknown type."""
        for event in self.events(entity__in=[entity, ""], object_id=id):
            if entity_of(event) == entity:
                yield event

    def may_be_in(self, field: str) -> Q:
        """Return a condition that matches all rows whose JSON text has one of the addresses.

        The condition may match other rows, too: it searches for the longest part of an address that
        JSON does not escape.
        """
        condition = Q(pk__in=[])
        for email in self.emails:
            condition |= Q(**{f"{field}__icontains": max(_UNESCAPED.findall(email), key=len)})
        return condition


@dataclass(frozen=True)
class EventTrace:
    """The way to redact an event: its data, and the ``columns`` to remove from its changes.

    ``is_own`` marks the subject's own events. The other traces are found by the addresses in them.
    """

    redact: Redact
    columns: Collection[str] = ()
    is_own: bool = False


@dataclass(frozen=True)
class RowTrace:
    """The way to redact the rows of an entity that match a condition.

    ``is_own`` marks the subject's own row. The other traces are found by its number and address.
    """

    entity: Entity
    condition: Q
    redact: Redact
    is_own: bool = False


@dataclass
class Traces:
    """The places that hold the subject's personal data.

    ``events`` is keyed by primary key. ``unclear`` and ``unclear_documents`` may concern the subject
    or somebody else.
    """

    events: dict[int, EventTrace] = field(default_factory=dict)
    rows: list[RowTrace] = field(default_factory=list)
    unclear: list[int] = field(default_factory=list)
    unclear_documents: list[tuple[Entity, int]] = field(default_factory=list)


def entity_of(event: WebhookEvent) -> Entity | None:
    """Return the entity that the event's type names, or ``None`` if this version knows no such."""
    found = _TYPE.fullmatch(event.type)
    return Entity(found[1].lower()) if found else None


def find_traces(entity: Entity, id: int, account: str, using: str) -> Traces:
    """Find the traces of a customer or contact.

    A document belongs to the customer that it names, or, if it names nobody now, to the last one that
    it named. If a document has been given to another customer, only its earlier events are traces.
    """
    subject = Subject(entity, id, account, using)
    redact = partial(without_personal_data, entity)
    traces = Traces(rows=[RowTrace(entity, Q(altoviz_id=id), redact, is_own=True)])
    emails = set(subject.rows(entity).filter(altoviz_id=id).values_list("email", flat=True))
    for event in subject.events_of(entity, id):
        traces.events[event.pk] = EventTrace(redact, COLUMNS[entity], is_own=True)
        emails.add(email_of(event.envelope.data))
    known = frozenset(email.lower() for email in emails if email and _EMAIL.search(email))
    subject = Subject(entity, id, account, using, known)
    for each in DOCUMENTS:
        if entity == Entity.CUSTOMER:
            _find_documents(subject, each, traces)
        else:
            _find_contacts(subject, each, traces)
    _find_other_events(subject, traces)
    return traces


def _find_documents(subject: Subject, entity: Entity, traces: Traces) -> None:
    redact = partial(without_personal_data, entity)
    by_number, is_shared = _documents_by_number(subject, entity)
    candidates = _documents_by_id(subject, entity)
    if is_shared:
        traces.unclear_documents += [(entity, id) for id in sorted(by_number - candidates)]
    else:
        candidates |= by_number
    owned = []
    for id in sorted(candidates):
        owner = None
        for event in subject.events_of(entity, id):
            former, owner = _owners(event, owner)
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


def _documents_by_number(subject: Subject, entity: Entity) -> tuple[set[int], bool]:
    """Return the documents that have the customer's number but not its id.

    The boolean is True if other customers share the number, which Altoviz does not say is unique.
    """
    customers = subject.rows(Entity.CUSTOMER)
    number = customers.filter(altoviz_id=subject.id).values_list("number", flat=True).first()
    if not number:
        return set(), False
    found = subject.rows(entity).filter(customer_altoviz_id=None, customer_number=number)
    others = customers.filter(number=number).exclude(altoviz_id=subject.id)
    # MySQL and MariaDB also find the numbers that differ in case only.
    is_shared = number in others.values_list("number", flat=True)
    documents = found.values_list("altoviz_id", "customer_number")
    return {id for id, found_number in documents if found_number == number}, is_shared


def _documents_by_id(subject: Subject, entity: Entity) -> set[int]:
    """Return the documents that name the customer's id now, or did so in a stored event."""
    rows = subject.rows(entity).filter(customer_altoviz_id=subject.id)
    found = {*rows.values_list("altoviz_id", flat=True)}
    events = subject.events(entity=entity, object_id__isnull=False)
    events = events.annotate(changes_text=Cast("changes", TextField()))
    id = str(subject.id)
    # A substring may be part of another number, so test the parsed values below.
    candidates = events.filter(Q(body__contains=id) | Q(changes_text__contains=id))
    for event in _page_through(candidates):
        if subject.id in (_named_owner(event), *_changed_owner(event)):
            assert event.object_id is not None
            found.add(event.object_id)
    return found


def _owners(event: WebhookEvent, owner: Any) -> tuple[Any, Any]:
    """Return the document's customer before and after the event.

    ``owner`` is the customer known so far. An event that names no customer does not change it.
    """
    former = next((id for id in _changed_owner(event)[:1] if id is not None), owner)
    named = _named_owner(event)
    return former, former if named is None else named


def _named_owner(event: WebhookEvent) -> int | None:
    return valid_id(event.envelope.data.get("customerId"))


def _changed_owner(event: WebhookEvent) -> list[Any]:
    changed: list[Any] = event.changes.get("customer_altoviz_id", [])
    return changed


def _find_contacts(subject: Subject, entity: Entity, traces: Traces) -> None:
    """Find the contact in documents, by e-mail address, because there it has no id."""
    redact = partial(without_contacts, emails=subject.emails)
    rows = subject.rows(entity).annotate(text=Cast("data", TextField()))
    rows = rows.filter(subject.may_be_in("text"))
    found = [row.altoviz_id for row in _page_through(rows) if redact(row.data) != row.data]
    traces.rows.append(RowTrace(entity, Q(altoviz_id__in=found), redact))
    events = subject.events(subject.may_be_in("body"), entity=entity)
    for event in _page_through(events):
        data = event.envelope.data
        if isinstance(data, dict) and redact(data) != data:
            traces.events[event.pk] = EventTrace(redact)


def _find_other_events(subject: Subject, traces: Traces) -> None:
    """Find the events without an object: of an unknown type, without an id, or malformed."""
    without_object = Q(entity="") | Q(object_id=None)
    may_concern = Q(body__contains=str(subject.id)) | subject.may_be_in("body")
    for event in _page_through(subject.events(without_object, may_concern)):
        if event.pk in traces.events:
            continue
        is_concerned = _concerns(event, subject)
        if is_concerned is None:
            traces.unclear.append(event.pk)
        elif is_concerned:
            traces.events[event.pk] = _trace_without_object(event)


def _trace_without_object(event: WebhookEvent) -> EventTrace:
    entity = entity_of(event)
    if entity in COLUMNS and isinstance(event.envelope.data, dict):
        return EventTrace(partial(without_personal_data, entity))
    return EventTrace(without_texts)


def _concerns(event: WebhookEvent, subject: Subject) -> bool | None:
    """Return True if an event without an object concerns the subject, ``None`` if that is unclear."""
    try:
        data = event.envelope.data
    except MalformedBody:
        has_id = re.search(rf"(?<!\d){subject.id}(?!\d)", event.body)
        return None if has_id or _has_email(event.body, subject) else False
    is_unclear = False
    for path, value in scalars(data):
        if isinstance(value, str) and _has_email(value, subject):
            return True
        if isinstance(value, bool) or value not in (subject.id, str(subject.id)):
            continue
        if {path[-1:], path[-2:]} & _REFERENCES[subject.entity]:
            return True
        # The id of the object itself is of another entity. Elsewhere the number may mean anything.
        is_unclear = is_unclear or path != ("id",)
    return None if is_unclear else False


def _has_email(text: str, subject: Subject) -> bool:
    """Return True if the text has one of the addresses, and not as part of a longer one."""
    return any(
        re.search(rf"(?<![\w.+-]){re.escape(email)}(?![\w-])", text.lower())
        for email in subject.emails
    )


def _page_through(rows: QuerySet[Any]) -> Iterator[Any]:
    """Yield the rows in the order of their keys, as many queries as needed.

    ``iterator()`` would open a server-side cursor, which is lost behind a pool of transactions.
    """
    last = 0
    while window := [*rows.filter(pk__gt=last).order_by("pk")[:_ROWS_PER_QUERY]]:
        yield from window
        last = window[-1].pk
