"""The history on an object's page: its events, and what each changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext

from django_altoviz.admin.base import ReadOnly
from django_altoviz.admin.comparisons import differences_of, with_beginnings
from django_altoviz.admin.display.bodies import Difference
from django_altoviz.admin.display.rendering import EMPTY, Renderer
from django_altoviz.admin.display.values import (
    business_signal_labels,
    format_time,
    format_value,
    source_label,
    translate_note,
)
from django_altoviz.models import MIRRORS, Mirror, Status, WebhookEvent

MAX_ENTRIES = 50
#: Collapse creations, and updates with more changes than this.
MAX_OPEN_CHANGES = 12
WENT_WRONG = (Status.FAILED, Status.DEAD)
#: The module before the name of an exception.
_MODULE = re.compile(r"^(?:\w+\.)+(?=\w+:)")


@dataclass(frozen=True)
class Change:
    """A value before and after an event: of a column, or of what has no column."""

    label: str
    old: str
    new: str


@dataclass(frozen=True)
class Entry:
    """An event. ``error`` and ``link`` are empty if the reader may not view events.

    ``is_compared`` says that ``changes`` also has what changed of lines, notes and addresses.
    """

    at: str
    label: str
    business_signals: list[str]
    changes: list[Change]
    source: str
    status: str
    error: str
    link: str
    is_wrong: bool
    is_creation: bool
    is_mirrored: bool
    is_pruned: bool
    is_compared: bool

    @property
    def is_collapsed(self) -> bool:
        return self.is_creation or len(self.changes) > MAX_OPEN_CHANGES


@dataclass(frozen=True)
class History:
    """The last events of an object, the latest first.

    ``link`` leads to all events; it is empty if the reader may not view events.
    """

    entries: list[Entry]
    link: str
    is_cut: bool


def history_of(row: Mirror, page: ReadOnly) -> History:
    """Read the history of a mirror's row in one query. Bodies are compared as far as is affordable."""
    entity = row.entity()
    events = WebhookEvent.with_pruned.filter(
        account=row.account, entity=entity, object_id=row.altoviz_id
    )
    # One more than is shown tells whether there are more.
    read = with_beginnings(events.defer("body", "history"))
    last = list(read.order_by("-pk")[: MAX_ENTRIES + 1])
    differences = differences_of(last, row, page.renderer)
    return History(
        entries=[
            _build_entry(event, differences.get(event.pk), page) for event in last[:MAX_ENTRIES]
        ],
        link=page.link_to_events(entity, row.altoviz_id, row.account),
        is_cut=len(last) > MAX_ENTRIES,
    )


def _build_entry(
    event: WebhookEvent, differences: list[Difference] | None, page: ReadOnly
) -> Entry:
    may_view = page.may_view(WebhookEvent)
    return Entry(
        at=format_time(event.received_at),
        label=event_label(event),
        business_signals=business_signal_labels(event.business_signals),
        changes=[
            *changes_of(event, page.renderer),
            *(Change(*difference) for difference in differences or ()),
        ],
        source=source_label(event),
        status=status_label(event),
        error=error_summary(event, page.renderer) if may_view else "",
        link=page.link(WebhookEvent, "change", f"#{event.pk}", event.pk) if may_view else "",
        is_wrong=event.status in WENT_WRONG,
        is_creation=event.type.endswith("Created"),
        is_mirrored=event.mirrored_at is not None,
        is_pruned=event.pruned_at is not None,
        is_compared=differences is not None,
    )


def event_label(event: WebhookEvent) -> str:
    """Return the translated type, or the type as received if this version doesn't know it."""
    return str(event.event_type.label) if event.event_type else event.type


def status_label(event: WebhookEvent) -> str:
    status = event.get_status_display()
    return gettext("%s (pruned)") % status if event.pruned_at is not None else status


def error_summary(event: WebhookEvent, renderer: Renderer) -> str:
    """Return the last line of the event's error, or nothing."""
    last_line = event.error.strip().rpartition("\n")[2]
    return str(renderer.cell(translate_note(_MODULE.sub("", last_line)))) if last_line else ""


def mirror_model(event: WebhookEvent) -> type[Mirror] | None:
    models: Mapping[str, type[Mirror]] = MIRRORS  # type: ignore[assignment]
    return models.get(event.entity)  # a newer version may have stored another one


def changes_of(event: WebhookEvent, renderer: Renderer) -> list[Change]:
    """Return the columns that the event changed in the mirror.

    A column that the model no longer has is shown as it was stored.
    """
    model = mirror_model(event)
    fields = {} if model is None else {f.attname: f for f in model._meta.concrete_fields}
    changes = []
    for name, (old, new) in event.changes.items():
        label, values = name, (old, new)
        if (field := fields.get(name)) is not None:
            label = str(field.verbose_name)
            values = (format_value(field, old), format_value(field, new))
        cells = [EMPTY if value is None else str(renderer.cell(value)) for value in values]
        changes.append(Change(label, *cells))
    return changes
