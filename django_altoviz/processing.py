"""An event takes effect: it is claimed, mirrored, told to the receivers, and settled.

A crash between any two statements leaves of each step either all or nothing, and leaves the event
where ``altoviz_process_events`` finds it again.
"""

from __future__ import annotations

import datetime
import logging
import time
import traceback

from django.db import IntegrityError, OperationalError, transaction

from django_altoviz.conf import app_settings
from django_altoviz.event_types import EventType
from django_altoviz.exceptions import ClaimLost
from django_altoviz.mirroring import Shown, mirror
from django_altoviz.models import MIRRORS, Mirror, Status, WebhookEvent, WebhookEventQuerySet
from django_altoviz.signals import (
    BY_EVENT_TYPE,
    EventSignal,
    Receiver,
    event_failed,
    event_processed,
)

logger = logging.getLogger("django_altoviz")


def process(event: WebhookEvent) -> list[WebhookEvent]:
    """Process a stored event, and in order with it what waits of the same object.

    What goes wrong becomes the event's state, and is not raised. Return the events that were tried:
    not the given one where it is settled or another worker has it, or has an earlier one, for that
    worker goes on with it.

    Raises:
        django.db.Error: the database does not answer; the event still waits to be processed.
    """
    tried = _process_in_turn(event)
    if any(_receivers_of(each) for each in tried):
        # While receivers were at work, other workers have left later events of the object to this
        # one. What has been taken meanwhile is passed over, for it is in good hands.
        last = event
        while (follower := _events(event).behind(last).first()) is not None:
            tried += _process_in_turn(follower)
            last = follower
    return tried


def _process_in_turn(event: WebhookEvent) -> list[WebhookEvent]:
    """Process the event, after those of its object that have their turn first."""
    tried: list[WebhookEvent] = []
    while not _attempt(event):
        first = _events(event).ahead_of(event).first()
        if first is None or first.is_held:
            return tried
        if _attempt(first):
            tried.append(first)
    return [*tried, event]


def _events(event: WebhookEvent) -> WebhookEventQuerySet:
    return WebhookEvent.with_pruned.using(event._state.db)


def process_again(event: WebhookEvent) -> bool:
    """Process an event whatever became of it. Receivers that have handled it are not called again.

    False where that can't be: the event is malformed, of an unknown type, pruned, or held by a
    worker.

    Raises:
        django.db.Error: the database does not answer.
    """
    if event.is_settled and not event.reopen():
        return False
    return event in process(event)


def _attempt(event: WebhookEvent) -> bool:
    """Try the event. False where it was not to be had."""
    try:
        return _try(event)
    except ClaimLost:
        logger.warning("Event %s was taken over by another worker.", event.pk)
        return False


def _try(event: WebhookEvent) -> bool:
    try:
        shown = _take_up(event)
    except Exception as error:
        return _fail(event, error)
    if shown is None:
        return False
    _finish(event, shown)
    return True


def _take_up(event: WebhookEvent) -> Shown | None:
    """Claim and mirror in one transaction. ``None`` where another worker has the event."""
    meetings = 0
    while True:
        try:
            with transaction.atomic(using=event._state.db):
                return _claim_and_mirror(event)
        except (IntegrityError, OperationalError):
            # Two workers met at an object that is new: the second to write has to look again.
            meetings += 1
            if meetings == 3:
                raise
            event.refresh_from_db()


def _claim_and_mirror(event: WebhookEvent) -> Shown | None:
    if not event.claim(_lease()):
        return None
    shown = mirror(event)
    if shown.ignored:
        event.settle(Status.IGNORED, shown.ignored)
    elif not _receivers_of(event):
        event.settle(Status.PROCESSED)
    else:
        event.keep_progress()
    return shown


def _fail(event: WebhookEvent, error: Exception) -> bool:
    """Note why the event could not be taken up, now that the attempt is rolled back."""
    event.refresh_from_db()
    with transaction.atomic(using=event._state.db):
        if not event.claim(_lease()):
            return False
        event.settle(Status.FAILED, _trace(error))
    _report(event, Shown(None), error)
    return True


def _finish(event: WebhookEvent, shown: Shown) -> None:
    failures = [] if event.is_settled else _call_receivers(event, shown)
    if not event.is_settled:
        traces = [f"{name}:\n{_trace(error)}" for name, error in failures]
        event.settle(Status.FAILED if failures else Status.PROCESSED, "\n".join(traces))
    _report(event, shown, failures[0][1] if failures else None)


def _call_receivers(event: WebhookEvent, shown: Shown) -> list[tuple[str, Exception]]:
    """Call the receivers that have not handled the event yet, and return those that failed."""
    handled = set(event.receiver_runs.values_list("receiver", flat=True))
    failures = []
    for name, receiver in _receivers_of(event):
        if name in handled:
            continue
        try:
            _call(name, receiver, event, shown)
        except ClaimLost:
            raise
        except Exception as error:
            failures.append((name, error))
    return failures


def _call(name: str, receiver: Receiver, event: WebhookEvent, shown: Shown) -> None:
    signal, sender = _signal_of(event)
    with transaction.atomic(using=event._state.db):
        # First of all a write, which holds the event: nobody else can be at it until the commit.
        event.renew(_lease())
        started = time.monotonic()
        receiver(
            signal=signal,
            sender=sender,
            event=event,
            instance=shown.instance,
            data=event.envelope.data,
            changes=shown.changes,
        )
        event.receiver_runs.create(receiver=name, seconds=time.monotonic() - started)


def _signal_of(event: WebhookEvent) -> tuple[EventSignal, type[Mirror]]:
    event_type = EventType(event.type)
    return BY_EVENT_TYPE[event_type], MIRRORS[event_type.entity]


def _receivers_of(event: WebhookEvent) -> list[tuple[str, Receiver]]:
    signal, sender = _signal_of(event)
    return signal.named_receivers(sender) if signal.has_listeners(sender) else []


def _report(event: WebhookEvent, shown: Shown, error: Exception | None) -> None:
    """Tell the log and the two signals about the end of an attempt."""
    told = {
        "event": event,
        "instance": shown.instance,
        "data": event.envelope.data,
        "changes": shown.changes,
    }
    what = (event.pk, event.type, event.object_id, event.account)
    if error is not None:
        logger.error("Event %s (%s %s, account %s) failed.", *what, exc_info=error)
        event_failed.send_robust(WebhookEvent, error=error, **told)
        return
    if event.status == Status.IGNORED:
        logger.warning("Event %s (%s %s, account %s) ignored: %s", *what, event.error)
    event_processed.send_robust(WebhookEvent, **told)


def _lease() -> datetime.timedelta:
    return datetime.timedelta(seconds=app_settings.LEASE_SECONDS)


def _trace(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
