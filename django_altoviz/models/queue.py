"""The queue: the statuses of events, and the conditions that say whose turn it is.

Each condition is written once, as a ``Q``. Querysets use it as it is, and ``models/statements.py``
compiles it once per database for the statements that every event needs. The properties of
``WebhookEvent`` that say the same about one instance are tested against it.
"""

from __future__ import annotations

import datetime
import operator
from functools import reduce
from typing import Any, Protocol

from django.conf import settings
from django.db import models
from django.db.models import Q
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
    CALENDAR = "calendar", _("calendar")


#: Nothing more happens to these events unless somebody asks for it.
SETTLED = (Status.PROCESSED, Status.IGNORED, Status.DEAD, Status.MALFORMED)
UNSETTLED = (Status.PENDING, Status.PROCESSING, Status.FAILED)
#: These wait for an attempt; no worker has them.
WAITING = (Status.PENDING, Status.FAILED)
#: The columns of the index of the queue. It is there to find what is due, and to count what waits,
#: without looking at the rows.
INDEXED = ("status", "next_attempt_at", "account", "received_at")
#: Later events of the object always wait for these.
IN_LINE = (Status.PENDING, Status.PROCESSING)


def clock() -> datetime.datetime:
    """Return the time that pauses and leases are counted in.

    It is in UTC also in a project without time zones, whose local time repeats an hour in autumn.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    return now if settings.USE_TZ else now.replace(tzinfo=None)


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
    """Events that a worker is processing."""
    return Q(status=Status.PROCESSING, lease_expires_at__gt=now)


def lease_expired(now: datetime.datetime) -> Q:
    """Events whose worker died, or was silent for longer than its lease."""
    return Q(status=Status.PROCESSING, lease_expires_at__lte=now)


def due(now: datetime.datetime) -> Q:
    """Events that may be processed by now, as far as their own columns say."""
    return reduce(operator.or_, due_ranges(now))


def due_ranges(now: datetime.datetime) -> list[Q]:
    """Return the parts of ``due``, each of which is a range of the index of the queue."""
    return [
        *(Q(status=status, next_attempt_at=None) for status in WAITING),
        *(Q(status=status, next_attempt_at__lte=now) for status in WAITING),
        lease_expired(now),
    ]


def postponed(now: datetime.datetime) -> Q:
    """Events that wait for the end of their backoff."""
    return Q(status__in=WAITING, next_attempt_at__gt=now)


def holding_up(now: datetime.datetime, waits_for_retries: bool) -> Q:
    """Events that can't be processed yet, and that later events of their object wait for."""
    return holds_up_later(waits_for_retries) & (leased(now) | postponed(now))


def set_aside() -> Q:
    """Events that were kept because another body came in first under their id, and were not tried."""
    return Q(status=Status.DEAD, conflicts_with__isnull=False, failures=0)


def same_object(place: Place) -> Q:
    """Events of the same object."""
    return Q(object_id=place.object_id, entity=place.entity, account=place.account)


def holds_up_later(waits_for_retries: bool) -> Q:
    """Events that later events of their object wait for.

    A failed event that could not be mirrored holds up none: a later one has the whole object.
    """
    in_line = Q(status__in=IN_LINE)
    if not waits_for_retries:
        return in_line
    return in_line | Q(status=Status.FAILED, mirrored_at__isnull=False)


def ahead_of(place: Place, waits_for_retries: bool) -> Q:
    """Earlier events of the object, which must be processed first."""
    return same_object(place) & Q(holds_up_later(waits_for_retries), pk__lt=place.pk)


def blocking(place: Place, waits_for_retries: bool) -> Q:
    """Events that keep an event from its turn: those ahead of it, and one that a worker has.

    That may be a later event: a database gives out primary keys before the rows are visible, so
    the later of two events can be claimed while the earlier one is not there yet. An expired lease
    blocks too, because its worker may come back; ``processing.claims.release`` ends it.
    """
    earlier = Q(holds_up_later(waits_for_retries), pk__lt=place.pk)
    later = Q(status=Status.PROCESSING, pk__gt=place.pk)
    return same_object(place) & (earlier | later)


def unsettled_sibling(place: Place) -> Q:
    """Other events of the object that are not settled."""
    return same_object(place) & Q(status__in=UNSETTLED) & ~Q(pk=place.pk)


def as_read(event: Any) -> Q:
    """Events in the state in which this instance was read.

    ``attempts`` is the fencing token: each claim has its own number.
    """
    return Q(status=event.status, attempts=event.attempts, lease_expires_at=event.lease_expires_at)
