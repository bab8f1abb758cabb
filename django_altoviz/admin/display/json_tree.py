"""JSON as it was received, in a tree that folds without JavaScript."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_altoviz import exact_json
from django_altoviz.admin.display.rendering import MAX_CHARACTERS, Renderer, more_characters
from django_altoviz.intake.envelopes import storable, text_to_body

#: A browser folds and unfolds this many values without delay.
MAX_VALUES = 3000
MAX_SHOWN_DEPTH = 40
#: The envelope and the object in it are unfolded.
_OPEN_DEPTH = 2


class _Number(str):
    """A number as it was written."""


class _Members(list[tuple[str, Any]]):
    """The members of an object, in their order, with names that occur twice."""


_received = json.JSONDecoder(
    parse_int=_Number,
    parse_float=_Number,
    parse_constant=exact_json.refuse_constant,
    object_pairs_hook=_Members,
)


def folding_body(stored: str, renderer: Renderer) -> str:
    """Return a stored body as a tree, or as text if it isn't JSON."""
    body = text_to_body(stored)
    try:
        value = _received.decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return renderer.preformatted(body.decode("utf-8", "backslashreplace"))
    parts = _Tree(renderer).parts("", value, "", 0)
    html = mark_safe("".join(parts))  # nosec B308 B703  # each part is escaped
    return format_html('<div class="altoviz-json">{}</div>', html)


class _Tree:
    """A tree under construction, with what may still be added to it."""

    def __init__(self, renderer: Renderer) -> None:
        self._mask = renderer.mask
        self._values, self._characters = MAX_VALUES, MAX_CHARACTERS

    def parts(self, name: str, value: Any, end: str, depth: int) -> Iterator[str]:
        """Yield the HTML of a value, with its name before it and a comma or nothing as its end."""
        self._values -= 1
        if not isinstance(value, list) or not value:
            yield format_html("<div>{}{}{}</div>", name, self._scalar(value), end)
            return
        opening, closing = "{}" if isinstance(value, _Members) else "[]"
        kind = "altoviz-object" if isinstance(value, _Members) else "altoviz-list"
        unfolded = mark_safe(" open") if depth < _OPEN_DEPTH else ""  # nosec B308  # a constant
        yield format_html(
            '<details class="{}"{}><summary>{}{}</summary><div>', kind, unfolded, name, opening
        )
        if depth < MAX_SHOWN_DEPTH:
            yield from self._items(value, depth)
        else:
            yield format_html("<div>{}</div>", _("… Too deeply nested to be shown."))
        yield format_html("</div>{}{}</details>", closing, end)

    def _items(self, items: list[Any], depth: int) -> Iterator[str]:
        is_object = isinstance(items, _Members)
        for index, item in enumerate(items):
            if self._values <= 0 or self._characters <= 0:
                yield format_html("<div>{}</div>", _more_values(len(items) - index))
                return
            name, value = item if is_object else ("", item)
            label = self._label(name) if is_object else ""
            yield from self.parts(label, value, "," if index + 1 < len(items) else "", depth + 1)

    def _label(self, name: str) -> str:
        return format_html('<span class="altoviz-key">{}</span>: ', self._cut(_quoted(name)))

    def _scalar(self, value: Any) -> str:
        if isinstance(value, _Number):
            return self._cut(value)
        if isinstance(value, str):
            return self._cut(_quoted(value))
        return "{}" if isinstance(value, _Members) else json.dumps(value)

    def _cut(self, text: str) -> str:
        """Return the text without secrets, and as much of it as a page may still take."""
        text = self._mask(text)
        shown = text[: max(self._characters, 0)]
        self._characters -= len(text)
        if rest := len(text) - len(shown):
            shown += more_characters(rest)
        return shown


def _quoted(text: str) -> str:
    return storable(exact_json.dumps(text))


def _more_values(count: int) -> str:
    text = ngettext("… and %(count)s more value.", "… and %(count)s more values.", count)
    return text % {"count": count}
