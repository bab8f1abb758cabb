"""The objects that events are about, by the names that people know them by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from django_altoviz.admin.base import LightChangeList, ReadOnly
from django_altoviz.admin.history import mirror_model
from django_altoviz.models import MIRRORS, Document, Mirror, WebhookEvent
from django_altoviz.models.mirrors.relations import key_of

#: The rows of the mirror, by key and model.
MirroredObjects: TypeAlias = dict[str, dict[type[Mirror], Mirror]]
_NUMBERED: list[Any] = [model for model in MIRRORS.values() if hasattr(model, "number")]
_MAX_FOUND = 50


def objects_of(events: Iterable[WebhookEvent], page: ReadOnly) -> MirroredObjects:
    """Return the objects of the events that the reader may view, with one query per kind."""
    keys: dict[type[Mirror], set[str]] = {}
    for event in events:
        model = mirror_model(event)
        if model is not None and event.object_id is not None and page.may_view(model):
            keys.setdefault(model, set()).add(key_of(event.account, event.object_id))
    found: MirroredObjects = {}
    for model, wanted in keys.items():
        for row in model.with_deleted.filter(key__in=wanted).defer("data"):
            found.setdefault(row.key, {})[model] = row
    return found


def named(row: Mirror) -> str:
    """Return the number or name of an object, and of a document its customer, too."""
    customer = row.customer_name if isinstance(row, Document) else None
    return f"{row} · {customer}" if customer else str(row)


def ids_by_number(number: str, page: ReadOnly) -> dict[str, list[int]]:
    """Return the ids of the objects that have this number and that the reader may view, by entity."""
    found: dict[str, list[int]] = {}
    for model in _NUMBERED:
        if page.may_view(model):
            rows = model.with_deleted.filter(number=number)
            found[model.entity()] = [*rows.values_list("altoviz_id", flat=True)[:_MAX_FOUND]]
    return {entity: ids for entity, ids in found.items() if ids}


class EventList(LightChangeList):
    """Change list that knows the objects of its events."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        page: Any = self.model_admin
        page.objects = objects_of(self.result_list, page)

    @property
    def restrictions(self) -> list[tuple[str, Any]]:
        found = super().restrictions
        if not ({"entity__exact", "object_id"} <= {*self.others} and self.result_list):
            return found
        page: Any = self.model_admin
        named_object = capfirst(_("object")), page.linked_object(self.result_list[0])
        kept = [each for name, each in zip(self.others, found, strict=True) if name != "object_id"]
        return [named_object, *kept]
