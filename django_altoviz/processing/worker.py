"""An event takes effect: it is mirrored, told to the receivers, and settled, each object's in turn.

A crash between any two statements leaves of each step either all or nothing, and leaves the event
where ``altoviz_process_events`` finds it again.
"""

from __future__ import annotations

import random
import time
import traceback
from typing import Any

from django.db import (
    DEFAULT_DB_ALIAS,
    IntegrityError,
    OperationalError,
    connections,
    transaction,
)

from django_altoviz.conf import app_settings
from django_altoviz.exceptions import (
    ClaimLost,
    GiveUp,
    MalformedBody,
    RetryLater,
    is_soft_time_limit,
)
from django_altoviz.models import Status, WebhookEvent, WebhookEventQuerySet
from django_altoviz.processing.mirroring import News, Shown, mirror
from django_altoviz.processing.receivers import Call, Outcome, call_all, calls_for, lease
from django_altoviz.processing.refetching import read_again
from django_altoviz.processing.retries import after_failure
from django_altoviz.signals import event_failed, event_processed

#: For how many seconds events of an object are begun one after the other. What is left then waits
#: for the next that comes by: a request and a task have an end, however many events there are.
PATIENCE = 5.0
# The longest pauses, in seconds, before an event is taken up anew where the database had to refuse
# one of two workers. By chance, or the two would meet again.
_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
# After so many seconds it was no meeting, but somebody who stays.
_LONGEST_MEETING = 4.0
# Transactions of SQLite that take the right to write when they begin.
_WRITING_MODES = ("IMMEDIATE", "EXCLUSIVE")


def process(event: WebhookEvent) -> list[WebhookEvent]:
    """Process a stored event, and in order with it what is due of the same object.

    What goes wrong becomes the event's state, and is not raised. Return the events that were tried:
    not the given one where it is settled or not due, or another worker is at the object, for that
    worker goes on with it. After ``PATIENCE`` no other event is begun.

    Raises:
        django.db.Error: the database does not answer; the event still waits to be processed.
        Exception: what a queue raises into a task whose time is over; the event has failed.
    """
    until = time.monotonic() + PATIENCE
    tried = _process_in_turn(event, until)
    if any(calls_for(each, each.business_signals) for each in tried) and event.has_company():
        # While receivers were at work, other workers have left events of the object to this one.
        # What has been taken meanwhile is passed over, for it is in good hands.
        seen = [each.pk for each in tried]
        due = _events(event).of_object(event).due().order_by("pk")
        while time.monotonic() < until and (follower := due.exclude(pk__in=seen).first()):
            seen.append(follower.pk)
            tried += _process_in_turn(follower, until)
    return tried


def process_again(event: WebhookEvent, *, from_scratch: bool = False) -> bool:
    """Process an event at once, whatever became of it.

    Receivers that have handled it are not called again, unless it is done ``from_scratch``. False
    where it can't be: the event is malformed, of an unknown type or pruned, or it was changed since it
    was read, or a worker has it or an earlier one of its object.

    Raises:
        django.db.Error: the database does not answer.
    """
    if not event.has_expired_lease and not event.reopen(from_scratch=from_scratch):
        return False
    return event in process(event)


def _process_in_turn(event: WebhookEvent, until: float) -> list[WebhookEvent]:
    """Process the event, after those of its object that have their turn first."""
    tried: list[WebhookEvent] = []
    if not event.is_due:
        return tried
    while not _attempt(event):
        if not _clear_the_way(event, tried, until):
            return tried
    return [*tried, event]


def _clear_the_way(event: WebhookEvent, tried: list[WebhookEvent], until: float) -> bool:
    """Process what is ahead of the event. Whether it is its turn then, and it is still to be had."""
    ahead = _events(event).ahead_of(event)
    last = None
    while (first := ahead.first()) is not None:
        if first == last or not first.is_due:
            return False
        if _attempt(first):
            tried.append(first)
            if time.monotonic() >= until:
                return False
        last = first
    as_read = {
        name: getattr(event, name) for name in ("pk", "status", "attempts", "lease_expires_at")
    }
    if not event.is_due or not _events(event).filter(**as_read).exists() or event.is_in_use():
        return False
    # Later ones that were taken up before this one was there, by workers that are silent since.
    for later in _events(event).of_object(event).lease_expired().filter(pk__gt=event.pk):
        later.release()
    return not event.is_blocked()


def _events(event: WebhookEvent) -> WebhookEventQuerySet:
    return WebhookEvent.with_pruned.using(event._state.db)


def _attempt(event: WebhookEvent) -> bool:
    """Try the event. False where it was not to be had."""
    try:
        return _try(event)
    except ClaimLost:
        event.log.warning("Event %s was taken over by another worker.", event.pk)
        return False


def _try(event: WebhookEvent) -> bool:
    if event.has_expired_lease and event.failures + 1 >= app_settings.MAX_ATTEMPTS:
        return _bury(event)
    try:
        taken = _take_up(event, read_again(event))
    except Exception as error:
        has_failed = _fail(event, error)
        if is_soft_time_limit(error):
            raise
        return has_failed
    if taken is None:
        return False
    shown, calls = taken
    _finish(event, shown, calls)
    return True


