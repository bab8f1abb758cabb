"""Claim an event, hold it by a lease, and end the attempt.

Each step is one UPDATE whose condition is the state that the event was read in, so that of two
workers one succeeds. ``attempts`` is the fencing token: it grows with each claim, and what a worker
writes later has to name its own.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Q
from django.utils import timezone

from django_altoviz.conf import app_settings
from django_altoviz.exceptions import ClaimLost
from django_altoviz.intake.envelopes import storable
from django_altoviz.models import Status, WebhookEvent, queue
from django_altoviz.models.events import MAX_CAUSE_LENGTH
from django_altoviz.models.queue import SETTLED
from django_altoviz.models.statements import Where, exists, holds, lock_at_once, update, where
from django_altoviz.processing.failures import shortened
from django_altoviz.processing.history import LOST_WORKER, past_attempts, with_attempt
from django_altoviz.processing.retries import pause_after

_GIVEN = queue.Given()
_GIVEN_WITHOUT_LEASE = queue.GivenWithoutLease()


def claim(event: WebhookEvent, effect: Mapping[str, Any] | None = None) -> bool:
    """Claim the event for ``LEASE_SECONDS``, and store its effect on the mirror with it.

    Return False if an earlier event of its object must be processed first, or if another worker has
    this one, or had it since this instance was read.
    """
    values = {"status": Status.PROCESSING, "lease_expires_at": _lease_end()}
    return _begin(event, values, effect)


def claim_and_settle(
    event: WebhookEvent,
    status: Status,
    error: str = "",
    effect: Mapping[str, Any] | None = None,
    cause: str = "",
    **more: Any,
) -> bool:
    """Claim the event and end the attempt in the same statement. Return False as ``claim`` does."""
    values = _ended(past_attempts(event), status, error, cause, **more)
    return _begin(event, values, effect)


def renew(event: WebhookEvent) -> None:
    """Extend the lease. Raises ``ClaimLost`` if another worker has claimed the event meanwhile."""
    end = _lease_end()
    if end == event.lease_expires_at:
        end += datetime.timedelta(microseconds=1)  # each renewal is recognised by its time
    _write_as_holder(event, {"lease_expires_at": end})


def is_held(event: WebhookEvent) -> bool:
    """Return True if the event is still processed under the claim that this instance made."""
    return holds(exists(event, _held_row, _GIVEN), _alias(event))


def renewed(event: WebhookEvent) -> Where:
    """Return the condition that the last renewal of the lease is still there.

    It is not if the transaction that it was made in has been rolled back meanwhile.
    """
    return exists(event, _renewed_row, _GIVEN)


def settle(
    event: WebhookEvent, status: Status, error: str = "", cause: str = "", **more: Any
) -> None:
    """End the attempt. Raises ``ClaimLost`` if another worker has claimed the event meanwhile."""
    values = _ended(event.history, status, error, cause, **more)
    _write_as_holder(event, values, *_asynchronous_commit(event, own_blocks=0))


def note_attempt(event: WebhookEvent) -> None:
    """Record in advance that the attempt has failed, on the row but not on this instance.

    If the worker dies while it writes the mirror, everything else is rolled back. Without the note the
    event would kill one worker after the other. What ends the attempt replaces the note.
    """
    values = {
        "attempts": event.attempts + 1,
        "failures": event.failures + 1,
        "next_attempt_at": queue.clock() + pause_after(event.failures + 1),
        "history": with_attempt(event.history, Status.FAILED, LOST_WORKER),
        "error": LOST_WORKER,
        "cause": LOST_WORKER,
    }
    if update(event, values, _as_read(event)):
        event.attempts += 1
        event.is_noted = True


def withdraw_note(event: WebhookEvent) -> None:
    """Withdraw the note: the event was not attempted after all, because it was not its turn."""
    values = _before_the_note(event) | {"next_attempt_at": event.next_attempt_at}
    update(event, values, _as_read(event))
    event.is_noted = False


def release(event: WebhookEvent) -> None:
    """Take the event from the worker that left it, and make it wait for its turn again.

    Do nothing if that worker still holds the row lock, or another one has claimed the event.
    """
    values = {
        "status": Status.PENDING,
        "attempts": event.attempts + 1,
        "failures": event.failures + 1,
        "history": past_attempts(event),
        "lease_expires_at": None,
    }
    with transaction.atomic(using=event._state.db):
        if not is_in_use(event):
            update(event, values, _as_read(event))


def reopen(event: WebhookEvent, *, from_scratch: bool = False) -> bool:
    """Make the event wait for an attempt at once, whatever became of it.

    Receivers that gave it up are called again; with ``from_scratch``, so are those that handled it.
    Return False if there is nothing to process in it, a worker has it, or it has changed since this
    instance was read.
    """
    if event.event_type is None or event.pruned_at or event.status == Status.PROCESSING:
        return False
    values = {
        "status": Status.PENDING,
        "entity": event.event_type.entity,
        "settled_at": None,
        "next_attempt_at": None,
        "failures": 0,
    }
    with transaction.atomic(using=event._state.db):
        stored = WebhookEvent.objects.using(event._state.db)  # without what was pruned meanwhile
        if not stored.as_read(event).update(**values):
            return False
        runs = event.receiver_runs.all()
        (runs if from_scratch else runs.exclude(gave_up="")).delete()
    _assign(event, values)
    return True


def is_blocked(event: WebhookEvent) -> bool:
    """Return True if another event of the object keeps this one from its turn."""
    return event.object_id is not None and holds(_blocked(event), _alias(event))


def has_unsettled_siblings(event: WebhookEvent) -> bool:
    """Return True if the object has other events that are not settled."""
    return holds(exists(event, queue.unsettled_sibling, _GIVEN), _alias(event))


def is_in_use(event: WebhookEvent) -> bool:
    """Return True if the lease has expired but its worker still holds the row lock.

    An UPDATE of the row would wait for as long as that worker's receiver takes.
    """
    return event.has_expired_lease and not lock_at_once(event)


def _begin(event: WebhookEvent, values: dict[str, Any], effect: Mapping[str, Any] | None) -> bool:
    if event.is_settled or event.is_leased or is_in_use(event):
        return False
    values |= {"attempts": event.attempts + (not event.is_noted), **(effect or {})}
    if event.has_expired_lease:
        values = {"failures": event.failures + 1, "history": past_attempts(event)} | values
    conditions = [_as_read(event)]
    if event.object_id is not None:
        sql, parameters = _blocked(event)
        if connections[_alias(event)].vendor != "mysql":
            conditions.append((f"NOT {sql}", parameters))
        # MySQL can't read the table that it updates, and MariaDB locks the rows it reads there, up to
        # deadlocks. Reading first is as safe: an event that is ahead was stored before this one.
        elif holds((sql, parameters), _alias(event)):
            return False
    if effect is not None:  # in the transaction that wrote the mirror
        conditions += _asynchronous_commit(event, own_blocks=1)
    values = _to_write(event, values)
    if not update(event, values, *conditions):
        return False
    _assign(event, values)
    event.is_noted = False
    return True


def _to_write(event: WebhookEvent, values: dict[str, Any]) -> dict[str, Any]:
    if event.is_noted:
        return _before_the_note(event) | values
    # Only what changes: the condition guarantees that the rest is as it was read.
    return {name: value for name, value in values.items() if getattr(event, name) != value}


def _before_the_note(event: WebhookEvent) -> dict[str, Any]:
    """Return what the note has replaced on the row, except for the pause that is over."""
    names = ("failures", "history", "error", "cause")
    return {name: getattr(event, name) for name in names} | {"next_attempt_at": None}


def _write_as_holder(event: WebhookEvent, values: Mapping[str, Any], *more: Where) -> None:
    if not update(event, values, where(event, _held, _GIVEN), *more):
        raise ClaimLost(f"Event {event.pk} was taken over by another worker.")
    _assign(event, values)


def _held(event: queue.Given) -> Q:
    """Events that are processed under the claim that this instance made."""
    return Q(status=Status.PROCESSING, attempts=event.attempts)


def _held_row(event: queue.Given) -> Q:
    return _held(event) & Q(pk=event.pk)


def _renewed_row(event: queue.Given) -> Q:
    return queue.as_read(event) & Q(pk=event.pk)


def _as_read(event: WebhookEvent) -> Where:
    given = _GIVEN_WITHOUT_LEASE if event.lease_expires_at is None else _GIVEN
    return where(event, queue.as_read, given)


def _blocked(event: WebhookEvent) -> Where:
    return exists(event, queue.blocking, _GIVEN, app_settings.WAIT_FOR_RETRIES)


def _asynchronous_commit(event: WebhookEvent, own_blocks: int) -> list[Where]:
    """Make PostgreSQL commit without waiting for the disk, if the transaction is our own: begun by
    at most ``own_blocks`` atomic blocks.

    The event is on the disk since it was stored, and so is the receivers' work. If a power cut takes
    what is written here, the event is still due, and this is done again.
    """
    connection: Any = connections[_alias(event)]
    if connection.vendor != "postgresql" or len(connection.atomic_blocks) > own_blocks:
        return []
    return [("set_config('synchronous_commit', 'off', true) = 'off'", [])]


def _lease_end() -> datetime.datetime:
    return queue.clock() + datetime.timedelta(seconds=app_settings.LEASE_SECONDS)


def _ended(
    history: list[dict[str, str]], status: Status, error: str, cause: str, **more: Any
) -> dict[str, Any]:
    values = {
        "status": status,
        "error": shortened(storable(error)),
        "cause": storable(cause)[:MAX_CAUSE_LENGTH],
        "lease_expires_at": None,
        "settled_at": timezone.now() if status in SETTLED else None,
        "next_attempt_at": None,
        "history": with_attempt(history, status, error),
    }
    return values | more


def _assign(event: WebhookEvent, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        setattr(event, name, value)


def _alias(event: WebhookEvent) -> str:
    return event._state.db or DEFAULT_DB_ALIAS
