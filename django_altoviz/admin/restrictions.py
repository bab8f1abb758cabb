"""The look-ups that a link to a list filters by, and that no filter beside the list shows."""

from __future__ import annotations

from typing import Any

from django.utils.text import capfirst

from django_altoviz.admin.display.rendering import EMPTY
from django_altoviz.admin.display.values import format_value

_SIGNS = {"gt": ">", "gte": "≥", "lt": "<", "lte": "≤"}


def restriction(model: Any, lookup: str, value: str, page: Any) -> tuple[str, Any]:
    """Return the label and the value of a look-up in the model, for people.

    An object is named and linked if the reader of the page may view it.
    """
    name, *rest = lookup.split("__")
    field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    if not field.concrete:
        return name, value
    label = str(capfirst(field.verbose_name))
    if rest == ["isnull"]:
        return label, EMPTY if value.lower() in {"1", "true"} else f"≠ {EMPTY}"
    is_equal = rest in ([], ["exact"])
    if is_equal and field.is_relation:
        return label, _related_object(field, value, page)
    shown = dict(field.flatchoices).get(value) or page.renderer.cell(format_value(field, value))
    return " ".join(
        [label, *(() if is_equal else (_SIGNS.get(each, each) for each in rest))]
    ), shown


def _related_object(field: Any, value: str, page: Any) -> Any:
    model = field.related_model
    column = field.target_field.name
    row = page.may_view(model) and model._base_manager.filter(**{column: value}).first()
    return page.link_to_object(model, row.key, page.renderer.cell(row)) if row else value
