"""Differences between the bodies of two events: what has no column, as lines, notes and addresses."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypeAlias

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_altoviz.admin.display.details import ADDRESSES, NOTES, VAT_NOTE, TextDetail
from django_altoviz.admin.display.rendering import EMPTY, MAX_CELL_CHARACTERS, Renderer
from django_altoviz.admin.display.values import format_value, html_to_text, labelled
from django_altoviz.exceptions import InvalidPayload
from django_altoviz.models import InvoiceLine
from django_altoviz.models.mirrors.lines import Line

#: The differences of an event that are shown.
MAX_DIFFERENCES = 100
#: A label, and the texts before and after.
Difference: TypeAlias = tuple[str, str, str]
_TEXTS: list[TextDetail] = [*ADDRESSES, *NOTES, VAT_NOTE]
#: The columns of a line that people read, and that sum it up.
_COLUMNS = (
    "description",
    "quantity",
    "unit_code",
    "tax_excluded_price",
    "discount_value",
    "vat_rate",
    "tax_excluded_amount",
    "tax_included_amount",
)
_SUMMARY = ("description", "quantity", "tax_included_amount")
# How much of an unchanged beginning is shown of a long text.
_CONTEXT = 40


def differences_between(old: Any, new: Any, renderer: Renderer) -> list[Difference]:
    """Return what differs between two objects as Altoviz sent them, apart from columns."""
    found = [*_differing_texts(old, new), *_differing_lines(old, new)]
    shown = [
        (label, *_excerpts(before, after, renderer))
        for label, before, after in found[:MAX_DIFFERENCES]
    ]
    if (rest := len(found) - MAX_DIFFERENCES) > 0:
        text = ngettext("… and %(count)d more change", "… and %(count)d more changes", rest)
        shown.append((text % {"count": rest}, EMPTY, EMPTY))
    return shown


def _differing_texts(old: Any, new: Any) -> Iterator[Difference]:
    for detail in _TEXTS:
        before, after = detail.text(old), detail.text(new)
        if before != after:
            yield str(detail.label), before, after


def _differing_lines(old: Any, new: Any) -> Iterator[Difference]:
    if _raw_lines(old) == _raw_lines(new):
        return
    before, after = _lines_of(old), _lines_of(new)
    for key in [*before, *(key for key in after if key not in before)]:
        was, now = before.get(key), after.get(key)
        name = _("Line %(number)s") % {"number": (now or was).position + 1}  # type: ignore[union-attr]
        if was is None or now is None:
            yield name, _line_summary(was), _line_summary(now)
            continue
        for column in _COLUMNS:
            texts = _value_of(was, column), _value_of(now, column)
            if texts[0] != texts[1]:
                yield labelled(name, _line_field(column).verbose_name), *texts


def _line_field(column: str) -> Any:
    return Line._meta.get_field(column)


def _lines_of(data: Any) -> dict[Any, Line]:
    """Return the lines by id, or by position if they have none. One that can't be read is left out."""
    lines: dict[Any, Line] = {}
    for position, each in enumerate(_raw_lines(data)):
        try:
            line = InvoiceLine(position=position, **InvoiceLine.columns_from(each))
        except (AttributeError, InvalidPayload):
            continue
        key = line.altoviz_id or ("position", position)
        lines[key if key not in lines else (key, position)] = line
    return lines


def _value_of(line: Line, column: str) -> str:
    value = getattr(line, column)
    if isinstance(value, Decimal):
        return format_value(_line_field(column), value)
    return html_to_text(value) if value else EMPTY


def _raw_lines(data: Any) -> list[Any]:
    lines = data.get("lines") if isinstance(data, dict) else None
    return lines if isinstance(lines, list) else []


def _line_summary(line: Line | None) -> str:
    if line is None:
        return EMPTY
    values = [_value_of(line, column) for column in _SUMMARY]
    return " · ".join(value for value in values if value != EMPTY) or EMPTY


def _excerpts(old: str, new: str, renderer: Renderer) -> tuple[str, str]:
    """Return two texts from a little before their first difference, if they are long."""
    old, new = renderer.mask(old), renderer.mask(new)
    start = 0
    if max(len(old), len(new)) > MAX_CELL_CHARACTERS:
        pairs = enumerate(zip(old, new, strict=False))
        same = next((index for index, (a, b) in pairs if a != b), min(len(old), len(new)))
        start = max(same - _CONTEXT, 0)
    texts = (f"… {text[start:]}" if start else text for text in (old, new))
    before, after = (str(renderer.cell(text)) for text in texts)
    return before, after
