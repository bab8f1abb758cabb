"""Comparison of each event of an object with the one before: lines, notes and addresses."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Left

from django_altoviz import exact_json
from django_altoviz.admin.display.bodies import Difference, differences_between
from django_altoviz.admin.display.rendering import Renderer
from django_altoviz.intake.envelopes import text_to_body
from django_altoviz.models import Mirror, WebhookEvent

#: The longest body that is compared, in characters.
MAX_BODY = 50_000
#: The characters of all bodies that are compared on a page.
MAX_BODIES = 500_000


def with_beginnings(events: QuerySet[WebhookEvent]) -> QuerySet[WebhookEvent]:
    """Select, instead of the bodies, as much of each as is compared, and a character more."""
    return events.annotate(beginning=Left("body", MAX_BODY + 1))


def differences_of(
    events: Iterable[Any], row: Mirror, renderer: Renderer
) -> dict[int, list[Difference]]:
    """Return what differs between each event of an object and the one before, by primary key.

    ``events`` begin with the latest. One is left out if it or the one before can't be compared: it
    was redacted or pruned, is too long, or the mirror shows what was read at Altoviz instead.
    """
    if row.forgotten_at is not None:  # a later event has the personal data again
        return {}
    applied = [event for event in events if event.mirrored_at is not None and not _is_gone(event)]
    contents: dict[int, Any] = {}
    left = MAX_BODIES
    for event in applied:
        left -= len(event.beginning)
        if left < 0:
            break
        contents[event.pk] = _content_of(event)
    return {
        later.pk: differences_between(contents[earlier.pk], contents[later.pk], renderer)
        for later, earlier in pairwise(applied)
        if contents.get(later.pk) is not None and contents.get(earlier.pk) is not None
    }


def _is_gone(event: WebhookEvent) -> bool:
    # A deletion may have nothing but the id.
    return event.event_type is not None and event.event_type.is_deletion


def _content_of(event: Any) -> Any:
    """Return the object as the event says it, or None if that is not what the mirror took over."""
    if len(event.beginning) > MAX_BODY or "read_again" in event.arrival:
        return None
    body = text_to_body(event.beginning)
    if not event.has_received(body):  # redacted or pruned
        return None
    return exact_json.loads(body.decode("utf-8-sig")).get("data")
