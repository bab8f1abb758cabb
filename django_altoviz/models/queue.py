"""The queue: the statuses of events, and the conditions that say whose turn it is.

Each condition is written once, as a ``Q``. Querysets use it as it is, and ``models/statements.py``
compiles it once per database for the statements that every event needs. The properties of
``WebhookEvent`` that say the same about one instance are tested against it.
"""

from __future__ import annotations

import datetime
from typing import Any, Protocol

from django.db import models
from django.db.models import OuterRef, Q
from django.utils.translation import gettext_lazy as _

from django_altoviz.models.statements import Parameter


class Status(models.TextChoices):
    PENDING = "pending", _("pending")
    PROCESSING = "processing", _("processing")
    PROCESSED = "processed", _("processed")
    IGNORED = "ignored", _("ignored")
    FAILED = "failed", _("failed")
    DEAD = "dead", _("dead")
    MALFORMED = "malformed", _("malformed")


class Source(models.TextChoices):
    WEBHOOK = "webhook", _("webhook")
    SYNC = "sync", _("sync")


#: Nothing more happens to these events unless somebody asks for it.
SETTLED = (Status.PROCESSED, Status.IGNORED, Status.DEAD, Status.MALFORMED)
UNSETTLED = (Status.PENDING, Status.PROCESSING, Status.FAILED)
#: These wait for an attempt; no worker has them.
WAITING = (Status.PENDING, Status.FAILED)
#: Later events of the object always wait for these.
IN_LINE = (Status.PENDING, Status.PROCESSING)


class Place(Protocol):
    """An event's place in the queue: the event itself, or expressions instead of its columns."""

    @property
    def account(self) -> Any: ...
    @property
    def entity(self) -> Any: ...
    @property
    def object_id(self) -> Any: ...
    @property
    def pk(self) -> Any: ...


class Outer:
    """The place of the outer query's row, for a condition in a subquery."""

    account, entity = OuterRef("account"), OuterRef("entity")
    object_id, pk = OuterRef("object_id"), OuterRef("pk")


class Given:
    """The place and state of an event whose values are filled in when the statement runs."""

    account, entity = Parameter("account"), Parameter("entity")
    object_id, pk = Parameter("object_id"), Parameter("pk")
    status, attempts = Parameter("status"), Parameter("attempts")
    lease_expires_at: Parameter | None = Parameter("lease_expires_at")


class GivenWithoutLease(Given):
    """The same for an event that no worker has: SQL has no value that equals NULL."""

    lease_expires_at = None


def leased(now: datetime.datetime) -> Q:
    """A worker is processing the event."""
    return Q(status=Status.PROCESSING, lease_expires_at__gt=now)


def lease_expired(now: datetime.datetime) -> Q:
    """A worker died while it had the event, or was silent for longer than its lease."""
    return Q(status=Status.PROCESSING, lease_expires_at__lte=now)


def attempt_due(now: datetime.datetime) -> Q:
    """The event has no backoff, or its backoff is over."""
    return Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)


def due(now: datetime.datetime) -> Q:
    """The event may be processed by now, as far as its own columns say."""
    return Q(attempt_due(now), status__in=WAITING) | lease_expired(now)


def postponed(now: datetime.datetime) -> Q:
    """The event waits for the end of its backoff."""
    return Q(status__in=WAITING) & ~attempt_due(now)


def same_object(place: Place) -> Q:
    """The event is one of the object that the other event is about."""
    return Q(object_id=place.object_id, entity=place.entity, account=place.account)


def holds_up_later(waits_for_retries: bool) -> Q:
    """Later events of the object wait for this one.

    They do not wait for a failed event that could not be mirrored: a later one has the whole object.
    """
    in_line = Q(status__in=IN_LINE)
    if not waits_for_retries:
        return in_line
    return in_line | Q(status=Status.FAILED, mirrored_at__isnull=False)


def ahead_of(place: Place, waits_for_retries: bool) -> Q:
    """The event is an earlier one of the object, and must be processed first."""
    return same_object(place) & Q(holds_up_later(waits_for_retries), pk__lt=place.pk)


def blocking(place: Place, waits_for_retries: bool) -> Q:
    """The event keeps the other one from its turn: it is ahead of it, or a worker has it.

    A worker may have a later event: a database gives out primary keys before the rows are visible, so
    the later of two events can be claimed while the earlier one is not there yet. An expired lease
    blocks too, because its worker may come back; ``processing.claims.release`` ends it.
    """
    earlier = Q(holds_up_later(waits_for_retries), pk__lt=place.pk)
    later = Q(status=Status.PROCESSING, pk__gt=place.pk)
    return same_object(place) & (earlier | later)


def unsettled_sibling(place: Place) -> Q:
    """The event is another one of the object, and not settled."""
    return same_object(place) & Q(status__in=UNSETTLED) & ~Q(pk=place.pk)


def as_read(event: Any) -> Q:
    """The event is still in the state in which this instance was read. ``attempts`` is the fence:
    each claim has its own number."""
    return Q(status=event.status, attempts=event.attempts, lease_expires_at=event.lease_expires_at)
