"""The places that hold the personal data of a customer or a contact."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet

from django_altoviz import exact_json
from django_altoviz.event_types import Entity
from django_altoviz.intake.envelopes import valid_id
from django_altoviz.models import MIRRORS, WebhookEvent

#: Returns the data of an object or an event without the subject's personal data.
Redact = Callable[[Any], Any]

# An event type of a known entity, perhaps with an action that this version does not know.
_TYPE = re.compile(f"({'|'.join(entity.capitalize() for entity in Entity)})([A-Z][a-z]+)+")
# Characters that JSON never escapes.
_UNESCAPED = re.compile(r"[\w.@-]+", re.ASCII)
_ROWS_PER_QUERY = 100
# SQLite refuses a condition of a thousand terms.
_TEXTS_PER_QUERY = 100


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

    def is_id(self, value: Any) -> bool:
        """Return True if the value is the subject's id, as a number or as text."""
        if isinstance(value, str):
            try:
                value = exact_json.loads(value)
            except ValueError:
                return False
        return valid_id(value) == self.id

    def has_id(self, text: str) -> bool:
        return re.search(rf"(?<!\w){self.id}(?!\w)", text) is not None

    def has_address(self, text: str) -> bool:
        """Return True if the text has one of the addresses, and not as part of a longer one."""
        lower = text.lower()
        return any(
            re.search(rf"(?<![\w.+-]){re.escape(email)}(?![\w-])", lower) for email in self.emails
        )


@dataclass(frozen=True)
class EventTrace:
    """The way to redact an event: its data, and what to remove from its changes.

    Those are the ``columns``, and the texts for which ``has_address`` returns True. ``is_own`` marks
    the subject's own events. The other traces are found by the addresses in them.
    """

    redact: Redact
    columns: Collection[str] = ()
    is_own: bool = False
    has_address: Callable[[str], bool] = lambda text: False


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
    or somebody else. Both are in the order in which they were found.
    """

    events: dict[int, EventTrace] = field(default_factory=dict)
    rows: list[RowTrace] = field(default_factory=list)
    unclear: dict[int, None] = field(default_factory=dict)
    unclear_documents: dict[tuple[Entity, int], None] = field(default_factory=dict)


def entity_of(event: WebhookEvent) -> Entity | None:
    """Return the entity that the event's type names, or ``None`` if this version knows no such.

    ``CustomerAddressChanged`` may be about an address, with an id of its own, so it names none.
    """
    found = _TYPE.fullmatch(event.type)
    is_about_it = found is not None and found[1] + found[2] == event.type
    return Entity(found[1].lower()) if found and is_about_it else None


def may_be_about(event: WebhookEvent, entity: Entity) -> bool:
    """Return True if the event's type begins with the entity, whatever follows."""
    found = _TYPE.fullmatch(event.type)
    return found is not None and found[1].lower() == entity


def rows_with(rows: QuerySet[Any], texts: Collection[str], *fields: str) -> Iterator[Any]:
    """Yield each row that may have one of the texts, in any case, in one of these JSON texts.

    The query searches for the longest part of each text that JSON does not escape, so it finds other
    rows, too.
    """
    parts = sorted({max(_UNESCAPED.findall(text), key=len, default="") for text in texts})
    for start in range(0, len(parts), _TEXTS_PER_QUERY):
        condition = Q()
        for part in parts[start : start + _TEXTS_PER_QUERY]:
            for name in fields:
                condition |= Q(**{f"{name}__icontains": part})
        yield from page_through(rows.filter(condition))


def page_through(rows: QuerySet[Any]) -> Iterator[Any]:
    """Yield the rows in the order of their keys, as many queries as needed.

    ``iterator()`` would open a server-side cursor, which is lost behind a pool of transactions.
    """
    last = 0
    while window := [*rows.filter(pk__gt=last).order_by("pk")[:_ROWS_PER_QUERY]]:
        yield from window
        last = window[-1].pk
