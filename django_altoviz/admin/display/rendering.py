"""HTML for remote values: escaped, cut to a length a browser can show, and without our secrets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.admin.utils import display_for_value
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_altoviz import exact_json
from django_altoviz.intake.envelopes import storable
from django_altoviz.masking import SecretMask

EMPTY = "—"
#: A browser shows this much without delay.
MAX_CHARACTERS = 100_000
MAX_CELL_CHARACTERS = 500


def badge(label: Any, *, is_wrong: bool = False, is_good: bool = False) -> str:
    """Return a state as a coloured label. The colour says nothing that the text does not say."""
    tone = "altoviz-wrong" if is_wrong else "altoviz-good" if is_good else ""
    return format_html('<span class="altoviz-badge {}">{}</span>', tone, label)


class Renderer:
    """Turn values into HTML. Make one for each request, because its mask reads the secrets once."""

    def __init__(self) -> None:
        self.mask = SecretMask()

    def preformatted(self, text: str) -> str:
        """Return a text with its spaces and line breaks. If it is cut, a note says so."""
        if not text:
            return EMPTY
        text = self.mask(text)
        rest = len(text) - MAX_CHARACTERS
        note = more_characters(rest) if rest > 0 else ""
        return format_html('<pre class="altoviz-text">{}</pre>{}', text[:MAX_CHARACTERS], note)

    def paragraphs(self, text: str) -> str:
        """Return a text with its line breaks."""
        return format_html('<div class="altoviz-text">{}</div>', self.mask(text)[:MAX_CHARACTERS])

    def table(self, headers: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
        """Return a table, or ``EMPTY`` if it has no rows.

        It is in a region with a name that keys reach, because it scrolls if it is too wide.
        """
        lines = [(_cells("<td>{}</td>", map(self.cell, row)),) for row in rows]
        if not lines:
            return EMPTY
        return format_html(
            '<div class="altoviz-scroll" tabindex="0" role="region" aria-label="{}">'
            '<table class="altoviz-table"><thead><tr>{}</tr></thead>'
            "<tbody>{}</tbody></table></div>",
            ", ".join(map(str, headers)),
            _cells('<th scope="col">{}</th>', headers),
            format_html_join("", "<tr>{}</tr>", lines),
        )

    def shown(self, value: Any) -> Any:
        """Return what a column shows: HTML as it is, and anything else as a cell."""
        return value if isinstance(value, SafeString) else self.cell(value)

    def cell(self, value: Any) -> Any:
        """Return a value as a text that fits into a table cell."""
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        # Masked before it is cut, or the cut could leave a part of a secret.
        text = self.mask(str(display_for_value(value, EMPTY)))
        # Truncator looks at each character, and a page has thousands of cells.
        is_short = len(text) <= MAX_CELL_CHARACTERS
        return text if is_short else Truncator(text).chars(MAX_CELL_CHARACTERS)


def more_characters(count: int) -> str:
    """Return the note on what was cut."""
    text = ngettext("… and %(count)s more character.", "… and %(count)s more characters.", count)
    return text % {"count": count}


def _cells(template: str, values: Iterable[Any]) -> SafeString:
    return format_html_join("", template, ((value,) for value in values))


def indented(value: Any) -> str:
    """Return a value as indented JSON."""
    try:
        return storable(exact_json.dumps(value, indent=2, ensure_ascii=False))
    except RecursionError:
        return gettext("Too deeply nested to be shown.")
