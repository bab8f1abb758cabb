"""Values as HTML. They come from a remote system, so all of them are escaped, and long ones are cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import display_for_value
from django.db import models
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_altoviz import exact_json
from django_altoviz.envelopes import storable, text_to_body

EMPTY = "—"
#: As much as a browser shows without delay.
MOST_CHARACTERS = 100_000
MOST_CHARACTERS_OF_A_CELL = 500


def indented(value: Any) -> str:
    """A value as JSON for human eyes."""
    try:
        return storable(exact_json.dumps(value, indent=2, ensure_ascii=False))
    except RecursionError:
        return gettext("This is nested too deep to be shown.")


def indented_body(stored: str) -> str:
    """A stored body as JSON for human eyes, or as it is where it is none."""
    body = text_to_body(stored)
    try:
        return indented(exact_json.loads(body.decode("utf-8-sig")))
    except ValueError:
        return body.decode("utf-8", "backslashreplace")


def preformatted(text: str) -> str:
    if not text:
        return EMPTY
    rest = len(text) - MOST_CHARACTERS
    note = gettext("… and %(count)s more characters.") % {"count": rest} if rest > 0 else ""
    return format_html(
        '<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{}</pre>{}',
        text[:MOST_CHARACTERS],
        note,
    )


def table(headers: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    lines = [(_cells("<td>{}</td>", map(_cell, row)),) for row in rows]
    if not lines:
        return EMPTY
    return format_html(
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>",
        _cells('<th scope="col">{}</th>', headers),
        format_html_join("", "<tr>{}</tr>", lines),
    )


def _cells(template: str, values: Iterable[Any]) -> SafeString:
    return format_html_join("", template, ((value,) for value in values))


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return Truncator(display_for_value(value, EMPTY)).chars(MOST_CHARACTERS_OF_A_CELL)


def amount(model: type[models.Model], name: str) -> Any:
    """An admin column for an amount of money: all its decimals, and at least two."""
    field: Any = model._meta.get_field(name)

    @admin.display(description=field.verbose_name, ordering=name)
    def column(row: models.Model) -> str:
        value: Decimal | None = getattr(row, name)
        if value is None:
            return EMPTY
        return number_format(value, max(2, -int(value.as_tuple().exponent)))

    column.__name__ = name
    return column
