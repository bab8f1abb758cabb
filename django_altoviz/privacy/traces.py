"""Where the personal data of a customer or a contact are: in which rows, and in which events."""

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
from django_altoviz.models import MIRRORS, WebhookEvent
from django_altoviz.models.mirrors.personal_data import (
    COLUMNS,
    DOCUMENTS,
    leaves,
    without_contacts,
    without_personal_data,
    without_texts,
)

#: What is left of an object.
Left = Callable[[Any], Any]

# How an object of a kind that this version does not know may name somebody. The ``thirdId`` of a
# document's commitments is its customer's id [documented].
_NAMED_BY = {
    Entity.CUSTOMER: {("customerId",), ("thirdId",), ("customer", "id"), ("third", "id")},
    Entity.CONTACT: {("contactId",), ("contact", "id")},
}
# A type that tells of a known kind, though perhaps of something unknown that happens to it.
_TYPE = re.compile(f"({'|'.join(entity.capitalize() for entity in Entity)})[A-Z][a-z]+")
_EMAIL = re.compile(r"\w@\w")
# What JSON never writes as an escape.
_AS_IT_IS = re.compile(r"[\w.@-]+", re.ASCII)


@dataclass(frozen=True)
class Who:
    """A customer or contact of an account, with all its e-mail addresses in lower case."""

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
        """The events of an object, also those of a type that this version does not know."""
        for event in self.events(entity__in=[entity, ""], object_id=id):
            if kind_of(event) == entity:
                yield event

    def writes(self, field: str) -> Q:
        """That a JSON text may have one of the e-mail addresses in it."""
        found = Q(pk__in=[])
        for email in self.emails:
            found |= Q(**{f"{field}__icontains": max(_AS_IT_IS.findall(email), key=len)})
        return found


@dataclass(frozen=True)
class EventTrace:
    """What is ``left`` of the data of an event, and the ``columns`` whose changes go."""

    left: Left
    columns: Collection[str] = ()


@dataclass(frozen=True)
class RowTrace:
    """What is ``left`` of the data of the rows that fulfil a condition."""

    entity: Entity
    condition: Q
    left: Left


@dataclass
class Traces:
    """The events by their primary keys. Of the unclear ones nobody can tell whether they are some."""

    events: dict[int, EventTrace] = field(default_factory=dict)
    rows: list[RowTrace] = field(default_factory=list)
    unclear: list[int] = field(default_factory=list)
    unclear_documents: list[tuple[Entity, int]] = field(default_factory=list)


def kind_of(event: WebhookEvent) -> Entity | None:
    """The kind of object that the event is about, ``None`` where this version knows none such."""
    found = _TYPE.fullmatch(event.type)
    return Entity(found[1].lower()) if found else None


def find(entity: Entity, id: int, account: str, using: str) -> Traces:
    """Find the traces of a customer or contact.

    The documents of a customer are those that name it, or named it when they last named any; of
    those that others have now, it is in the events of before.
    """
    who = Who(entity, id, account, using)
    left = partial(without_personal_data, entity)
    traces = Traces(rows=[RowTrace(entity, Q(altoviz_id=id), left)])
    emails = set(who.rows(entity).filter(altoviz_id=id).values_list("email", flat=True))
    for event in who.events_of(entity, id):
        traces.events[event.pk] = EventTrace(left, COLUMNS[entity])
        emails.add(event.envelope.data.get("email"))
    known = {email.lower() for email in emails if isinstance(email, str) and _EMAIL.search(email)}
    who = Who(entity, id, account, using, frozenset(known))
    for each in DOCUMENTS:
        if entity == Entity.CUSTOMER:
            _find_documents(who, each, traces)
        else:
            _find_contacts(who, each, traces)
    _find_others(who, traces)
    return traces


def _find_documents(who: Who, entity: Entity, traces: Traces) -> None:
    left = partial(without_personal_data, entity)
    nameless, is_shared = _nameless(who, entity)
    documents = _ever_theirs(who, entity)
    if is_shared:
        traces.unclear_documents += [(entity, id) for id in sorted(nameless - documents)]
    else:
        documents |= nameless
    theirs = []
    for id in sorted(documents):
        owner = None
        for event in who.events_of(entity, id):
            former, owner = _owners(event, owner)
            if owner in (None, who.id):
                traces.events[event.pk] = EventTrace(left, COLUMNS[entity])
            elif former == who.id:  # what it was before is in the changes
                traces.events[event.pk] = EventTrace(lambda data: data, COLUMNS[entity])
        if owner in (None, who.id):
            theirs.append(id)
    condition = Q(customer=who.id) | Q(customer=None, altoviz_id__in=theirs)
    traces.rows.append(RowTrace(entity, condition, left))


