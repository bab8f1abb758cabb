"""What was read is brought into the mirror: as events, or, the first time, in bulk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import Enum

from django.db import Error, transaction
from django.db.models import QuerySet

from django_altoviz import exact_json
from django_altoviz.client import AltovizClient
from django_altoviz.client.resources import Resource
from django_altoviz.event_types import Entity, EventType
from django_altoviz.exceptions import (
    Conflict,
    InvalidPayload,
    InvalidRequest,
    NoSuchRoute,
    NotFound,
    ServerError,
    UnexpectedAnswer,
)
from django_altoviz.intake.envelopes import object_id_of
from django_altoviz.log import log_about
from django_altoviz.models import Document, Mirror, Source, Status, SyncRun, WebhookEvent
from django_altoviz.processing import process
from django_altoviz.sync.bulk import fill, fill_one, rows_of
from django_altoviz.sync.comparing import (
    Found,
    Object,
    Objects,
    Texts,
    compare,
    mirror_of,
    newest_event,
    owed,
)
from django_altoviz.sync.differences import tell

Counts = Counter[str]
Record = Callable[[Counts], None]

#: What can be wrong with one object and says nothing of the others.
UNREADABLE = (UnexpectedAnswer, ServerError, InvalidRequest, Conflict, NoSuchRoute)
# How often an object is read again because an event of it came in meanwhile.
_TRIES = 3


class Action(str, Enum):
    """What a difference is. The names are those of the event types, the values are counted."""

    CREATED = "new"
    UPDATED = "changed"
    DELETED = "deleted"


class Reconciler:
    """Brings objects of one kind into the mirror."""

    def __init__(
        self, run: SyncRun, client: AltovizClient, *, signals: bool, all_gone: bool = False
    ) -> None:
        self.run, self.client, self.all_gone = run, client, all_gone
        self.resource = client.resource(Entity(run.entity))
        self.model = mirror_of(run)
        self.using = run._state.db
        self.fills = run.is_import and not signals and not run.is_dry_run

    def live(self) -> QuerySet[Mirror]:
        """What lives in the mirror, as it was before the run.

        What an event has brought in since is looked up on account of that event.
        """
        live: QuerySet[Mirror] = self.model.objects.using(self.using)
        return live.filter(account=self.run.account, last_event_id__lte=self.run.as_of)

    def bring(self, objects: Objects, texts: Texts, as_of: int, record: Record) -> None:
        """Bring in what was read, and ``record`` how many of them were what."""
        found = self.compare(objects, texts, as_of)
        counts = Counter(unchanged=found.unchanged, changed=found.waits, failed=found.failed)
        rows: list[Mirror] = []
        missing = found.missing
        if self.fills:
            rows, missing = rows_of(self.run, missing, texts, as_of)
        counts += self._tell_all(Found(missing=missing, differing=found.differing), as_of)
        for id in found.overtaken:
            counts += self.read_again(id)
        try:
            with transaction.atomic(using=self.using):
                fill(self.run, rows)
                record(counts + Counter(new=len(rows)))
        except Error:
            self.run.keep()  # or another process has taken over, and filled in the same
            # A webhook was faster with one of them, or one is not to the database's taste.
            refused = [row.altoviz_id for row in rows if not fill_one(self.run, row)]
            for id in refused:
                counts += self.read_again(id)
            record(counts + Counter(new=len(rows) - len(refused)))

    def compare(self, objects: Objects, texts: Texts, as_of: int) -> Found:
        events = owed(self.run, objects, as_of)
        waiting = [event for event in events.values() if event.status == Status.PENDING]
        if waiting and not self.run.is_dry_run:
            for event in waiting:
                process(event)
            events = owed(self.run, objects, as_of)
        return compare(self.run, objects, texts, as_of, events)

    def _tell_all(self, found: Found, as_of: int) -> Counts:
        counts: Counts = Counter()
        for action, objects in (
            (Action.CREATED, found.missing),
            (Action.UPDATED, found.differing),
        ):
            for id, object in objects.items():
                told = self.tell(action, object, as_of)
                counts += self.read_again(id) if told is None else Counter([told])
        return counts

    def tell(self, action: Action, object: Object, as_of: int) -> str | None:
        """Bring in a difference, and return what to count it as.

        ``None`` where an event of the object has come in meanwhile, and may be newer.
        """
        if self.run.is_dry_run:
            return action.value if self._fits(object) else "failed"
        status = tell(self.run, action.name, object, as_of)
        if status == Status.IGNORED:
            return None
        failed = status in (Status.FAILED, Status.DEAD, Status.MALFORMED)
        return "failed" if failed else action.value

    def _fits(self, object: Object) -> bool:
        id = object_id_of(object)
        try:
            self.model(altoviz_id=id or 0)._apply(object, exact_json.to_bytes(object).decode())
        except InvalidPayload:
            return False
        return id is not None

    def read_again(self, id: int) -> Counts:
        """Read one object by its id and bring it in, however many events of it come meanwhile."""
        for _ in range(_TRIES):
            as_of = newest_event(self.using)
            try:
                object = self.get(id)
            except UNREADABLE as error:
                return self.count_unreadable(id, error)
            told = self._settle(id, object, as_of)
            if told is not None:
                return Counter({told: 1}) if told else Counter()
        return Counter(unchanged=1)  # what the events tell is newer each time

    def count_unreadable(self, id: int, error: Exception) -> Counts:
        log = log_about(account=self.run.account, object_id=id)
        log.error("%s %s could not be read: %s", self.run.entity, id, type(error).__name__)
        return Counter(failed=1)

    def _settle(self, id: int, object: Object | None, as_of: int) -> str | None:
        """What to count the object as, "" for nothing, ``None`` if it has to be read once more."""
        if object is None:
            live = self.model.objects.using(self.using)
            is_live = live.filter(altoviz_id=id, account=self.run.account).exists()
            if not is_live or self._is_new(id):
                return ""
            return self.tell(Action.DELETED, {"id": id}, as_of)
        found = self.compare({id: object}, {}, as_of)
        if found.overtaken:
            return None
        if found.missing:
            return self.tell(Action.CREATED, object, as_of)
        if found.differing:
            return self.tell(Action.UPDATED, found.differing[id], as_of)
        if found.waits:
            return Action.UPDATED.value
        return "failed" if found.failed else "unchanged"

    def _is_new(self, id: int) -> bool:
        """Whether it was created since the run began: it may not be there to be read yet [inferred]."""
        created = EventType[f"{Entity(self.run.entity).name}_CREATED"]
        events = WebhookEvent.objects.using(self.using).filter(
            account=self.run.account, type=created, source=Source.WEBHOOK, pk__gt=self.run.as_of
        )
        return bool(events.filter(entity=self.run.entity, object_id=id).exists())

    def get(self, id: int) -> Object | None:
        """The object, or ``None`` where it is gone. Raises as ``read`` does."""
        return read(self.resource, id)

    def lacks_lines(self, object: Object) -> bool:
        """Whether a list has left out the lines: that there are none would be an empty list."""
        return issubclass(self.model, Document) and object.get("lines") is None


def read(resource: Resource, id: int) -> Object | None:
    """The object as it is at Altoviz now, or ``None`` where it is gone.

    Raises:
        UnexpectedAnswer: it is another one.
        NoSuchRoute: 404, but not as Altoviz says it of an object.
    """
    try:
        return resource.get(id)
    except NoSuchRoute:
        raise
    except NotFound:
        return None
