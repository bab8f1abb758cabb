"""Process the events that are due, or were chosen, with any number of workers at once."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_altoviz.models import Status, WebhookEvent, WebhookEventQuerySet
from django_altoviz.models.queue import WAITING
from django_altoviz.processing import claims
from django_altoviz.processing.receivers import is_understood
from django_altoviz.processing.worker import process

# Primary keys are read in windows, and events in chunks.
_KEYS_IN_WINDOW = 1000
_EVENTS_IN_CHUNK = 20


class Replay(models.TextChoices):
    """The outcome of processing an event again. The label of a refusal is its reason."""

    PROCESSED = "processed", _("processed")
    FAILED = "failed", _("failed again")
    MALFORMED = "malformed", _("malformed body")
    PRUNED = "pruned", _("pruned body")
    UNKNOWN = "unknown", _("event type unknown to this version")
    BLOCKED = "blocked", _("waiting for an earlier event of the object")
    TAKEN = "taken", _("another worker has it, or has just processed it")

    @property
    def is_refusal(self) -> bool:
        return self not in (Replay.PROCESSED, Replay.FAILED)


def drain(
    events: WebhookEventQuerySet | None = None,
    *,
    limit: int | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[WebhookEvent]:
    """Process the due events among these, each once, and yield those that were attempted.

    Events of one object are always processed in order. Otherwise the order is that of arrival until
    another worker is met, and random from there on, because two workers in the same order would wait
    for each other.

    Raises:
        django.db.Error: the database does not answer; the rest is still due.
    """
    ready = (WebhookEvent.objects.all() if events is None else events).ready()
    for window in _key_windows(ready, limit):
        yield from _drain_window(ready, window, stopped)
        if stopped():
            return


def process_again(event: WebhookEvent, *, from_scratch: bool = False) -> Replay:
    """Process an event at once, whatever became of it, and return the outcome.

    Receivers that have handled it are not called again, unless it is done ``from_scratch``.

    Raises:
        django.db.Error: the database does not answer.
    """
    is_open = is_understood(event) and (
        event.has_expired_lease or claims.reopen(event, from_scratch=from_scratch)
    )
    if is_open and event in process(event):
        # It is pending, and not failed, if the fault is the database's.
        has_worked = event.status in (Status.PROCESSED, Status.IGNORED)
        return Replay.PROCESSED if has_worked else Replay.FAILED
    if event.status == Status.MALFORMED:
        return Replay.MALFORMED
    if event.pruned_at is not None:
        return Replay.PRUNED
    if not is_understood(event):
        return Replay.UNKNOWN
    # It is not blocked any more, but still waiting, if the time budget ended just before it.
    stored = WebhookEvent.objects.using(event._state.db)
    is_waiting = event.status in WAITING and stored.as_read(event).exists()
    return Replay.BLOCKED if is_waiting or claims.is_blocked(event) else Replay.TAKEN


def replay(
    events: WebhookEventQuerySet,
    *,
    keys: Iterable[int] | None = None,
    limit: int | None = None,
    from_scratch: bool = False,
) -> Iterator[tuple[WebhookEvent, Replay]]:
    """Process the events again in order of arrival, whatever became of them, and yield the outcomes.

    ``keys`` are the primary keys of the events, if they are chosen beforehand; ``limit`` bounds the
    events that are found otherwise. ``from_scratch`` also calls the receivers that have handled them.
    An event that does not match ``events`` any more at its turn is skipped: it may have been processed
    behind an earlier one of its object.
    """
    events = events.for_write()  # an event must be read as it is now
    for pk in chain.from_iterable(_key_windows(events, limit)) if keys is None else keys:
        # One by one, because all bodies together may be too large.
        for event in events.filter(pk=pk):
            yield event, process_again(event, from_scratch=from_scratch)


def _key_windows(events: WebhookEventQuerySet, limit: int | None) -> Iterator[list[int]]:
    """Yield the keys of the events in order of arrival, with those that arrive meanwhile."""
    last, left = 0, limit
    while left is None or left > 0:
        size = _KEYS_IN_WINDOW if left is None else min(_KEYS_IN_WINDOW, left)
        later = events.filter(pk__gt=last).order_by("pk")
        keys = list(later.values_list("pk", flat=True)[:size])
        if not keys:
            return
        yield keys
        last, left = keys[-1], None if left is None else left - len(keys)


def _drain_window(
    ready: WebhookEventQuerySet, keys: list[int], stopped: Callable[[], bool]
) -> Iterator[WebhookEvent]:
    size = _EVENTS_IN_CHUNK
    chunks = [keys[start : start + size] for start in range(0, len(keys), size)]
    interrupted: list[list[int]] = []
    seen: set[int] = set()
    while chunks:
        chunk = chunks.pop(0)
        for attempted in _drain_chunk(ready, chunk, seen, stopped):
            yield from attempted
            if not attempted and chunks:
                interrupted.append(chunk)
                random.shuffle(chunks)
                break
    for chunk in interrupted:
        for attempted in _drain_chunk(ready, chunk, seen, stopped):
            yield from attempted


def _drain_chunk(
    ready: WebhookEventQuerySet, chunk: list[int], seen: set[int], stopped: Callable[[], bool]
) -> Iterator[list[WebhookEvent]]:
    """Yield what was attempted per event: nothing if another worker is processing its object."""
    if stopped():
        return
    # Read the events only now: other workers may have processed some since the keys were read.
    for event in ready.filter(pk__in=chunk).order_by("pk"):
        if event.pk in seen:  # it was processed behind an earlier event of its object
            continue
        attempted = process(event)
        seen.update(each.pk for each in attempted)
        yield attempted
        if stopped():
            return