def _nameless(who: Who, entity: Entity) -> tuple[set[int], bool]:
    """The documents that name nobody but have the customer's number, and whether others have that
    number, too: none is said to be unique."""
    customers = who.rows(Entity.CUSTOMER)
    number = customers.filter(altoviz_id=who.id).values_list("number", flat=True).first()
    if not number:
        return set(), False
    found = who.rows(entity).filter(customer=None, customer_number=number)
    is_shared = customers.filter(number=number).exclude(altoviz_id=who.id).exists()
    return {*found.values_list("altoviz_id", flat=True)}, is_shared


def _ever_theirs(who: Who, entity: Entity) -> set[int]:
    """The documents that name the customer, or have named it."""
    found = {*who.rows(entity).filter(customer=who.id).values_list("altoviz_id", flat=True)}
    events = who.events(entity=entity, object_id__isnull=False)
    events = events.annotate(was=Cast("changes", TextField()))
    named = Q(body__contains=str(who.id)) | Q(was__contains=str(who.id))
    for event in events.filter(named).iterator(chunk_size=100):
        if who.id in (event.envelope.data.get("customerId"), *_changed_owner(event)):
            assert event.object_id is not None
            found.add(event.object_id)
    return found


def _owners(event: WebhookEvent, owner: Any) -> tuple[Any, Any]:
    """Whose the document was before an event and after it; one that names nobody changes nothing."""
    former = next((id for id in _changed_owner(event)[:1] if id is not None), owner)
    named = event.envelope.data.get("customerId")
    return former, former if named is None else named


def _changed_owner(event: WebhookEvent) -> list[Any]:
    changed: list[Any] = event.changes.get("customer_id", [])
    return changed


def _find_contacts(who: Who, entity: Entity, traces: Traces) -> None:
    """A document's contacts have no id, so they are known by their e-mail address."""
    left = partial(without_contacts, emails=who.emails)
    rows = who.rows(entity).annotate(text=Cast("data", TextField())).filter(who.writes("text"))
    found = [row.altoviz_id for row in rows.iterator(chunk_size=100) if left(row.data) != row.data]
    traces.rows.append(RowTrace(entity, Q(altoviz_id__in=found), left))
    events = who.events(who.writes("body"), entity=entity)
    for event in events.iterator(chunk_size=100):
        data = event.envelope.data
        if isinstance(data, dict) and left(data) != data:
            traces.events[event.pk] = EventTrace(left)


def _find_others(who: Who, traces: Traces) -> None:
    """Events that are of no object: of an unknown type, without an id, or malformed."""
    of_none = Q(entity="") | Q(object_id=None)
    named = Q(body__contains=str(who.id)) | who.writes("body")
    for event in who.events(of_none, named).iterator(chunk_size=100):
        if event.pk in traces.events:
            continue
        speaks = _speaks_of(event, who)
        if speaks is None:
            traces.unclear.append(event.pk)
        elif speaks:
            traces.events[event.pk] = _trace_of_other(event)


def _trace_of_other(event: WebhookEvent) -> EventTrace:
    kind = kind_of(event)
    if kind in COLUMNS and isinstance(event.envelope.data, dict):
        return EventTrace(partial(without_personal_data, kind))
    return EventTrace(without_texts)


def _speaks_of(event: WebhookEvent, who: Who) -> bool | None:
    """Whether an event of no object speaks of somebody, ``None`` where nobody can tell."""
    try:
        data = event.envelope.data
    except MalformedBody:
        is_named = re.search(rf"(?<!\d){who.id}(?!\d)", event.body)
        return None if is_named or _has_email(event.body, who) else False
    is_unclear = False
    for path, leaf in leaves(data):
        if isinstance(leaf, str) and _has_email(leaf, who):
            return True
        if isinstance(leaf, bool) or leaf not in (who.id, str(who.id)):
            continue
        if {path[-1:], path[-2:]} & _NAMED_BY[who.entity]:
            return True
        is_unclear = is_unclear or path != ("id",)
    return None if is_unclear else False


def _has_email(text: str, who: Who) -> bool:
    """Whether one of the addresses stands in a text, and not as a part of a longer one."""
    return any(
        re.search(rf"(?<![\w.+-]){re.escape(email)}(?![\w-])", text.lower()) for email in who.emails
    )
