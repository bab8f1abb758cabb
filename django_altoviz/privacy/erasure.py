"""Personal data of a customer or a contact are removed; what accounting needs stays.

Names, addresses, notes and whatever else says who somebody is become ``null``, in the mirror, in
documents, and in the events that told of them. Ids, numbers, dates and amounts stay. The rows are
marked, so that nothing brings back what was removed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.db import router, transaction
from django.db.models import DateTimeField, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from django_altoviz import exact_json
from django_altoviz.event_types import Entity
from django_altoviz.intake.envelopes import body_to_text, text_to_body
from django_altoviz.models import MIRRORS, Contact, Customer, Mirror, Status, WebhookEvent
from django_altoviz.models.mirrors.personal_data import DOCUMENTS
from django_altoviz.privacy.traces import EventTrace, Left, find

#: In place of an error's text.
FORGOTTEN = "Forgotten."


@dataclass
class Forgotten:
    """How many rows of what, and events, held personal data, and where some may be left.

    Of the ``unclear`` events, by their primary keys, and documents, by their kinds and ids, nobody
    can tell whom they concern. Of the ``unsettled`` events a worker may yet make a row that is not
    marked, or note an error.
    """

    counts: Counter[str] = field(default_factory=Counter)
    unclear: list[int] = field(default_factory=list)
    unclear_documents: list[tuple[Entity, int]] = field(default_factory=list)
    unsettled: list[int] = field(default_factory=list)


def forget(entity: Entity, id: int, account: str, *, dry_run: bool = False) -> Forgotten:
    """Remove the personal data of a customer or contact, and keep them out.

    It may be interrupted, and run again. Whatever is shown in a forgotten row from then on is shown
    without personal data, until it is lifted; what is delivered is stored as it is nevertheless.
    """
    using = router.db_for_write(WebhookEvent)
    traces = find(entity, id, account, using)
    forgotten = Forgotten(unclear=traces.unclear, unclear_documents=traces.unclear_documents)
    events = 0
    # The events come first, for a row may be made of one until then.
    for pk, event_trace in sorted(traces.events.items()):
        events += _forget_event(pk, event_trace, using, dry_run, forgotten.unsettled)
    for trace in traces.rows:
        rows = MIRRORS[trace.entity].with_deleted.using(using).filter(account=account)
        for row in rows.filter(trace.condition).order_by("pk"):
            if row.forgotten_at is None or trace.left(row.data) != row.data:
                forgotten.counts[trace.entity.value] += int(trace.left(row.data) != row.data)
                if not dry_run:
                    _forget_row(rows.filter(trace.condition, pk=row.pk), trace.left)
    forgotten.counts["event"] = events
    forgotten.counts = +forgotten.counts
    return forgotten


def lift(entity: Entity, id: int, account: str, *, dry_run: bool = False) -> Counter[str]:
    """Let personal data in again; how many rows of what were forgotten. The next event or sync of
    each brings them."""
    using = router.db_for_write(WebhookEvent)
    counts: Counter[str] = Counter()
    for trace in find(entity, id, account, using).rows:
        rows = MIRRORS[trace.entity].with_deleted.using(using).filter(trace.condition)
        rows = rows.filter(account=account).exclude(forgotten_at=None)
        counts[trace.entity.value] = rows.count() if dry_run else rows.update(forgotten_at=None)
    return +counts


def knows(entity: Entity, id: int, account: str) -> bool:
    """Whether there is, or was, such a customer or contact."""
    found: list[QuerySet[Any]] = [
        MIRRORS[entity].with_deleted.filter(account=account, altoviz_id=id),
        WebhookEvent.objects.filter(account=account, entity=entity, object_id=id),
    ]
    if entity == Entity.CUSTOMER:
        documents: list[Any] = [MIRRORS[each] for each in DOCUMENTS]
        found += [each.with_deleted.filter(account=account, customer=id) for each in documents]
    return any(rows.exists() for rows in found)


def contacts_of(id: int, account: str) -> list[int]:
    """The contacts with a customer's e-mail address: Altoviz makes one with each customer."""
    customer = Customer.with_deleted.filter(account=account, altoviz_id=id).first()
    if not isinstance(customer, Customer) or not customer.email:
        return []
    contacts = Contact.with_deleted.filter(account=account, email=customer.email)
    return sorted(contacts.values_list("altoviz_id", flat=True))


def _forget_row(rows: QuerySet[Mirror], left: Left) -> None:
    now = Value(timezone.now(), output_field=DateTimeField())
    with transaction.atomic(using=rows.db):
        # To write first locks the row on every database, so that no worker writes in between.
        if rows.update(forgotten_at=Coalesce("forgotten_at", now)):
            row = rows.get()
            row._save(row._apply(left(row.data), ""), rows.db)


def _forget_event(
    pk: int, trace: EventTrace, using: str, dry_run: bool, unsettled: list[int]
) -> bool:
    """Whether it held personal data. Its ``dedupe_key`` stays, so that the event is known if it is
    delivered again."""
    while (event := WebhookEvent.objects.using(using).filter(pk=pk).first()) is not None:
        runs = event.receiver_runs.exclude(gave_up__in=["", FORGOTTEN])
        values = _values_left(event, trace)
        if not values and not runs.exists():
            return False
        if dry_run or not values or _amend(event, values):
            if not event.is_settled:
                unsettled.append(pk)
            if not dry_run:
                runs.update(gave_up=FORGOTTEN)
            return True
    return False  # pruned meanwhile


def _amend(event: WebhookEvent, values: dict[str, Any]) -> bool:
    """Write columns, unless the event was claimed, settled or pruned since it was read."""
    events = WebhookEvent.objects.using(event._state.db)
    return bool(events.as_read(event).update(**values))


def _values_left(event: WebhookEvent, trace: EventTrace) -> dict[str, Any]:
    """The columns to write."""
    values: dict[str, Any] = {
        "body": _body_left(event, trace.left),
        "changes": {
            name: pair for name, pair in event.changes.items() if name not in trace.columns
        },
        "error": _error_left(event.status, event.error),
        "history": [
            attempt | {"error": _error_left(attempt["status"], attempt["error"])}
            for attempt in event.history
        ],
    }
    values = {name: value for name, value in values.items() if getattr(event, name) != value}
    if values and event.mirrored_at is None:
        # A worker who has read what it said until now finds it taken over, and brings nothing in.
        values["attempts"] = event.attempts + 1
    return values


def _body_left(event: WebhookEvent, left: Left) -> str:
    """The body with what is left of the data, and of unknown keys beside them nothing."""
    envelope = exact_json.loads(text_to_body(event.body).decode("utf-8-sig"))
    stays = {name: value if name in ("id", "type") else None for name, value in envelope.items()}
    stays["data"] = left(envelope["data"])
    if stays == envelope:
        return event.body
    return body_to_text(exact_json.to_bytes(stays))


def _error_left(status: str, error: str) -> str:
    """Why an event has no effect is this app's own text; an exception's may have anything in it."""
    return FORGOTTEN if error and status not in (Status.IGNORED, Status.MALFORMED) else error
