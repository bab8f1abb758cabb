"""The backlog is worked off, by any number of workers at once that need not know of each other."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from django_altoviz.models import WebhookEvent, WebhookEventQuerySet
from django_altoviz.processing.worker import process, process_again

# So many keys are read at once, and so many events.
_WINDOW = 1000
_CHUNK = 20


def drain(
    events: WebhookEventQuerySet | None = None,
    *,
    limit: int | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[WebhookEvent]:
    """Process those of the events that are due, each once, and yield what was tried.

    In order of arrival, as long as no other worker is met: of two that are at the same events one
    would only wait for the other, so from there on the order is by chance. Events of one object are
    processed in their order in any case.

    Raises:
        django.db.Error: the database does not answer; what was not tried is still there.
    """
    ready = (WebhookEvent.objects.all() if events is None else events).ready()
    for window in _windows(ready, limit):
        yield from _drain_window(ready, window, stopped)
        if stopped():
            return


def replay(
    events: WebhookEventQuerySet,
    *,
    limit: int | None = None,
    from_scratch: bool = False,
) -> Iterator[tuple[WebhookEvent, bool]]:
    """Process the events whatever became of them, in order of arrival.

    Yield each, with whether that could be done. ``from_scratch``: see ``process_again``. What is not
    one of them any more when its turn comes, such as an event that was just processed behind an
    earlier one of its object, is passed over.
    """
    for window in _windows(events, limit):
        for pk in window:
            for event in events.filter(pk=pk):
                yield event, process_again(event, from_scratch=from_scratch)


def _windows(events: WebhookEventQuerySet, limit: int | None) -> Iterator[list[int]]:
    """The keys of the events in order of arrival, those that come in meanwhile included."""
    last, left = 0, limit
    while left is None or left > 0:
        size = _WINDOW if left is None else min(_WINDOW, left)
        later = events.filter(pk__gt=last).order_by("pk")
        keys = list(later.values_list("pk", flat=True)[:size])
        if not keys:
            return
        yield keys
        last, left = keys[-1], None if left is None else left - len(keys)


def _drain_window(
    ready: WebhookEventQuerySet, keys: list[int], stopped: Callable[[], bool]
) -> Iterator[WebhookEvent]:
    chunks = [keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK)]
    interrupted: list[list[int]] = []
    seen: set[int] = set()
    while chunks:
        chunk = chunks.pop(0)
        for tried in _drain_chunk(ready, chunk, seen, stopped):
            yield from tried
            if not tried and chunks:
                interrupted.append(chunk)
                random.shuffle(chunks)
                break
    for chunk in interrupted:
        for tried in _drain_chunk(ready, chunk, seen, stopped):
            yield from tried


def _drain_chunk(
    ready: WebhookEventQuerySet, chunk: list[int], seen: set[int], stopped: Callable[[], bool]
) -> Iterator[list[WebhookEvent]]:
    """What was tried of each event's object: nothing, where another worker is at it."""
    if stopped():
        return
    # Read only now: others may have processed some of them meanwhile.
    for event in ready.filter(pk__in=chunk).order_by("pk"):
        if event.pk in seen:  # it has had its turn with an earlier one of its object
            continue
        tried = process(event)
        seen.update(each.pk for each in tried)
        yield tried
        if stopped():
            return
