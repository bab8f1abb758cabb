"""The project's receivers are called one by one, each in a transaction of its own."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import DEFAULT_DB_ALIAS, transaction

from django_altoviz.conf import app_settings
from django_altoviz.exceptions import ClaimLost, GiveUp, is_soft_time_limit
from django_altoviz.models import MIRRORS, Mirror, ReceiverRun, WebhookEvent
from django_altoviz.models.statements import insert
from django_altoviz.processing.mirroring import Shown
from django_altoviz.signals import BY_BUSINESS_SIGNAL, BY_EVENT_TYPE, EventSignal, Receiver


@dataclass(frozen=True)
class Call:
    """A receiver that is to hear of an event, under the name that its run is recorded by."""

    name: str
    receiver: Receiver
    signal: EventSignal
    sender: type[Mirror]


@dataclass
class Outcome:
    """``failures`` are to be tried again; what is in ``given_up`` never succeeds."""

    failures: list[tuple[str, Exception]] = field(default_factory=list)
    given_up: list[tuple[str, str]] = field(default_factory=list)


def calls_for(event: WebhookEvent, business_signals: Iterable[str]) -> list[Call]:
    """Whom the event concerns: first the receivers of its type, then those of the business signals."""
    event_type = event.event_type
    if event_type is None:
        return []  # another version has left it waiting
    sender = MIRRORS[event_type.entity]
    calls = _calls(BY_EVENT_TYPE[event_type], sender, "")
    for business_signal in business_signals:
        # A receiver may be connected to several signals, and is to hear of each.
        calls += _calls(BY_BUSINESS_SIGNAL[business_signal], sender, f"@{business_signal}")
    return calls


def _calls(signal: EventSignal, sender: type[Mirror], suffix: str) -> list[Call]:
    if not signal.has_listeners(sender):
        return []
    named = signal.named_receivers(sender)
    return [Call(name + suffix, receiver, signal, sender) for name, receiver in named]


def lease() -> datetime.timedelta:
    """For how long a worker that is not heard of keeps an event."""
    return datetime.timedelta(seconds=app_settings.LEASE_SECONDS)


def call_all(event: WebhookEvent, calls: Iterable[Call], shown: Shown) -> Outcome:
    """Call those that are not done with the event yet.

    Where the task has had its time that is a failure, and the last call.

    Raises:
        ClaimLost: another worker has taken the event over.
    """
    # At the first attempt nobody can be.
    runs = event.receiver_runs.using(event._state.db)  # a replica may not have them yet
    done = dict(runs.values_list("receiver", "gave_up") if event.attempts > 1 else ())
    outcome = Outcome(given_up=[(name, reason) for name, reason in done.items() if reason])
    for call in calls:
        if call.name in done:
            continue
        try:
            _call(call, event, shown)
        except ClaimLost:
            raise
        except Exception as error:
            # What is raised in on_commit comes when the receiver is recorded already.
            if isinstance(error, GiveUp) and not runs.filter(receiver=call.name):
                _give_up(event, call.name, error.reason)
                outcome.given_up.append((call.name, error.reason))
            else:
                outcome.failures.append((call.name, error))
            if is_soft_time_limit(error):
                break
    return outcome


def _call(call: Call, event: WebhookEvent, shown: Shown) -> None:
    with transaction.atomic(using=event._state.db):
        # First of all a write, which holds the event: nobody else can be at it until the commit, be it
        # long after the lease.
        event.renew(lease())
        started = time.monotonic()
        call.receiver(
            signal=call.signal,
            sender=call.sender,
            event=event,
            instance=shown.instance,
            data=event.envelope.data,
            changes=shown.changes,
        )
        _record(event, call.name, time.monotonic() - started)


def _give_up(event: WebhookEvent, name: str, reason: str) -> None:
    with transaction.atomic(using=event._state.db):
        event.renew(lease())
        _record(event, name, 0.0, gave_up=reason)


def _record(event: WebhookEvent, name: str, seconds: float, gave_up: str = "") -> None:
    run = ReceiverRun(event=event, receiver=name, seconds=seconds, gave_up=gave_up)
    insert(run, event._state.db or DEFAULT_DB_ALIAS)
