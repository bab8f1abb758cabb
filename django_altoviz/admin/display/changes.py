"""An event in words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.translation import gettext

from django_altoviz.admin.display.rendering import EMPTY, cell
from django_altoviz.admin.display.values import shown
from django_altoviz.event_types import Entity
from django_altoviz.models import MIRRORS, Mirror, WebhookEvent

# Of an exception, before its name.
_MODULE = re.compile(r"^(?:\w+\.)+(?=\w+:)")


@dataclass(frozen=True)
class Change:
    """What a column showed before an event, and after it."""

    label: str
    old: str
    new: str


def kind(event: WebhookEvent) -> str:
    """What has happened, as far as it is known."""
    return str(event.event_type.label) if event.event_type else event.type


def state(event: WebhookEvent) -> str:
    """What became of it."""
    status = event.get_status_display()
    return gettext("%s (pruned)") % status if event.pruned_at is not None else status


def reason(event: WebhookEvent) -> str:
    """The error in one line, or nothing."""
    last_line = event.error.strip().rpartition("\n")[2]
    return str(cell(_MODULE.sub("", last_line))) if last_line else ""


def mirror_of(event: WebhookEvent) -> type[Mirror] | None:
    return MIRRORS[Entity(event.entity)] if event.entity else None


def changes_of(event: WebhookEvent) -> list[Change]:
    """What it changed in the mirror. A column that the model has no more is told as it was kept."""
    model = mirror_of(event)
    fields = (
        {} if model is None else {field.attname: field for field in model._meta.concrete_fields}
    )
    return [
        _change(fields[name].verbose_name, shown(fields[name], old), shown(fields[name], new))
        if name in fields
        else _change(name, old, new)
        for name, (old, new) in event.changes.items()
    ]


def _change(label: object, old: object, new: object) -> Change:
    return Change(
        str(label), *(EMPTY if value is None else str(cell(value)) for value in (old, new))
    )
