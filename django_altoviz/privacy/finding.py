"""Find the rows and events that hold the personal data of a customer or a contact."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

from django.db.models import Q

from django_altoviz.event_types import Entity
from django_altoviz.models.mirrors.personal_data import (
    COLUMNS,
    DOCUMENTS,
    email_of,
    without_personal_data,
)
from django_altoviz.privacy.documents import find_addresses, find_documents
from django_altoviz.privacy.other_events import find_other_events
from django_altoviz.privacy.traces import EventTrace, RowTrace, Subject, Traces

_EMAIL = re.compile(r"\w@\w")


def subject_of(entity: Entity, id: int, account: str, using: str) -> Subject:
    """Return the customer or contact with all addresses that it has or had."""
    subject = Subject(entity, id, account, using)
    emails = {*subject.rows(entity).filter(altoviz_id=id).values_list("email", flat=True)}
    emails |= {email_of(event.envelope.data) for event in subject.events_of(entity, id)}
    known = frozenset(email.strip().lower() for email in emails if email and _EMAIL.search(email))
    return replace(subject, emails=known)


def find_traces(entity: Entity, id: int, account: str, using: str) -> Traces:
    """Find the traces of a customer or contact.

    A document belongs to the customer that it names, or, if it names nobody now, to the last one that
    it named. If a document has been given to another customer, only its earlier events are traces.
    """
    subject = subject_of(entity, id, account, using)
    redact = partial(without_personal_data, entity)
    traces = Traces(rows=[RowTrace(entity, Q(altoviz_id=id), redact, is_own=True)])
    for event in subject.events_of(entity, id):
        traces.events[event.pk] = EventTrace(redact, COLUMNS[entity], is_own=True)
    for each in DOCUMENTS:
        if entity == Entity.CUSTOMER:
            find_documents(subject, each, traces)
        find_addresses(subject, each, traces)
    find_other_events(subject, traces)
    return traces
