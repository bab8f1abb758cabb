"""Process events: apply them to the mirror, call the receivers, record the outcome.

Events of one object run one at a time, in order of arrival. A crash between any two statements
leaves of each step either all or nothing, and leaves the event where ``altoviz_process_events``
finds it again.

The claim comes after the mirror is written, in the same transaction: only the lock on the object's
row makes it certain whose turn it is, and an event without receivers then needs no second write.
"""

from __future__ import annotations

import datetime
import random
import time
from typing import Any

from django.db import (
    DEFAULT_DB_ALIAS,
    IntegrityError,
    OperationalError,
    connections,
    transaction,
)
from django.utils import timezone

from django_altoviz.conf import app_settings
from django_altoviz.exceptions import (
    ClaimLost,
    GiveUp,
    ends_task,
)
from django_altoviz.models import Status, WebhookEvent, WebhookEventQuerySet
from django_altoviz.models.queue import WAITING
from django_altoviz.processing import claims
from django_altoviz.processing.failures import DescribedError, described
from django_altoviz.processing.history import LOST_WORKER, has_lost_worker
from django_altoviz.processing.mirroring import MirrorResult, Reading, apply
from django_altoviz.processing.receivers import (
    Call,
    CallResults,
    call_all,
    calls_for,
    is_understood,
)
from django_altoviz.processing.refetching import refetch
from django_altoviz.processing.reporting import report
from django_altoviz.processing.retries import after_failure

#: Seconds in which ``process`` begins with further events of an object. A request and a task must
#: end, however many events there are; the rest waits for the next worker.
TIME_BUDGET = 5.0
# The longest pauses, in seconds, before another try when the database refused one of two workers.
# They are random, so that the two don't collide again.
_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
# After this many seconds it is not a collision: somebody holds the lock.
_LONGEST_COLLISION = 4.0
# An event that has been due for this long without an attempt may have killed its worker.
_UNSEEN_FOR = datetime.timedelta(seconds=10)
# Modes in which SQLite's transactions begin as writers.
_WRITING_MODES = ("IMMEDIATE", "EXCLUSIVE")


def process(
    event: WebhookEvent, *, deadline: float | None = None, is_suspect: bool = False
) -> list[WebhookEvent]:
    """Process a stored event, with the due events of its object before and behind it, in order.

    A failure becomes the event's status and is not raised. Return the events that were attempted;
    ``event`` is not among them if it is settled or not due, or another worker is processing its
    object and will pick it up. No further event is begun after the deadline, a time of the monotonic
    clock: ``TIME_BUDGET`` seconds from now, if none is given. ``is_suspect`` says that a worker may have
    died of the event.

    Raises:
        django.db.Error: the database does not answer; the event is still due.
        BaseException: Control-C, or the time limit that a queue raises into its task; the event has
            failed.
    """
    if deadline is None:
        deadline = time.monotonic() + TIME_BUDGET
    event.is_suspect = is_suspect
    attempted: list[WebhookEvent] = []
    _process_in_turn(event, attempted, deadline)
    has_receivers = any(calls_for(each, each.business_signals) for each in attempted)
    if has_receivers and claims.has_unsettled_siblings(event):
        # While the receivers ran, other workers left later events of the object to this one. An event
        # that is in the list but not due any more is in another worker's hands: leave it out.
        seen = [each.pk for each in attempted]
        due = _stored(event).of_object(event).due().order_by("pk")
        while time.monotonic() < deadline and (later := due.exclude(pk__in=seen).first()):
            seen.append(later.pk)
            _process_in_turn(later, attempted, deadline)
    return attempted


def _process_in_turn(event: WebhookEvent, attempted: list[WebhookEvent], deadline: float) -> None:
    """Process the event, after the events of its object that must be processed first."""
    if not _may_begin(event):
        return
    while not _attempt(event):
        if not _process_earlier(event, attempted, deadline):
            return
    attempted.append(event)


def _process_earlier(event: WebhookEvent, attempted: list[WebhookEvent], deadline: float) -> bool:
    """Process the object's earlier events. Return True if this one may run now and nobody has it."""
    ahead = _stored(event).ahead_of(event)
    last = None
    while (first := ahead.first()) is not None:
        if first == last or not _may_begin(first):
            return False
        if _attempt(first):
            attempted.append(first)
            if time.monotonic() >= deadline:
                return False
        last = first
    if not event.is_due or not _stored(event).as_read(event).exists() or claims.is_in_use(event):
        return False
    # A worker may have claimed a later event before this one was visible, and died since.
    for later in _stored(event).of_object(event).lease_expired().filter(pk__gt=event.pk):
        claims.release(later)
    return not claims.is_blocked(event)


def _may_begin(event: WebhookEvent) -> bool:
    return event.is_due and is_understood(event)


def _stored(event: WebhookEvent) -> WebhookEventQuerySet[WebhookEvent]:
    return WebhookEvent.with_pruned.using(event._state.db)


