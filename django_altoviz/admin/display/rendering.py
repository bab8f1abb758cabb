"""Values as HTML. They come from a remote system, so all of them are escaped, and long ones are cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.admin.utils import display_for_value
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_altoviz import exact_json
from django_altoviz.admin.display.masking import masked
from django_altoviz.intake.envelopes import storable, text_to_body

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
    text = masked(text)
    rest = len(text) - MOST_CHARACTERS
    note = gettext("… and %(count)s more characters.") % {"count": rest} if rest > 0 else ""
    return format_html('<pre class="altoviz-text">{}</pre>{}', text[:MOST_CHARACTERS], note)


def paragraphs(text: str) -> str:
    """A text with its line breaks."""
    return format_html('<div class="altoviz-text">{}</div>', masked(text)[:MOST_CHARACTERS])


def table(headers: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    lines = [(_cells("<td>{}</td>", map(cell, row)),) for row in rows]
    if not lines:
        return EMPTY
    return format_html(
        '<table class="altoviz-table"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
        _cells('<th scope="col">{}</th>', headers),
        format_html_join("", "<tr>{}</tr>", lines),
    )


def _cells(template: str, values: Iterable[Any]) -> SafeString:
    return format_html_join("", template, ((value,) for value in values))


def cell(value: Any) -> Any:
    """A value as it fits into a table."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return Truncator(masked(str(display_for_value(value, EMPTY)))).chars(MOST_CHARACTERS_OF_A_CELL)
