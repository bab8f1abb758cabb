"""Apply fetched objects to the mirror: as events, or in bulk in the first sync."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from django.db import Error, router, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from django_altoviz.client import AltovizClient
from django_altoviz.client.resources import Resource
from django_altoviz.event_types import Entity, EventType
from django_altoviz.exceptions import (
    Conflict,
    InvalidRequest,
    NoSuchRoute,
    NotFound,
    ServerError,
    UnexpectedAnswer,
)
from django_altoviz.log import log_about
from django_altoviz.models import Document, Mirror, Source, SyncRun, SyncStep, WebhookEvent
from django_altoviz.sync.bulk import build_rows, save_row, save_rows
from django_altoviz.sync.comparing import Objects, RemoteObject, compare, model_of, newest_event
from django_altoviz.sync.differences import Action, record_difference
from django_altoviz.sync.reading import Batch

Counts = Counter[str]

# Errors that concern one object: the sync goes on with the next object.
_OF_ONE_OBJECT = (UnexpectedAnswer, ServerError, InvalidRequest, Conflict, NoSuchRoute)
#: The attempts to read an object for which events keep coming in.
MAX_READINGS = 3


class Reconciler:
    """Apply objects of one kind to the mirror, and count what happened to each."""

    def __init__(self, run: SyncRun, client: AltovizClient, *, signals: bool) -> None:
        self.run, self.client = run, client
        self.resource = client.resource(Entity(run.entity))
        self.model = model_of(run)
        self.using = run._state.db
        self._inserts_in_bulk = run.is_import and not signals and not run.is_dry_run

    @classmethod
    def without_run(cls, account: str, entity: Entity, client: AltovizClient) -> Reconciler:
        """Return a reconciler whose run is not stored: it applies single objects and pages."""
        run = SyncRun(account=account, entity=entity)
        run._state.db = router.db_for_write(SyncRun)
        return cls(run, client, signals=True)

    def live(self) -> QuerySet[Mirror]:
        """Return the live rows of the mirror that have had no event since the run began.

        The others are looked up because of their events, unless these are not there any more.
        """
        live: QuerySet[Mirror] = self.model.objects.using(self.using)
        event = WebhookEvent.with_pruned.filter(pk=OuterRef("last_event_id"))
        without_event = Q(last_event_id__lte=self.run.as_of) | ~Exists(event)
        return live.filter(without_event, account=self.run.account)

    def apply(self, batch: Batch) -> None:
        """Apply a batch to the mirror, and save the counts and the position in the list."""
        self._save(batch, *self._apply(batch))

    def apply_without_saving(self, batch: Batch) -> Counts:
        """Apply a batch to the mirror, in a run that is not stored, and return the counts."""
        _rows, counts = self._apply(batch)
        return counts

    def _apply(self, batch: Batch) -> tuple[list[Mirror], Counts]:
        """Apply a batch as events. Return the rows to insert in bulk, and the counts of the others."""
        counts: Counts = Counter(seen=len(batch.objects) + len(batch.without_id))
        for object in batch.without_id:
            # An object without an id can't be mirrored. As a failed event it is at least visible.
            count = record_difference(self.run, Action.CREATED, object, batch.as_of)
            counts[count or "failed"] += 1
        counts += self._complete(batch)
        comparison = compare(self.run, batch.objects, batch.raw, batch.as_of)
        counts += Counter(
            unchanged=comparison.unchanged, changed=comparison.waiting, failed=comparison.failed
        )
        rows: list[Mirror] = []
        missing = comparison.missing
        if self._inserts_in_bulk:
            rows, missing = build_rows(self.run, missing, batch.raw, batch.as_of)
        counts += self._record_all(Action.CREATED, missing, batch.as_of)
        counts += self._record_all(Action.UPDATED, comparison.differing, batch.as_of)
        for id in comparison.overtaken:
            counts += self.reconcile_one(id)
        return rows, counts

    def _complete(self, batch: Batch) -> Counts:
        """Read each document that is listed without lines by itself. Drop it if that fails."""
        counts: Counts = Counter()
        for id in [id for id, object in batch.objects.items() if self.lacks_lines(object)]:
            del batch.raw[id]
            try:
                whole = read(self.resource, id)
            except _OF_ONE_OBJECT as error:
                counts += self._count_unreadable(id, error)
                del batch.objects[id]
                continue
            if whole is None:
                counts += self.reconcile_one(id)
                del batch.objects[id]
            else:
                batch.objects[id] = whole
        return counts

    def lacks_lines(self, object: RemoteObject) -> bool:
        """Return True for a document that was listed without lines. No lines are an empty list."""
        return issubclass(self.model, Document) and object.get("lines") is None

    def _record_all(self, action: Action, objects: Objects, as_of: int) -> Counts:
        counts: Counts = Counter()
        for id, object in objects.items():
            count = record_difference(self.run, action, object, as_of)
            counts += self.reconcile_one(id) if count is None else Counter([count])
        return counts

    def _save(self, batch: Batch, rows: list[Mirror], counts: Counts) -> None:
        """Insert the new rows, and save the counts and the position in the same transaction.

        A run that is resumed after a crash has then counted exactly the rows that are there.
        """
        try:
            with transaction.atomic(using=self.using):
                if rows:
                    save_rows(self.run, rows)
                self._save_progress(batch, counts + Counter(new=len(rows)))
        except Error:
            # Raise SyncTakenOver if the rows collide because another process has taken over.
            self.run.write()
            # Otherwise a webhook was faster with one of the rows, or the database refuses one.
            refused = [row.altoviz_id for row in rows if not save_row(self.run, row)]
            for id in refused:
                counts += self.reconcile_one(id)
            self._save_progress(batch, counts + Counter(new=len(rows) - len(refused)))

    def _save_progress(self, batch: Batch, counts: Counts) -> None:
        if batch.new_in_pass:
            step = SyncStep.of(self.run, batch.position.pass_number, batch.new_in_pass)
            step.save(using=self.using)
        self.run.add_counts(counts, position=asdict(batch.position))

    def reconcile_one(self, id: int) -> Counts:
        """Read one object and apply it. Read it again if an event of it comes in meanwhile."""
        for _ in range(MAX_READINGS):
            as_of = newest_event(self.using)
            try:
                object = read(self.resource, id)
            except _OF_ONE_OBJECT as error:
                return self._count_unreadable(id, error)
            count = self.apply_one(id, object, as_of)
            if count is not None:
                return Counter({count: 1}) if count else Counter()
        # Each time an event came in that was newer than what was read. The mirror follows the events,
        # but nobody can say that it is as Altoviz is.
        log = log_about(account=self.run.account, object_id=id)
        log.warning("%s %s changes too often to be compared.", self.run.entity, id)
        return Counter(failed=1)

    def apply_one(self, id: int, object: RemoteObject | None, as_of: int) -> str | None:
        """Return which count the object belongs to, "" for none, ``None`` to read it again."""
        if object is None:
            live = self.model.objects.using(self.using)
            is_live = live.filter(altoviz_id=id, account=self.run.account).exists()
            if not is_live or self._is_new(id):
                return ""
            return record_difference(self.run, Action.DELETED, {"id": id}, as_of)
        comparison = compare(self.run, {id: object}, {}, as_of)
        if comparison.overtaken:
            return None
        if comparison.missing:
            return record_difference(self.run, Action.CREATED, object, as_of)
        if comparison.differing:
            return record_difference(self.run, Action.UPDATED, comparison.differing[id], as_of)
        if comparison.waiting:
            return Action.UPDATED.value
        return "failed" if comparison.failed else "unchanged"

    def _is_new(self, id: int) -> bool:
        """Return True if it was created since the run began, so may be too new to read [inferred]."""
        created = EventType[f"{Entity(self.run.entity).name}_CREATED"]
        events = WebhookEvent.objects.using(self.using).filter(
            account=self.run.account, type=created, source=Source.WEBHOOK, pk__gt=self.run.as_of
        )
        return bool(events.filter(entity=self.run.entity, object_id=id).exists())

    def _count_unreadable(self, id: int, error: Exception) -> Counts:
        log = log_about(account=self.run.account, object_id=id)
        log.error("%s %s could not be read: %s", self.run.entity, id, type(error).__name__)
        return Counter(failed=1)


def read(resource: Resource, id: int) -> RemoteObject | None:
    """Return the object as Altoviz shows it now, or ``None`` if it is gone.

    Raises:
        UnexpectedAnswer: Altoviz answered with another object.
        NoSuchRoute: a 404, but not in the form that Altoviz gives it for an object.
    """
    try:
        return resource.get(id)
    except NoSuchRoute:
        raise
    except NotFound:
        return None
