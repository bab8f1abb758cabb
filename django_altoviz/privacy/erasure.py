"""Erase the personal data of a customer or a contact (GDPR, article 17).

Names, addresses, notes and anything else that identifies a person become ``null``: in the mirror, in
documents, and in stored events. Ids, numbers, dates and amounts stay, because accounting needs them.
The erased rows are marked, so that no later event or sync restores what was erased.
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
from django_altoviz.intake.envelopes import body_to_text, stored_json
from django_altoviz.models import MIRRORS, Contact, Mirror, Status, WebhookEvent
from django_altoviz.models.mirrors.personal_data import DOCUMENTS, has_text
from django_altoviz.privacy.finding import find_traces, subject_of
from django_altoviz.privacy.traces import EventTrace, Redact, RowTrace, Subject, rows_with

#: Replaces the text of an error.
ERASED_ERROR = "Forgotten."


@dataclass
class Erasure:
    """The result of an erasure.

    ``counts`` are the rows of each entity, and the events, that held personal data. For the events in
    ``unclear`` (primary keys) and the documents in ``unclear_documents`` it is impossible to say whom
    they concern. The events in ``unsettled`` may still create a row that is not marked, or record an
    error: run the erasure again once they are settled.
    """

    counts: Counter[str] = field(default_factory=Counter)
    unclear: list[int] = field(default_factory=list)
    unclear_documents: list[tuple[Entity, int]] = field(default_factory=list)
    unsettled: list[int] = field(default_factory=list)


def erase(entity: Entity, id: int, account: str, *, dry_run: bool = False) -> Erasure:
    """Erase the personal data of a customer or contact, and keep them out of the mirror.

    The erasure is idempotent: it may be interrupted and run again. From then on the erased rows take
    no personal data from events, until ``allow_again``. New deliveries are still stored as received.
    """
    using = router.db_for_write(WebhookEvent)
    traces = find_traces(entity, id, account, using)
    counts = Counter({trace.entity.value: 0 for trace in traces.rows} | {"event": 0})
    erasure = Erasure(counts, sorted(traces.unclear), [*traces.unclear_documents])
    # The subject's own events and row last: an erasure that was interrupted finds the rest by them.
    for is_own in (False, True):
        # Events before rows, because an event may create a row until it is erased itself.
        for pk, event_trace in sorted(traces.events.items()):
            if event_trace.is_own == is_own and _erase_event(
                pk, event_trace, using, dry_run, erasure.unsettled
            ):
                erasure.counts["event"] += 1
        for row_trace in traces.rows:
            if row_trace.is_own == is_own:
                erasure.counts[row_trace.entity.value] += _erase_rows(
                    row_trace, account, using, dry_run
                )
    erasure.counts = +erasure.counts  # drop the zeros
    return erasure


def allow_again(entity: Entity, id: int, account: str, *, dry_run: bool = False) -> Counter[str]:
    """Lift an erasure, and return the number of erased rows of each entity.

    The next event or sync of each object brings its personal data back.
    """
    using = router.db_for_write(WebhookEvent)
    counts: Counter[str] = Counter()
    for trace in find_traces(entity, id, account, using).rows:
        rows = MIRRORS[trace.entity].with_deleted.using(using).filter(trace.condition)
        rows = rows.filter(account=account).exclude(forgotten_at=None)
        counts[trace.entity.value] = rows.count() if dry_run else rows.update(forgotten_at=None)
    return +counts


def is_known(entity: Entity, id: int, account: str) -> bool:
    """Return True if the mirror or a stored event has, or had, this customer or contact."""
    # The default database may be a replica that lags behind.
    subject = Subject(entity, id, account, router.db_for_write(WebhookEvent))
    found: list[QuerySet[Any]] = [
        subject.rows(entity).filter(altoviz_id=id),
        subject.events(entity=entity, object_id=id),
    ]
    if entity == Entity.CUSTOMER:
        found += [subject.rows(each).filter(customer_altoviz_id=id) for each in DOCUMENTS]
    return any(rows.exists() for rows in found)


def contacts_with_email_of(id: int, account: str) -> list[int]:
    """Return the contacts with an e-mail address that the customer has or had, in any case.

    Altoviz creates such a contact with each customer.
    """
    using = router.db_for_write(WebhookEvent)
    subject = subject_of(Entity.CUSTOMER, id, account, using)
    contacts: QuerySet[Contact] = Contact.with_deleted.using(using).filter(account=account)
    found = rows_with(contacts.exclude(email=None), subject.emails, "email")
    return [row.altoviz_id for row in found if row.email.strip().lower() in subject.emails]


def _erase_rows(trace: RowTrace, account: str, using: str, dry_run: bool) -> int:
    """Erase the rows of a trace, and return how many held personal data."""
    count = 0
    rows = MIRRORS[trace.entity].with_deleted.using(using).filter(trace.condition, account=account)
    for row in rows.order_by("pk"):
        has_personal_data = trace.redact(row.data) != row.data
        count += int(has_personal_data)
        if not dry_run and (row.forgotten_at is None or has_personal_data):
            # Filter by the condition again: a document may have changed its customer since.
            _erase_row(rows.filter(pk=row.pk), trace.redact)
    return count


def _erase_row(rows: QuerySet[Mirror], redact: Redact) -> None:
    now = Value(timezone.now(), output_field=DateTimeField())
    with transaction.atomic(using=rows.db):
        # Write first: on every database that locks the row, so that no worker writes in between.
        if rows.update(forgotten_at=Coalesce("forgotten_at", now)):
            row = rows.get()
            row._save(row._apply(redact(row.data), ""), rows.db)


def _erase_event(
    pk: int, trace: EventTrace, using: str, dry_run: bool, unsettled: list[int]
) -> bool:
    """Erase the event, and return True if it held personal data.

    Its ``dedupe_key`` stays, so that a redelivery is still recognized.
    """
    # Try again whenever a worker has changed the event since it was read.
    while (event := WebhookEvent.objects.using(using).filter(pk=pk).first()) is not None:
        runs = event.receiver_runs.exclude(gave_up__in=["", ERASED_ERROR])
        values = _redacted_columns(event, trace)
        if not values and not runs.exists():
            return False
        if dry_run or not values or _amend(event, values):
            if not event.is_settled:
                unsettled.append(pk)
            if not dry_run:
                runs.update(gave_up=ERASED_ERROR)
            return True
    return False  # pruned meanwhile


def _amend(event: WebhookEvent, values: dict[str, Any]) -> bool:
    """Write columns, unless the event was claimed, settled or pruned since it was read."""
    events = WebhookEvent.objects.using(event._state.db)
    return bool(events.as_read(event).update(**values))


def _redacted_columns(event: WebhookEvent, trace: EventTrace) -> dict[str, Any]:
    """Return the columns of the event that change, with their new values."""
    values: dict[str, Any] = {
        "body": _redacted_body(event, trace.redact),
        "changes": {
            name: pair
            for name, pair in event.changes.items()
            if name not in trace.columns and not has_text(pair, trace.has_address)
        },
        "error": _redacted_error(event.status, event.error),
        "history": [
            attempt | {"error": _redacted_error(attempt["status"], attempt["error"])}
            for attempt in event.history
        ],
    }
    values = {name: value for name, value in values.items() if getattr(event, name) != value}
    if values and event.mirrored_at is None:
        # A worker may have read the old body. Its claim fails now, because attempts has changed.
        values["attempts"] = event.attempts + 1
    return values


def _redacted_body(event: WebhookEvent, redact: Redact) -> str:
    """Return the body with redacted data, and with unknown keys of the envelope set to ``null``."""
    text = stored_json(event.body)
    envelope = exact_json.loads(text)
    kept = {name: value if name in ("id", "type") else None for name, value in envelope.items()}
    kept["data"] = redact(envelope["data"])
    if kept == envelope and not exact_json.has_duplicate_keys(text):
        return str(event.body)
    return body_to_text(exact_json.dumps_utf8(kept))


def _redacted_error(status: str, error: str) -> str:
    """Keep this app's own reasons for ignoring an event. An exception's text may name a person."""
    return ERASED_ERROR if error and status not in (Status.IGNORED, Status.MALFORMED) else error
