"""Report the end of an attempt: to the log, and by the signals that only report."""

from __future__ import annotations

from typing import Any

from django_altoviz.exceptions import MalformedBody
from django_altoviz.models import Status, WebhookEvent
from django_altoviz.processing.failures import DescribedError, last_line
from django_altoviz.processing.mirroring import MirrorResult
from django_altoviz.signals import event_failed, event_processed


def report(event: WebhookEvent, result: MirrorResult, failure: DescribedError | None) -> None:
    """Log the end of an attempt, and send ``event_processed`` or ``event_failed``."""
    about = {
        "event": event,
        "instance": result.instance,
        "data": _data_of(event),
        "changes": result.changes,
    }
    what = (event.pk, event.type, event.object_id, event.account)
    if failure is None:
        if event.status == Status.IGNORED:
            event.log.warning("Event %s (%s %s, account %s) ignored: %s", *what, event.error)
        event_processed.notify(WebhookEvent, **about)
        return
    if failure.is_postponement:
        reason = last_line(failure.text).partition(": ")[2]
        event.log.warning("Event %s (%s %s, account %s) postponed: %s", *what, reason)
        return
    if event.status == Status.DEAD:
        event.log.error("Event %s (%s %s, account %s) given up.", *what, exc_info=failure.exc_info)
    else:
        event.log.error("Event %s (%s %s, account %s) failed.", *what, exc_info=failure.exc_info)
    event_failed.notify(WebhookEvent, error=failure.error, **about)


def _data_of(event: WebhookEvent) -> Any:
    """Return the object in the event's body, or ``None`` if the body can't be read."""
    try:
        return event.envelope.data
    except MalformedBody:
        return None
