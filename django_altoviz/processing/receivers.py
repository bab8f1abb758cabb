"""Call a project's receivers, each in a transaction of its own, so that each runs exactly once.

A receiver's database work and the record that it has handled the event commit together.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from django.db import DEFAULT_DB_ALIAS, transaction

from django_altoviz.exceptions import ClaimLost, GiveUp, is_soft_time_limit
from django_altoviz.models import MIRRORS, Mirror, ReceiverRun, WebhookEvent
from django_altoviz.models.statements import insert
from django_altoviz.processing import claims
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

    failures: list[tuple[str, Exception]] = field(default_factory=list)
    given_up: list[tuple[str, str]] = field(default_factory=list)


def calls_for(event: WebhookEvent, business_signals: Iterable[str]) -> list[Call]:
    """Return the calls to make: the receivers of the event's type, then of its business signals."""
    event_type = event.event_type
    if event_type is None:
        return []  # a newer version of the app stored it
    sender = MIRRORS[event_type.entity]
    calls = _calls(BY_EVENT_TYPE[event_type], sender, "")
    for name in business_signals:
        # A receiver that is connected to several signals is called for each of them.
        calls += _calls(BY_BUSINESS_SIGNAL[name], sender, f"@{name}")
    return calls


def _calls(signal: EventSignal, sender: type[Mirror], suffix: str) -> list[Call]:
    if not signal.has_listeners(sender):
        return []
    named = signal.named_receivers(sender)
    return [Call(name + suffix, receiver, signal, sender) for name, receiver in named]


def call_all(event: WebhookEvent, calls: Iterable[Call], result: MirrorResult) -> CallResults:
    """Call the receivers that have not handled the event yet.

    The time limit of a queue's task is a failure too, and ends the calls.

    Raises:
        ClaimLost: another worker has claimed the event.
    """
    # The default database may be a replica that lags behind.
    runs = event.receiver_runs.using(event._state.db)
    # No receiver can have handled the event before its first attempt.
    done = dict(runs.values_list("receiver", "gave_up") if event.attempts > 1 else ())
    results = CallResults(given_up=[(name, reason) for name, reason in done.items() if reason])
    for call in calls:
        if call.name in done:
            continue
        try:
            if results.failures or results.given_up:
                result = _as_stored(event, result)
            _call(call, event, result)
        except ClaimLost:
            raise
        except Exception as error:
            # An error in on_commit comes after the run was recorded: then it is too late to give up.
            if isinstance(error, GiveUp) and not runs.filter(receiver=call.name):
                _give_up(event, call.name, error.reason)
                results.given_up.append((call.name, error.reason))
            else:
                results.failures.append((call.name, error))
            if is_soft_time_limit(error):
                break
    return results


def _as_stored(event: WebhookEvent, result: MirrorResult) -> MirrorResult:
    """Return the result as it was before a failed receiver may have changed the objects in it."""
    vars(event).pop("envelope", None)  # it is parsed again
    row = result.instance
    if row is None:
        return result
    stored = type(row).with_deleted.using(event._state.db).filter(pk=row.pk).first()
    return replace(result, instance=stored or row)


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


def _give_up(event: WebhookEvent, name: str, reason: str) -> None:
    with transaction.atomic(using=event._state.db):
        claims.renew(event)
        _record_run(event, name, 0.0, gave_up=reason)


def _record_run(event: WebhookEvent, name: str, seconds: float, gave_up: str = "") -> None:
    run = ReceiverRun(event=event, receiver=name, seconds=seconds, gave_up=gave_up)
    insert(run, event._state.db or DEFAULT_DB_ALIAS)
