"""What was read, held against the mirror."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import TextField
from django.db.models.functions import Cast

from django_altoviz import exact_json
from django_altoviz.envelopes import object_id_of
from django_altoviz.event_types import Entity
from django_altoviz.models import MIRRORS, Mirror, Status, SyncRun, WebhookEvent

Object = dict[str, Any]
#: By their Altoviz ids.
Objects = dict[int, Object]

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


def by_id(rows: Iterable[Object]) -> tuple[Objects, list[Object]]:
    """The objects by their ids, and those whose id can't be one."""
    objects: Objects = {}
    nameless = []
    for row in rows:
        id = object_id_of(row)
        if id is None:
            nameless.append(row)
        else:
            objects[id] = row
    return objects, nameless


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


def compare(run: SyncRun, objects: Objects, as_of: int, owed: Mapping[int, WebhookEvent]) -> Found:
    """Hold objects against the mirror. ``as_of`` is the last event that came before they were read.

    An object is unchanged only where no ``owed`` event can still change it.
    """
    stored = _stored(run, objects)
    found = Found()
    for id, object in objects.items():
        event = owed.get(id)
        if id not in stored:
            same, last_event = False, -1
        else:
            account, data, last_event, deleted_at = stored[id]
            same = account == run.account and data == object and deleted_at is None
        if same and (event is None or event.pk <= last_event):
            found.unchanged += 1
        elif last_event > as_of:
            found.overtaken.append(id)
        elif event is not None and event.envelope.data == object:
            if event.status in (Status.FAILED, Status.DEAD):
                found.failed += 1
            else:
                found.waits += 1
        elif id in stored:
            found.differing[id] = object
        else:
            found.missing[id] = object
    return found


def _stored(run: SyncRun, ids: Collection[int]) -> dict[int, tuple[str, Object, int, Any]]:
    """Account, data, last event and deletion of the rows."""
    rows = mirror_of(run).with_deleted.using(run._state.db).filter(altoviz_id__in=ids).order_by()
    columns = list(
        rows.annotate(text=Cast("data", TextField())).values_list(
            "altoviz_id", "text", "account", "last_event_id", "deleted_at"
        )
    )
    # One text is read three times as fast as many, for their keys are the same.
    objects = exact_json.loads(f"[{','.join(row[1] for row in columns)}]")
    return {
        id: (account, object, last_event, deleted_at)
        for object, (id, _, account, last_event, deleted_at) in zip(objects, columns, strict=True)
    }