def _bury(event: WebhookEvent) -> bool:
    """Give up what no worker has survived, or come back from in time."""
    error = ClaimLost("Each worker that took it up died, or was silent too long.")
    if not event.finish(Status.DEAD, str(error)):
        return False
    _report(event, Shown(None), error)
    return True


def _take_up(event: WebhookEvent, seen: News | None) -> tuple[Shown, list[Call]] | None:
    """Mirror the event, and claim it for its receivers or settle it. ``None`` where it is not its
    turn, or another worker has it."""
    started = time.monotonic()
    pauses = iter(_PAUSES)
    as_read = dict(vars(event))
    while True:
        try:
            with transaction.atomic(using=event._state.db):
                return _mirror_and_take(event, seen)
        except Exception as error:
            # It may have been the commit that failed, when the event had noted itself as taken.
            vars(event).update(as_read)
            # Two workers met at an object that is new: the second to write has to look again.
            is_meeting = isinstance(error, (IntegrityError, OperationalError))
            pause = next(pauses, None) if is_meeting else None
            if pause is None or time.monotonic() - started > _LONGEST_MEETING:
                raise
            time.sleep(random.uniform(0, pause))


def _mirror_and_take(event: WebhookEvent, seen: News | None) -> tuple[Shown, list[Call]] | None:
    _begin_to_write(event)
    shown = mirror(event, seen)
    calls = [] if shown.ignored else calls_for(event, shown.business_signals)
    # Only now, when the object's row is locked, it can be said for certain whose turn it is.
    if calls:
        is_taken = event.claim(lease(), shown.effect)
    else:
        status = Status.IGNORED if shown.ignored else Status.PROCESSED
        is_taken = event.finish(status, shown.ignored, shown.effect)
    if is_taken:
        return shown, calls
    transaction.set_rollback(True, using=event._state.db)
    return None


def _begin_to_write(event: WebhookEvent) -> None:
    """SQLite refuses a transaction that has read and then writes if another has written meanwhile;
    one that begins with a write waits for its turn."""
    connection: Any = connections[event._state.db or DEFAULT_DB_ALIAS]
    if connection.vendor == "sqlite" and connection.transaction_mode not in _WRITING_MODES:
        _events(event).filter(pk=0).update(attempts=0)


def _fail(event: WebhookEvent, error: Exception) -> bool:
    """Note why the event could not be taken up, now that the attempt is rolled back."""
    # A worker that was lost before is a failure of its own.
    status, more = after_failure(event.failures + event.has_expired_lease, [error])
    if status == Status.FAILED and isinstance(error, OperationalError):
        # The database's fault and not the event's, so that later ones must not pass it.
        status = Status.PENDING
    if not event.finish(status, _trace(error), **more):
        return False
    _report(event, Shown(None), error)
    return True


def _finish(event: WebhookEvent, shown: Shown, calls: list[Call]) -> None:
    outcome = call_all(event, calls, shown) if calls else Outcome()
    errors = [error for _name, error in outcome.failures]
    if errors:
        errors.sort(key=lambda error: isinstance(error, RetryLater))  # what has failed comes first
        status, more = after_failure(event.failures, errors)
        event.settle(status, _traces(outcome), **more)
    elif outcome.given_up:
        event.settle(Status.DEAD, _traces(outcome))
        errors = [GiveUp(outcome.given_up[0][1])]
    elif calls:
        event.settle(Status.PROCESSED)
    _report(event, shown, errors[0] if errors else None)
    for error in filter(is_soft_time_limit, errors):
        raise error


def _report(event: WebhookEvent, shown: Shown, error: Exception | None) -> None:
    """Tell the log and the two signals about the end of an attempt."""
    told = {
        "event": event,
        "instance": shown.instance,
        "data": _data_of(event),
        "changes": shown.changes,
    }
    what = (event.pk, event.type, event.object_id, event.account)
    if error is None:
        if event.status == Status.IGNORED:
            event.log.warning("Event %s (%s %s, account %s) ignored: %s", *what, event.error)
        event_processed.send_robust(WebhookEvent, **told)
        return
    if isinstance(error, RetryLater):
        event.log.warning("Event %s (%s %s, account %s) has to wait: %s", *what, error)
        return
    if event.status == Status.DEAD:
        event.log.error("Event %s (%s %s, account %s) given up.", *what, exc_info=error)
    else:
        event.log.error("Event %s (%s %s, account %s) failed.", *what, exc_info=error)
    event_failed.send_robust(WebhookEvent, error=error, **told)


def _data_of(event: WebhookEvent) -> Any:
    """The object that the event tells of; ``None`` where its body can't be read."""
    try:
        return event.envelope.data
    except MalformedBody:
        return None


def _traces(outcome: Outcome) -> str:
    traces = [f"{name}:\n{_trace(error)}" for name, error in outcome.failures]
    return "\n".join([*traces, *(f"{name}: {reason}" for name, reason in outcome.given_up)])


def _trace(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
