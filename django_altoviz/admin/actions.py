"""Events processed once more because somebody asks for it, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import messages
from django.db import router
from django.utils.translation import ngettext_lazy

from django_altoviz.models import Status, WebhookEvent, WebhookEventQuerySet
from django_altoviz.processing import process_again

#: What can come of it: the level of the message, and the message.
OUTCOMES = {
    "processed": (
        messages.SUCCESS,
        ngettext_lazy("%d event was processed.", "%d events were processed."),
    ),
    "failed": (
        messages.ERROR,
        ngettext_lazy("%d event failed again.", "%d events failed again."),
    ),
    "malformed": (
        messages.WARNING,
        ngettext_lazy(
            "%d event was refused: it is malformed.", "%d events were refused: they are malformed."
        ),
    ),
    "pruned": (
        messages.WARNING,
        ngettext_lazy(
            "%d event was refused: its body was pruned.",
            "%d events were refused: their bodies were pruned.",
        ),
    ),
    "unknown": (
        messages.WARNING,
        ngettext_lazy(
            "%d event was refused: this version knows no such event type.",
            "%d events were refused: this version knows no such event types.",
        ),
    ),
    "waiting": (
        messages.WARNING,
        ngettext_lazy(
            "%d event waits for an earlier one of its object, and is processed after that.",
            "%d events wait for earlier ones of their objects, and are processed after those.",
        ),
    ),
    "held": (
        messages.WARNING,
        ngettext_lazy(
            "%d event was refused: a worker is processing it.",
            "%d events were refused: workers are processing them.",
        ),
    ),
}


def in_order_of_arrival(queryset: WebhookEventQuerySet) -> Iterator[WebhookEvent]:
    """One at a time: all bodies together may be too large, and each is to be read at its turn."""
    events = WebhookEvent.with_pruned.using(router.db_for_write(WebhookEvent))
    for pk in queryset.order_by("pk").values_list("pk", flat=True):
        yield from events.filter(pk=pk)


def replay(event: WebhookEvent, *, from_scratch: bool = False) -> str:
    """Process the event again, and return which of the ``OUTCOMES`` came of it."""
    if process_again(event, from_scratch=from_scratch):
        return "failed" if event.status in (Status.FAILED, Status.DEAD) else "processed"
    if event.status == Status.MALFORMED:
        return "malformed"
    if event.pruned_at is not None:
        return "pruned"
    if event.event_type is None:
        return "unknown"
    return "waiting" if event.is_due else "held"
