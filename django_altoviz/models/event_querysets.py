"""The queries of events: to store a delivery once, and to find what is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    models,
    router,
    transaction,
)
from django.db.models import F

from django_altoviz.conf import app_settings
from django_altoviz.models import queue
from django_altoviz.models.queue import SETTLED, UNSETTLED, Status
from django_altoviz.models.statements import insert, updated

if TYPE_CHECKING:
    from typing_extensions import Self

# A WebhookEvent, whose module imports this one.
AnyEvent = TypeVar("AnyEvent", bound=models.Model)
_Event = Any


class WebhookEventQuerySet(models.QuerySet[AnyEvent]):
    def for_write(self) -> Self:
        """Read from the database that events are written to, because a replica may lag behind."""
        return self.using(router.db_for_write(self.model))

    def settled(self) -> Self:
        return self.filter(status__in=SETTLED)

    def unsettled(self) -> Self:
        return self.filter(status__in=UNSETTLED)

    def due(self) -> Self:
        """Return the events to process by now: new, failed, or left by a worker that is gone."""
        return self.filter(queue.due(queue.clock()))

    def lease_expired(self) -> Self:
        """Return the events that a worker left unfinished."""
        return self.filter(queue.lease_expired(queue.clock()))

    def without_set_aside(self) -> Self:
        """Leave out the bodies that are kept because another one came in first under their id."""
        return self.exclude(queue.set_aside())

    def of_object(self, event: _Event) -> Self:
        """Return all events of the event's object."""
        return self.none() if event.object_id is None else self.filter(queue.same_object(event))

    def ahead_of(self, event: _Event) -> Self:
        """Return the earlier events of its object that must be processed first, in their order."""
        if event.object_id is None:
            return self.none()
        return self.filter(queue.ahead_of(event, app_settings.WAIT_FOR_RETRIES)).order_by("pk")

    def as_read(self, event: _Event) -> Self:
        """Return the event if it is still in the state in which this instance was read."""
        return self.filter(queue.as_read(event), pk=event.pk)

    def store(self, event: _Event) -> _Event | None:
        """Store a delivery, idempotently: a duplicate is counted on the event that is there already.

        Another body under the id of a stored event is kept as a dead event. Return the event to
        process: the new one, or the stored one if it is due. Return ``None`` if nothing is to do now.
        """
        using = router.db_for_write(self.model)
        try:
            insert_once(event, using)
        except IntegrityError:
            model: Any = self.model
            stored = model.with_pruned.using(using).filter(dedupe_key=event.dedupe_key)
            known = stored.filter(body_digest=event.body_digest)._count(event)
            if known is None:
                first = stored.first()
                if first is None:
                    raise  # the dedupe key was not what conflicted
                if not first.has_content_of(event):
                    event.set_aside(first)
                    return self.store(event)  # which may be a redelivery of that other body
                known = stored._count(event)  # the same content, written in another way
            return known if known is not None and known.is_due else None
        if event.conflicts_with is not None:
            event.log.warning(
                "Event %s has the id of event %s, but another body. It is kept, not processed.",
                event.pk,
                event.conflicts_with,
            )
        return event if event.status == Status.PENDING else None

    def _count(self, event: _Event) -> _Event | None:
        """Count a redelivery on the row, of which there is one at most, and return the row.

        Its next attempt stays as it is: somebody who sends an event ten times in a second must not use
        up its attempts.
        """
        return updated(self, deliveries=F("deliveries") + 1, last_received_at=event.received_at)


def insert_once(event: _Event, using: str) -> None:
    """Insert the event, on a fresh connection if the database has closed the old one meanwhile.

    After a restart of the database, the first statement on each persistent connection fails. To repeat
    this one is safe: if it was carried out after all, the second is a redelivery.

    Raises:
        ImproperlyConfigured: the connection does not commit by itself, so nothing would be stored.
        IntegrityError: the event is stored already.
    """
    connection = transaction.get_connection(using)
    if connection.in_atomic_block:
        # After the conflict, PostgreSQL would refuse every other statement without a savepoint.
        with transaction.atomic(using):
            insert(event, using)
        return
    try:
        _insert_in_autocommit(event, connection)
    except (OperationalError, InterfaceError):
        if not _close_if_stale(connection):
            raise
        _insert_in_autocommit(event, connection)


def _insert_in_autocommit(event: _Event, connection: Any) -> None:
    if not connection.get_autocommit():
        setting = f'DATABASES["{connection.alias}"]["AUTOCOMMIT"]'
        raise ImproperlyConfigured(f"{setting} is False, so the event would not be committed.")
    insert(event, connection.alias)


def _close_if_stale(connection: Any) -> bool:
    """Close a connection that the server has closed. Return False if the fault is another one."""
    if not connection.errors_occurred or connection.is_usable():
        return False
    connection.close()
    return True


# A class of its own, because type checkers do not understand the call as a base class.
EventManager = models.Manager.from_queryset(WebhookEventQuerySet)


class WithoutPruned(EventManager[AnyEvent]):
    """Hide the rows whose content was pruned: only their ids are kept, for deduplication."""

    def get_queryset(self) -> WebhookEventQuerySet[AnyEvent]:
        events = cast("WebhookEventQuerySet[AnyEvent]", super().get_queryset())
        return events.filter(pruned_at=None)
