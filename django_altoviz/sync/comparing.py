"""What was read, held against the mirror."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from django_altoviz.envelopes import object_id_of
from django_altoviz.event_types import Entity
from django_altoviz.models import MIRRORS, Mirror, Status, SyncRun, WebhookEvent
from django_altoviz.models.queue import WebhookEventQuerySet

Object = dict[str, Any]
#: By their Altoviz ids.
Objects = dict[int, Object]

#: Events in one of these may have an effect on the mirror that they have not had yet.
_OWING = (Status.PENDING, Status.PROCESSING, Status.FAILED, Status.DEAD)


@dataclass
class Found:
    """Where the mirror is as Altoviz is, and where not.

    Of ``overtaken`` objects an event came in since they were read, so that what was read may be
    older than what the mirror shows. Of ``known`` ones there is an event that says what was read,
    and failed.
    """

    unchanged: int = 0
    missing: Objects = field(default_factory=dict)
    differing: Objects = field(default_factory=dict)
    overtaken: list[int] = field(default_factory=list)
    known: int = 0


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


def owing(run: SyncRun, ids: Collection[int], as_of: int) -> WebhookEventQuerySet:
    """The events of these objects that the mirror does not show (yet)."""
    events: WebhookEventQuerySet = WebhookEvent.objects.using(run._state.db).filter(
        account=run.account,
        entity=run.entity,
        object_id__in=ids,
        pk__lte=as_of,
        mirrored_at=None,
        status__in=_OWING,
    )
    return events


def compare(run: SyncRun, objects: Objects, as_of: int) -> Found:
    """Hold objects against the mirror. ``as_of`` is the last event that came before they were read.

    An object is unchanged only where no earlier event can still change it.
    """
    events = owing(run, objects, as_of).order_by("pk")
    owed = {event.object_id: event for event in events}
    rows = mirror_of(run).with_deleted.using(run._state.db).filter(altoviz_id__in=objects)
    columns = rows.values_list("altoviz_id", "account", "data", "last_event_id", "deleted_at")
    stored = {row[0]: row[1:] for row in columns.order_by()}
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
        elif event is not None and _says(event, object):
            found.known += 1
        elif id in stored:
            found.differing[id] = object
        else:
            found.missing[id] = object
    return found


def _says(event: WebhookEvent, object: Object) -> bool:
    """Whether an event that failed tells the same as was read now."""
    has_failed = event.status in (Status.FAILED, Status.DEAD)
    return has_failed and bool(event.envelope.data == object)
