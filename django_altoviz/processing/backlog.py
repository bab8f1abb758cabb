"""Process the events that are due, with any number of workers at once."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, TypeAlias

from django.db import InterfaceError, OperationalError
from django.db.models import F, Q

from django_altoviz.conf import app_settings
from django_altoviz.exceptions import ends_task
from django_altoviz.models import WebhookEvent, WebhookEventQuerySet, queue
from django_altoviz.processing.worker import process

# Primary keys are read in windows, and events in chunks.
_KEYS_IN_WINDOW = 10_000
_EVENTS_IN_CHUNK = 20
# Up to so many objects, their events are looked at, and not all events that wait.
_FEW_OBJECTS = 500
_PLACE = ("pk", "account", "entity", "object_id")
_Row: TypeAlias = tuple[Any, ...]


def drain(
    events: WebhookEventQuerySet[WebhookEvent] | None = None,
    *,
    limit: int | None = None,
    deadline: float | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[WebhookEvent]:
    """Process the due events among these, each once, and yield those that were attempted.

    ``limit`` bounds the events that are begun with. Events of the same objects that are processed
    before and behind them do not count, and neither do events that another worker has. After the
    ``deadline``, a time of the monotonic clock, no further event is begun.

    Events of one object are always processed in order. Otherwise the order is that of arrival until
    another worker is met, and random from there on, because two workers in the same order would wait
    for each other. An object that another worker has is skipped for the rest of the run.

    Raises:
        django.db.Error: the database does not answer; the rest is still due.
    """
    events = WebhookEvent.objects.for_write() if events is None else events
    run = _Drain(events, deadline, stopped)
    most = math.inf if limit is None else limit
    for window in ready_keys(run.events) if most > 0 else ():
        for attempted in run.process_window(window):
            yield from attempted
            if run.begun >= most:
                return
        if run.is_over():
            return


def ready_keys(events: WebhookEventQuerySet[WebhookEvent]) -> Iterator[list[int]]:
    """Yield the keys of the due events that wait for no earlier one, in windows and in order.

    What holds up other events is read once per window and compared here, because on SQLite and MariaDB
    the same condition in SQL takes time that grows with the square of an object's events.
    """
    ranges = queue.due_ranges(queue.clock())
    for due in _windows_of(lambda last: _due_after(last, events, ranges)):
        held_up = _held_up(events.db, {row[1:] for row in due})
        yield [row[0] for row in due if row[0] <= held_up.get(row[1:], row[0])]


def _windows_of(read: Callable[[int], Iterable[_Row]]) -> Iterator[list[_Row]]:
    """Yield the rows that ``read`` finds after a key, in order, with those that arrive meanwhile."""
    last = 0
    while window := sorted(set(read(last)), key=itemgetter(0))[:_KEYS_IN_WINDOW]:
        yield window
        last = window[-1][0]


def _due_after(
    last: int, events: WebhookEventQuerySet[WebhookEvent], ranges: list[Q]
) -> Iterator[_Row]:
    """Yield the key and the object of the events in these ranges.

    Each range is looked for by itself, and only if it has an event: in the order of the index, no plan
    but the index is cheap, whatever the database takes the number of the events in it for.
    """
    for each in ranges:
        in_range = WebhookEvent.with_pruned.using(events.db).filter(each)
        if in_range.order_by(*queue.INDEXED).values("pk")[:1]:
            yield from _rows_after(last, events, in_range)


def _rows_after(
    last: int,
    events: WebhookEventQuerySet[WebhookEvent],
    chosen: WebhookEventQuerySet[WebhookEvent],
) -> Iterable[_Row]:
    """Return the key and the object of the first of these events that are among the chosen ones.

    The order is by an expression: otherwise a database may walk through all settled events, because it
    can't know how few others there are.
    """
    numbered = events.alias(number=F("pk") + 0).filter(number__gt=last, pk__in=chosen.values("pk"))
    rows: Iterable[_Row] = numbered.order_by("number").values_list(*_PLACE)[:_KEYS_IN_WINDOW]
    return rows


def _held_up(using: str, places: set[tuple[Any, ...]]) -> dict[tuple[Any, ...], int]:
    """Return the first event of each object that holds up the later ones."""
    condition = queue.holding_up(queue.clock(), app_settings.WAIT_FOR_RETRIES)
    holding = WebhookEvent.with_pruned.using(using).filter(object_id__isnull=False)
    if len(places) <= _FEW_OBJECTS:
        holding = holding.filter(object_id__in={object_id for *_, object_id in places})
    first: dict[tuple[Any, ...], int] = {}
    waited_for = WebhookEvent.with_pruned.using(using).filter(condition)
    for window in _windows_of(lambda last: _rows_after(last, holding, waited_for)):
        for row in window:
            if row[1:] in places:
                first.setdefault(row[1:], row[0])
    return first


class _Drain:
    """Run once through the due events."""

    def __init__(
        self,
        events: WebhookEventQuerySet[WebhookEvent],
        deadline: float | None,
        stopped: Callable[[], bool],
    ) -> None:
        self.events, self.deadline, self.stopped = events, deadline, stopped
        #: The number of events that were begun with.
        self.begun = 0
        self._seen: set[int] = set()
        self._skipped: set[tuple[Any, ...]] = set()

    def is_over(self) -> bool:
        return self.stopped() or (self.deadline is not None and time.monotonic() >= self.deadline)

    def process_window(self, keys: list[int]) -> Iterator[list[WebhookEvent]]:
        """Yield the events that were attempted with each of these."""
        size = _EVENTS_IN_CHUNK
        chunks = [keys[start : start + size] for start in range(0, len(keys), size)]
        interrupted: list[list[int]] = []
        while chunks and not self.is_over():
            chunk = chunks.pop(0)
            for attempted in self._process_chunk(chunk):
                yield attempted
                if not attempted and chunks:
                    interrupted.append(chunk)
                    random.shuffle(chunks)
                    break
        for chunk in interrupted:
            yield from self._process_chunk(chunk)

    def _process_chunk(self, chunk: list[int]) -> Iterator[list[WebhookEvent]]:
        """Yield what was attempted per event: nothing if another worker is processing its object."""
        if self.is_over():
            return
        # Read the events only now: other workers may have processed some since the keys were read.
        for event in self.events.due().filter(pk__in=chunk).order_by("pk"):
            place = (event.account, event.entity, event.object_id)
            if event.pk in self._seen or place in self._skipped:
                continue
            attempted = self._process(event)
            self.begun += bool(attempted)
            self._seen.update(each.pk for each in attempted)
            if not attempted and event.object_id is not None:
                self._skipped.add(place)
            yield attempted
            if self.is_over():
                return

    def _process(self, event: WebhookEvent) -> list[WebhookEvent]:
        try:
            return process(event, deadline=self.deadline)
        except (OperationalError, InterfaceError):
            raise  # the database does not answer
        except BaseException as error:
            if ends_task(error):
                raise
            event.log.exception("Event %s could not be processed.", event.pk)
            return []
