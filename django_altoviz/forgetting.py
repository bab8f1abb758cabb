"""Personal data of a customer or a contact are removed; what accounting needs stays.

Names, addresses, notes and whatever else says who somebody is become ``null``, in the mirror, in the
documents of a customer, and in the events that told of them. Ids, numbers, dates and amounts stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from django.db import DEFAULT_DB_ALIAS, router, transaction
from django.db.models import Q, QuerySet

from django_altoviz import exact_json
from django_altoviz.envelopes import body_to_text, text_to_body
from django_altoviz.event_types import Entity
from django_altoviz.models import MIRRORS, Contact, Customer, Mirror, Status, WebhookEvent

Object = Mapping[str, Any]

#: What stays of a customer and of a contact. A field that is not here goes, also one that is new.
STAYS = {
    Entity.CUSTOMER: {
        "id",
        "number",
        "type",
        "internalId",
        "active",
        "family",
        "billingOptions",
        "companyInformations",
        "billingAddress",
        "shippingAddress",
    },
    Entity.CONTACT: {"id", "internalId"},
}
#: What goes of an invoice or a quote: the customer's snapshot, and texts in which one may be named.
GOES = {
    "customerName",
    "customerElectronicAddress",
    "billingContact",
    "shippingContact",
    "subject",
    "headerNotes",
    "footerNotes",
    "internalNotes",
    "metadata",
    "publicLink",
}
#: What stays of the objects in them: the country decides on the VAT, and a company is known to the
#: tax office by its numbers.
STAYS_INSIDE = {
    "billingAddress": {"countryIso", "countryName"},
    "shippingAddress": {"countryIso", "countryName"},
    "companyInformations": {"siret", "vatNumber"},
}
#: The columns that hold what goes.
COLUMNS = {
    Entity.CUSTOMER: {
        "name",
        "company_name",
        "title",
        "first_name",
        "last_name",
        "email",
        "phone",
        "cell_phone",
        "electronic_address",
        "billing_zipcode",
        "billing_city",
    },
    Entity.CONTACT: {
        "title",
        "first_name",
        "last_name",
        "display_name",
        "inverted_display_name",
        "company_name",
        "function",
        "service",
        "email",
        "phone",
        "cell_phone",
    },
}
DOCUMENT_COLUMNS = {"customer_name", "customer_electronic_address", "subject", "public_link"}
#: In place of an error's text.
FORGOTTEN = "Forgotten."
_DOCUMENTS = (Entity.INVOICE, Entity.QUOTE)


def forget(entity: Entity, id: int, account: str, *, dry_run: bool = False) -> Counter[str]:
    """Remove the personal data of a customer or contact; how many rows of what held any."""
    using = router.db_for_write(WebhookEvent)
    counts: Counter[str] = Counter()
    with transaction.atomic(using=using):
        for each, row in _rows(entity, id, account, using):
            counts[each.value] += _forget_row(each, row, dry_run)
    for event in _events(entity, id, account, using).iterator(chunk_size=100):
        if _is_about(event, entity, id):
            counts["event"] += _forget_event(event, dry_run)
    return +counts


def knows(entity: Entity, id: int, account: str) -> bool:
    """Whether there is, or was, such a customer or contact."""
    events = WebhookEvent.objects.filter(account=account, entity=entity, object_id=id)
    rows = MIRRORS[entity].with_deleted.filter(account=account, altoviz_id=id)
    return rows.exists() or events.exists()


def contacts_of(id: int, account: str) -> list[int]:
    """The contacts with a customer's e-mail address: Altoviz makes one with each customer."""
    customer = Customer.with_deleted.filter(account=account, altoviz_id=id).first()
    if not isinstance(customer, Customer) or not customer.email:
        return []
    contacts = Contact.with_deleted.filter(account=account, email=customer.email)
    return sorted(contacts.values_list("altoviz_id", flat=True))


def without_personal_data(entity: Entity, data: Object) -> dict[str, Any]:
    """The object with ``null`` in place of what says who somebody is."""
    return {name: _left(entity, name, value) for name, value in data.items()}


def _left(entity: Entity, name: str, value: Any) -> Any:
    if name in GOES if entity in _DOCUMENTS else name not in STAYS[entity]:
        return None
    inside = STAYS_INSIDE.get(name)
    if inside is None or not isinstance(value, dict):
        return value
    return {key: item if key in inside else None for key, item in value.items()}


def _rows(entity: Entity, id: int, account: str, using: str) -> Iterator[tuple[Entity, Mirror]]:
    """The row, and those of the documents that have a snapshot of it."""
    found = [(entity, Q(altoviz_id=id))]
    if entity == Entity.CUSTOMER:
        found += [(each, Q(customer=id)) for each in _DOCUMENTS]
    for each, condition in found:
        rows = MIRRORS[each].with_deleted.using(using).select_for_update()
        for row in rows.filter(condition, account=account).order_by("pk"):
            yield each, row


def _forget_row(entity: Entity, row: Mirror, dry_run: bool) -> int:
    left = without_personal_data(entity, row.data)
    if left == row.data:
        return 0
    if not dry_run:
        row.save_shown(row.show(left, ""), row._state.db or DEFAULT_DB_ALIAS)
    return 1


def _events(entity: Entity, id: int, account: str, using: str) -> QuerySet[WebhookEvent]:
    """The events of it, and those of its documents among few others."""
    about = Q(entity=entity, object_id=id)
    if entity == Entity.CUSTOMER:
        about |= Q(entity__in=_DOCUMENTS, body__contains=str(id))
    events: QuerySet[WebhookEvent] = WebhookEvent.objects.using(using)
    return events.filter(about, account=account).order_by("pk")


def _is_about(event: WebhookEvent, entity: Entity, id: int) -> bool:
    if event.entity == entity:
        return True
    data = event.envelope.data
    return isinstance(data, dict) and bool(data.get("customerId") == id)


def _forget_event(event: WebhookEvent, dry_run: bool) -> int:
    """Its ``dedupe_key`` stays, so that the event is known if it is delivered again."""
    gone = COLUMNS.get(Entity(event.entity), DOCUMENT_COLUMNS)
    values = {
        "body": _body_left(event),
        "changes": {name: pair for name, pair in event.changes.items() if name not in gone},
        "error": _error_left(event.status, event.error),
        "history": [
            attempt | {"error": _error_left(attempt["status"], attempt["error"])}
            for attempt in event.history
        ],
    }
    runs = event.receiver_runs.exclude(gave_up__in=["", FORGOTTEN])
    if all(getattr(event, name) == value for name, value in values.items()) and not runs.exists():
        return 0
    if not dry_run:
        runs.update(gave_up=FORGOTTEN)
        type(event).objects.using(event._state.db).filter(pk=event.pk).update(**values)
    return 1


def _body_left(event: WebhookEvent) -> str:
    envelope = exact_json.loads(text_to_body(event.body).decode("utf-8-sig"))
    left = without_personal_data(Entity(event.entity), envelope["data"])
    if left == envelope["data"]:
        return event.body
    return body_to_text(exact_json.to_bytes(envelope | {"data": left}))


def _error_left(status: str, error: str) -> str:
    """Why an event has no effect is this app's own text; an exception's may have anything in it."""
    return FORGOTTEN if error and status not in (Status.IGNORED, Status.MALFORMED) else error
