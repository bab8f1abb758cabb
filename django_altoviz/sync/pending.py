"""Find events whose effect the mirror does not show yet, and process those that wait."""

from __future__ import annotations

from collections.abc import Collection

from django_altoviz.models import Status, SyncRun, WebhookEvent
from django_altoviz.processing import process

#: Statuses of events that may still change the mirror. A dead event may, because somebody can
#: process it again.
_MAY_CHANGE_MIRROR = (Status.PENDING, Status.PROCESSING, Status.FAILED, Status.DEAD)


def newest_event(using: str | None) -> int:
    """Return the primary key of the event that was stored last, or 0."""
    events = WebhookEvent.with_pruned.using(using).order_by("-pk")
    return events.values_list("pk", flat=True).first() or 0


def process_pending(run: SyncRun, ids: Collection[int], as_of: int) -> dict[int, WebhookEvent]:
    """Process the objects' waiting events, and return ``pending_events`` after that.

    A dry run processes nothing.
    """
    events = pending_events(run, ids, as_of)
    waiting = [event for event in events.values() if event.status == Status.PENDING]
    if run.is_dry_run or not waiting:
        return events
    for event in waiting:
        process(event)
    return pending_events(run, ids, as_of)


def pending_events(run: SyncRun, ids: Collection[int], as_of: int) -> dict[int, WebhookEvent]:
    """Return the last event of each object whose mirror row does not show that event yet."""
    events = WebhookEvent.objects.using(run._state.db).filter(
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