def _attempt(event: WebhookEvent) -> bool:
    """Attempt the event. Return False if it is not its turn, or another worker has it."""
    failures = event.failures + event.has_expired_lease
    if has_lost_worker(event) and failures >= app_settings.MAX_ATTEMPTS:
        return _mark_dead(event)
    if _may_kill(event):
        claims.note_attempt(event)
    try:
        try:
            claimed = _apply_and_claim(event, refetch(event))
        except BaseException as error:
            has_failed = _fail(event, described(error))
            if ends_task(error):
                raise
            return has_failed
        if claimed is None:
            return False
        _call_and_settle(event, *claimed)
        return True
    except ClaimLost:
        event.log.warning("Event %s was taken over by another worker.", event.pk)
        return False
    finally:
        if event.is_noted:
            claims.withdraw_note(event)


def _may_kill(event: WebhookEvent) -> bool:
    """Return True if an earlier worker may have died while it wrote the event to the mirror.

    Its first death leaves no trace. But an event that has been due for a while should not be there any
    more, or is one of a backlog: then the note costs one UPDATE.
    """
    if event.mirrored_at is not None or event.status not in WAITING:
        return False
    is_old = timezone.now() - event.received_at > _UNSEEN_FOR
    return event.is_suspect or is_old or event.attempts > 0


def _apply_and_claim(
    event: WebhookEvent, refetched: Reading | None
) -> tuple[MirrorResult, list[Call]] | None:
    """Apply the event to the mirror, and claim it for its receivers, or settle it if it has none.

    Two workers may collide at an object that is new. The database refuses the second one, which then
    looks again. Return ``None`` if it is not the event's turn, or another worker has it.
    """
    started = time.monotonic()
    pauses = iter(_PAUSES)
    as_read = dict(vars(event))
    while True:
        try:
            with transaction.atomic(using=event._state.db):
                return _apply_and_claim_once(event, refetched)
        except BaseException as error:
            # If it was the commit that failed, the instance already says that it is claimed.
            vars(event).update(as_read)
            is_collision = isinstance(error, (IntegrityError, OperationalError))
            pause = next(pauses, None) if is_collision else None
            if pause is None or time.monotonic() - started > _LONGEST_COLLISION:
                raise
            time.sleep(random.uniform(0, pause))  # nosec B311  # jitter


def _apply_and_claim_once(
    event: WebhookEvent, refetched: Reading | None
) -> tuple[MirrorResult, list[Call]] | None:
    _begin_as_writer(event)
    result = apply(event, refetched)
    calls = [] if result.ignored else calls_for(event, result.business_signals)
    if calls:
        is_claimed = claims.claim(event, result.effect)
    else:
        status = Status.IGNORED if result.ignored else Status.PROCESSED
        is_claimed = claims.claim_and_settle(event, status, result.ignored, result.effect)
    if is_claimed:
        return result, calls
    transaction.set_rollback(True, using=event._state.db)
    return None


def _begin_as_writer(event: WebhookEvent) -> None:
    """Make SQLite wait for other writers now. It refuses a transaction that reads first and then
    writes, if another one has written in between."""
    connection: Any = connections[event._state.db or DEFAULT_DB_ALIAS]
    if connection.vendor == "sqlite" and connection.transaction_mode not in _WRITING_MODES:
        _stored(event).filter(pk=0).update(attempts=0)


def _mark_dead(event: WebhookEvent) -> bool:
    """Give up an event that each of its workers died of, or never came back from in time."""
    error = ClaimLost("Each worker that took it up died, or was silent too long.")
    if not claims.claim_and_settle(event, Status.DEAD, str(error), cause=LOST_WORKER):
        return False
    report(event, MirrorResult(None), described(error))
    return True


def _fail(event: WebhookEvent, failure: DescribedError) -> bool:
    """Record why the event could not be applied, now that the attempt is rolled back."""
    # If the attempt before lost its worker, that is a failure of its own.
    status, more = after_failure(event.failures + event.has_expired_lease, [failure.error])
    if status == Status.FAILED and isinstance(failure.error, OperationalError):
        # The fault is the database's, not the event's, so later events must not pass it.
        status = Status.PENDING
    if not claims.claim_and_settle(event, status, failure.text, cause=failure.kind, **more):
        return False
    report(event, MirrorResult(None), failure)
    return True


def _call_and_settle(event: WebhookEvent, result: MirrorResult, calls: list[Call]) -> None:
    """Call the receivers and record the outcome. An event without calls is settled already."""
    outcome = call_all(event, calls, result) if calls else CallResults()
    failures = [failure for _name, failure in outcome.failures]
    if failures:
        failures.sort(key=lambda failure: failure.is_postponement)  # report a real failure first
        errors = [failure.error for failure in failures]
        status, more = after_failure(event.failures, errors)
        claims.settle(event, status, _texts(outcome), outcome.cause, **more)
    elif outcome.given_up:
        claims.settle(event, Status.DEAD, _texts(outcome), outcome.cause)
        failures = [described(GiveUp(outcome.given_up[0][1]))]
    elif calls:
        claims.settle(event, Status.PROCESSED)
    report(event, result, failures[0] if failures else None)
    for failure in failures:
        if ends_task(failure.error):
            raise failure.error


def _texts(outcome: CallResults) -> str:
    texts = [f"{name}:\n{failure.text}" for name, failure in outcome.failures]
    return "\n".join([*texts, *(f"{name}: {reason}" for name, reason in outcome.given_up)])
