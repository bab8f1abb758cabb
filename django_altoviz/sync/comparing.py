"""Compare fetched objects with the mirror."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from django_altoviz import exact_json
from django_altoviz.event_types import Entity
from django_altoviz.models import MIRRORS, Document, Mirror, Status, SyncRun, WebhookEvent
from django_altoviz.models.mirrors import FINGERPRINT
from django_altoviz.models.mirrors.personal_data import as_erased
from django_altoviz.processing import process

#: An object as Altoviz shows it.
RemoteObject = dict[str, Any]
#: Fetched objects, by Altoviz id.
Objects = dict[int, RemoteObject]
#: The raw JSON of each listed object, by Altoviz id.
Raw = Mapping[int, str]

# Statuses of events that may still change the mirror. A dead event may, because somebody can process
# it again.
_MAY_CHANGE_MIRROR = (Status.PENDING, Status.PROCESSING, Status.FAILED, Status.DEAD)


@dataclass
class Comparison:
    """The result of comparing fetched objects with the mirror.

    ``overtaken`` objects have received an event after they were fetched, so the mirror may be newer
    than what was fetched. Of ``failed`` and ``waiting`` objects an event with the same content is
    stored already; it has failed, or waits to be processed.
    """

    unchanged: int = 0
    missing: Objects = field(default_factory=dict)
    differing: Objects = field(default_factory=dict)
    overtaken: list[int] = field(default_factory=list)
    failed: int = 0
    waiting: int = 0


def model_of(run: SyncRun) -> type[Mirror]:
    return MIRRORS[Entity(run.entity)]


def newest_event(using: str | None) -> int:
    """Return the primary key of the event that was stored last, or 0."""
    events = WebhookEvent.with_pruned.using(using).order_by("-pk")
    return events.values_list("pk", flat=True).first() or 0


def fingerprint(raw: str) -> str:
    """Return a digest by which the same raw JSON is recognised without reading the stored data."""
    return hashlib.sha256(raw.encode()).hexdigest()[:FINGERPRINT]


def compare(run: SyncRun, objects: Objects, raw: Raw, as_of: int) -> Comparison:
    """Process the waiting events of fetched objects, then compare the objects with the mirror.

    ``as_of`` is the last event that was stored before the objects were fetched. Erased personal data
    are not compared.
    """
    objects = {**objects}  # a copy, from which erased personal data are removed
    pending = _process_pending(run, objects, as_of)
    last_events, same = _match(run, objects, raw)
    last_events = _without_lost(run, last_events, as_of)
    comparison = Comparison()
    for id, object in objects.items():
        event, last_event = pending.get(id), last_events.get(id, -1)
        # A row that is the same now does not stay so if a pending event changes it later.
        if id in same and (event is None or event.pk <= last_event):
            comparison.unchanged += 1
        elif last_event > as_of:
            comparison.overtaken.append(id)
        elif event is not None and exact_json.same(event.envelope.data, object):
            if event.status in (Status.FAILED, Status.DEAD):
                comparison.failed += 1
            else:
                comparison.waiting += 1
        elif id in last_events:
            comparison.differing[id] = object
        else:
            comparison.missing[id] = object
    return comparison


def _without_lost(run: SyncRun, last_events: dict[int, int], as_of: int) -> dict[int, int]:
    """Replace the numbers of events after ``as_of`` by 0 if there are no such events.

    The events were deleted, or the mirror was restored without them. Such a number says nothing about
    the time of the reading.
    """
    later = {pk for pk in last_events.values() if pk > as_of}
    if not later:
        return last_events
    events = WebhookEvent.with_pruned.using(run._state.db).filter(pk__in=later)
    lost = later.difference(events.values_list("pk", flat=True))
    return {id: 0 if pk in lost else pk for id, pk in last_events.items()}


def _process_pending(
    run: SyncRun, ids: Collection[int], as_of: int
) -> dict[int | None, WebhookEvent]:
    """Process the objects' waiting events, and return ``_pending_events`` after that.

    A dry run processes nothing.
    """
    events = _pending_events(run, ids, as_of)
    waiting = [event for event in events.values() if event.status == Status.PENDING]
    if run.is_dry_run or not waiting:
        return events
    for event in waiting:
        process(event)
    return _pending_events(run, ids, as_of)


def _pending_events(
    run: SyncRun, ids: Collection[int], as_of: int
) -> dict[int | None, WebhookEvent]:
    """Return the last event of each object that the mirror does not show yet."""
    events = WebhookEvent.objects.using(run._state.db).without_set_aside()
    events = events.filter(
        account=run.account,
        entity=run.entity,
        pk__lte=as_of,
        mirrored_at=None,
        status__in=_MAY_CHANGE_MIRROR,
    )
    # There is almost never one, and a query without hundreds of ids is cheaper.
    if not events.exists():
        return {}
    return {event.object_id: event for event in events.filter(object_id__in=ids).order_by("pk")}


def _match(run: SyncRun, objects: Objects, raw: Raw) -> tuple[dict[int, int], set[int]]:
    """Return the last event of each mirror row, and the ids of the rows equal to their object.

    Remove personal data from ``objects`` whose rows were erased.
    """
    last_events, same, unclear, forgotten = {}, set(), [], []
    rows = _rows(run, objects).values_list(
        "altoviz_id", "last_event_id", "deleted_at", "forgotten_at", "fingerprint"
    )
    whole = _with_all_lines(run, objects)
    for id, last_event, deleted_at, forgotten_at, known in rows:
        last_events[id] = last_event
        if forgotten_at is not None:
            forgotten.append(id)
        if deleted_at is not None or id not in whole:
            continue
        if id in raw and fingerprint(raw[id]) == known:
            same.add(id)
        else:
            unclear.append(id)
    if forgotten:
        for id, data in stored_data(run, forgotten):
            objects[id] = as_erased(model_of(run).entity(), objects[id], data)
    if unclear:
        stored = stored_data(run, unclear)
        same.update(id for id, data in stored if exact_json.same(data, objects[id]))
    return last_events, same


def _with_all_lines(run: SyncRun, objects: Objects) -> Collection[int]:
    """Return the ids of the objects that have as many lines in the mirror as at Altoviz.

    A project may have deleted lines. Those of a document come back with its next event.
    """
    model = model_of(run)
    if not issubclass(model, Document):
        return objects
    stored = model.count_lines(run.account, objects, run._state.db)
    return {id for id, object in objects.items() if stored[id] == len(object.get("lines") or ())}


def stored_data(run: SyncRun, ids: Collection[int]) -> Iterable[tuple[int, RemoteObject]]:
    """Return the ``data`` of the rows. Reading it costs several times as much as all the rest."""
    rows = [
        *_rows(run, ids).annotate(text=Cast("data", TextField())).values_list("altoviz_id", "text")
    ]
    # One call of the parser for all rows is faster than one call for each.
    objects = exact_json.loads(f"[{','.join(text for _id, text in rows)}]")
    return zip((id for id, _text in rows), objects, strict=True)


def _rows(run: SyncRun, ids: Iterable[int]) -> QuerySet[Mirror]:
    rows: QuerySet[Mirror] = model_of(run).with_deleted.using(run._state.db)
    return rows.filter(account=run.account, altoviz_id__in=[*ids]).order_by()
