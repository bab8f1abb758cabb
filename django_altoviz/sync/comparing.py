"""What was read, held against the mirror."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from django_altoviz import exact_json
from django_altoviz.event_types import Entity
from django_altoviz.intake.envelopes import object_id_of
from django_altoviz.models import MIRRORS, Mirror, Status, SyncRun, WebhookEvent
from django_altoviz.models.mirrors import FINGERPRINT
from django_altoviz.models.mirrors.personal_data import as_erased

Object = dict[str, Any]
#: By their Altoviz ids.
Objects = dict[int, Object]
#: What objects were read from, where a list has shown them, by their Altoviz ids.
Texts = Mapping[int, str]

#: Events in one of these may have an effect on the mirror that they have not had yet.
_OWING = (Status.PENDING, Status.PROCESSING, Status.FAILED, Status.DEAD)


@dataclass
class Found:
    """Where the mirror is as Altoviz is, and where not.

    Of ``overtaken`` objects an event came in since they were read, so that what was read may be
    older than what the mirror shows. Of others there is an event that says what was read: it
    ``failed``, or ``waits`` for its turn.
    """

    unchanged: int = 0
    missing: Objects = field(default_factory=dict)
    differing: Objects = field(default_factory=dict)
    overtaken: list[int] = field(default_factory=list)
    failed: int = 0
    waits: int = 0


def by_id(rows: Iterable[tuple[Object, str]]) -> tuple[Objects, dict[int, str], list[Object]]:
    """The objects and their texts by their ids, and the objects whose id can't be one."""
    objects, texts, nameless = {}, {}, []
    for object, text in rows:
        id = object_id_of(object)
        if id is None:
            nameless.append(object)
        else:
            objects[id], texts[id] = object, text
    return objects, texts, nameless


def mirror_of(run: SyncRun) -> type[Mirror]:
    return MIRRORS[Entity(run.entity)]


def newest_event(using: str | None) -> int:
    """The number of the last event that was stored."""
    events = WebhookEvent.with_pruned.using(using).order_by("-pk")
    return events.values_list("pk", flat=True).first() or 0


def owed(run: SyncRun, ids: Collection[int], as_of: int) -> dict[int, WebhookEvent]:
    """The last event of each of the objects, if the mirror does not show it (yet)."""
    events = WebhookEvent.objects.using(run._state.db).filter(
        account=run.account,
        entity=run.entity,
        pk__lte=as_of,
        mirrored_at=None,
        status__in=_OWING,
    )
    if not events.exists():  # as good as always, and faster to tell than for so many ids
        return {}
    return {event.object_id: event for event in events.filter(object_id__in=ids).order_by("pk")}


def fingerprint(text: str) -> str:
    """By this a text is known again: no two that differ have the same one by chance."""
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT]


def compare(
    run: SyncRun, objects: Objects, texts: Texts, as_of: int, owed: Mapping[int, WebhookEvent]
) -> Found:
    """Hold objects against the mirror. ``as_of`` is the last event that came before they were read.

    An object is unchanged only where no ``owed`` event can still change it. Of what was forgotten,
    personal data are no difference, nor part of one.
    """
    objects = {**objects}  # of which the personal data go that were forgotten
    last_events, same = _shown(run, objects, texts)
    found = Found()
    for id, object in objects.items():
        event, last_event = owed.get(id), last_events.get(id, -1)
        if id in same and (event is None or event.pk <= last_event):
            found.unchanged += 1
        elif last_event > as_of:
            found.overtaken.append(id)
        elif event is not None and exact_json.same(event.envelope.data, object):
            if event.status in (Status.FAILED, Status.DEAD):
                found.failed += 1
            else:
                found.waits += 1
        elif id in last_events:
            found.differing[id] = object
        else:
            found.missing[id] = object
    return found


def _shown(run: SyncRun, objects: Objects, texts: Texts) -> tuple[dict[int, int], set[int]]:
    """The last events of the rows, and the ids of those that show their object just as it is.

    Takes the personal data out of ``objects`` whose rows were forgotten.
    """
    last_events, same, doubtful, forgotten = {}, set(), [], []
    rows = _rows(run, objects).values_list(
        "altoviz_id", "account", "last_event_id", "deleted_at", "forgotten_at", "fingerprint"
    )
    for id, account, last_event, deleted_at, forgotten_at, known in rows:
        last_events[id] = last_event
        if forgotten_at is not None:
            forgotten.append(id)
        if account != run.account or deleted_at is not None:
            continue
        if id in texts and fingerprint(texts[id]) == known:
            same.add(id)
        else:
            doubtful.append(id)
    if forgotten:
        for id, data in _data(run, forgotten):
            objects[id] = as_erased(mirror_of(run).entity(), objects[id], data)
    if doubtful:
        same.update(id for id, data in _data(run, doubtful) if exact_json.same(data, objects[id]))
    return last_events, same


def _data(run: SyncRun, ids: Collection[int]) -> Iterable[tuple[int, Object]]:
    """The objects as the rows show them. To read them takes several times as long as all else."""
    rows = [
        *_rows(run, ids).annotate(text=Cast("data", TextField())).values_list("altoviz_id", "text")
    ]
    objects = exact_json.loads(f"[{','.join(text for _id, text in rows)}]")
    return zip((id for id, _text in rows), objects, strict=True)


def _rows(run: SyncRun, ids: Iterable[int]) -> QuerySet[Mirror]:
    rows: QuerySet[Mirror] = mirror_of(run).with_deleted.using(run._state.db)
    return rows.filter(altoviz_id__in=[*ids]).order_by()
