"""Call a project's receivers, each in a transaction of its own, so that each runs exactly once.

A receiver's database work and the record that it has handled the event commit together.
"""

from __future__ import annotations

import pickle  # nosec B403  # what it loads, it has dumped itself
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from django.db import DEFAULT_DB_ALIAS, transaction

from django_altoviz.event_types import EventType
from django_altoviz.exceptions import ClaimLost, GiveUp, TransactionUndone, ends_task
from django_altoviz.models import MIRRORS, Mirror, ReceiverRun, Source, WebhookEvent
from django_altoviz.models.statements import insert
from django_altoviz.processing import claims
from django_altoviz.processing.failures import DescribedError, described, reason_to_give_up
from django_altoviz.processing.mirroring import MirrorResult
from django_altoviz.signals import BY_BUSINESS_SIGNAL, BY_EVENT_TYPE
from django_altoviz.signals.event_signal import EventSignal
from django_altoviz.signals.names import Receiver


@dataclass(frozen=True)
class Call:
    """A receiver to call for an event, and the name under which its run is recorded."""

    name: str
    receiver: Receiver
    signal: EventSignal
    sender: type[Mirror]


@dataclass
class CallResults:
    """The receivers that failed and are to be tried again, and those that gave the event up."""

    failures: list[tuple[str, DescribedError]] = field(default_factory=list)
    given_up: list[tuple[str, str]] = field(default_factory=list)

    @property
    def cause(self) -> str:
        """The first receiver that failed, and the kind of error. A real failure comes first."""
        failures = sorted(self.failures, key=lambda each: each[1].is_postponement)
        causes = [f"{name}: {failure.kind}" for name, failure in failures]
        causes += [f"{name}: {GiveUp.__name__}" for name, _reason in self.given_up]
        return causes[0] if causes else ""


def calls_for(event: WebhookEvent, business_signals: Iterable[str]) -> list[Call]:
    """Return the calls to make: the receivers of the event's type, then of its business signals.

    If the calendar has caused the event, nothing has happened at Altoviz: the type is not signalled.
    """
    event_type = EventType(event.type)
    sender = MIRRORS[event_type.entity]
    is_of_altoviz = event.source != Source.CALENDAR
    calls = _calls(BY_EVENT_TYPE[event_type], sender, "") if is_of_altoviz else []
    for name in business_signals:
        # A receiver that is connected to several signals is called for each of them.
        calls += _calls(BY_BUSINESS_SIGNAL[name], sender, f"@{name}")
    return calls


def is_understood(event: WebhookEvent) -> bool:
    """Return True if this version knows the event's type and the business signals that it causes.

    Otherwise a newer version of the app has stored it, during a rolling deployment or before a
    rollback, and it waits for that version.
    """
    known = BY_BUSINESS_SIGNAL.keys()
    return event.event_type is not None and known >= set(event.business_signals)


def _calls(signal: EventSignal, sender: type[Mirror], suffix: str) -> list[Call]:
    if not signal.has_listeners(sender):
        return []
    named = signal.named_receivers(sender)
    return [Call(name + suffix, receiver, signal, sender) for name, receiver in named]


def call_all(event: WebhookEvent, calls: Iterable[Call], result: MirrorResult) -> CallResults:
    """Call the receivers that have not handled the event yet.

    Whatever a receiver raises is a failure. Only Control-C and the time limit of a queue's task also
    end the calls.

    Raises:
        ClaimLost: another worker has claimed the event.
    """
    # The default database may be a replica that lags behind.
    runs = event.receiver_runs.using(event._state.db)
    # No receiver can have handled the event before its first attempt.
    done = dict(runs.values_list("receiver", "gave_up") if event.attempts > 1 else ())
    results = CallResults(given_up=[(name, reason) for name, reason in done.items() if reason])
    left = [call for call in calls if call.name not in done]
    original: _Original | None = None
    for call in left:
        try:
            if original is not None:
                result = original.restored(event)
            elif len(left) > 1:
                original = _Original(event, result)
            _call(call, event, result)
        except BaseException as error:
            if isinstance(error, (ClaimLost, TransactionUndone)) and not claims.is_held(event):
                raise ClaimLost(f"Event {event.pk} was taken over by another worker.") from error
            _note_failure(event, call, error, results)
            if ends_task(error):
                break
    return results


class _Original:
    """The arguments of an event's receivers, as they were before the first of them was called."""

    def __init__(self, event: WebhookEvent, result: MirrorResult) -> None:
        # Pickled, because a copy of the objects costs several times as much.
        self._pickled = pickle.dumps((result.instance, event.envelope.data, result.changes))
        self._result, self._envelope = result, event.envelope

    def restored(self, event: WebhookEvent) -> MirrorResult:
        """Return the result as it was, and put the data back into the event."""
        instance, data, changes = pickle.loads(self._pickled)  # nosec B301  # dumped above
        event.envelope = replace(self._envelope, data=data)
        return replace(self._result, instance=instance, changes=changes)


def _call(call: Call, event: WebhookEvent, result: MirrorResult) -> None:
    with transaction.atomic(using=event._state.db):
        # Write first: the row lock keeps other workers out until the commit, even if the lease
        # expires before that.
        claims.renew(event)
        started = time.monotonic()
        call.receiver(
            signal=call.signal,
            sender=call.sender,
            event=event,
            instance=result.instance,
            data=event.envelope.data,
            changes=dict(result.changes),
        )
        _record_run(event, call.name, time.monotonic() - started)


def _note_failure(
    event: WebhookEvent, call: Call, error: BaseException, results: CallResults
) -> None:
    """Note what the receiver raised. If it gives up, record that at once."""
    reason = reason_to_give_up(error)
    runs = event.receiver_runs.using(event._state.db)
    # An error in on_commit comes after the run was recorded: then it is too late to give up.
    if reason is None or runs.filter(receiver=call.name).exists():
        results.failures.append((call.name, described(error)))
        return
    with transaction.atomic(using=event._state.db):
        claims.renew(event)
        _record_run(event, call.name, 0.0, gave_up=reason)
    results.given_up.append((call.name, reason))


def _record_run(event: WebhookEvent, name: str, seconds: float, gave_up: str = "") -> None:
    """Record the run, if the transaction in which the lease was renewed is still the same.

    A receiver may have ended it by a statement of its own, and MariaDB undoes it at a deadlock.
    """
    run = ReceiverRun(event=event, receiver=name, seconds=seconds, gave_up=gave_up)
    if not insert(run, event._state.db or DEFAULT_DB_ALIAS, claims.renewed(event)):
        raise TransactionUndone(
            "The transaction was rolled back within the receiver: its database work is lost."
        )
