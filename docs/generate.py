"""Write the parts of the reference that the code knows: columns, options of commands, settings.

A part stands between two comments in a page, ``.. generated: columns Invoice`` and ``.. end``. The files
in ``docs/notes`` say what the code does not. ``make reference`` runs this script.
"""

from __future__ import annotations

import argparse
import ast
import configparser
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.conf import settings

if not settings.configured and __name__ == "__main__":
    settings.configure(INSTALLED_APPS=["django_altoviz"])
    django.setup()

from django.core.management import BaseCommand, load_command_class

from django_altoviz.conf import ACCOUNT_SETTINGS, APP_SETTINGS, Setting

DOCS = Path(__file__).parent
WIDTH = 100
PART = re.compile(r"^(\.\. generated: (\w+) (\w+)\n\n).*?^(\.\. end\n)", re.MULTILINE | re.DOTALL)


def notes_of(file: str) -> configparser.RawConfigParser:
    """Read a file of notes, with the case of its names."""
    parser = configparser.RawConfigParser(delimiters=["="], comment_prefixes=["#"])
    parser.optionxform = str
    parser.read(DOCS / "notes" / file, encoding="utf-8")
    return parser


class Notes:
    """The notes of one section of a file. A note that nothing takes is about something that is gone."""

    def __init__(self, file: str, section: str) -> None:
        parser = notes_of(file)
        self.section = section
        self._left = dict(parser[section]) if section in parser else {}

    def take(self, name: str) -> str:
        return " ".join(self._left.pop(name, "").split())

    def finish(self) -> None:
        if self._left:
            raise LookupError(f"{self.section} has no {', '.join(self._left)}.")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a simple table. The last column is as wide as the page allows, and wraps."""
    widths = [max(map(len, cells)) for cells in zip(headings, *rows, strict=True)][:-1]
    widths.append(WIDTH - sum(widths) - 2 * len(widths))
    border = "  ".join("=" * width for width in widths)
    lines = [border, _row(headings, widths), border]
    for *cells, last in rows:
        first, *rest = wrap(last, widths[-1]) or ["\\"]
        lines.append(_row([*cells, first], widths))
        lines += [" " * (WIDTH - widths[-1]) + line for line in rest]
    return "\n".join([*lines, border])


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join(padded).rstrip()


def wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def definition(term: str, text: str) -> str:
    indented = textwrap.indent("\n".join(wrap(text, WIDTH - 4)), "    ")
    return f"{term}\n{indented}"


# Columns


def columns(name: str) -> str:
    """Return the table of the columns that a model, or a base of models, declares itself."""
    model = _model(name)
    read, notes = fields_read().get(name, {}), Notes("columns.ini", name)
    inherited = {
        field.name
        for base in model.__mro__[1:]
        for field in getattr(getattr(base, "_meta", None), "local_fields", [])
    }
    rows = []
    for field in model._meta.local_fields:
        note = notes.take(field.name)
        # The page explains the primary key of all mirrors in one sentence.
        if field.name not in inherited and (note or not field.primary_key):
            rows.append(_column(field, note, read))
    notes.finish()
    return table(["Column", "Field" if read else "Kind", "Kind" if read else "Meaning"], rows)


def _column(field: Any, note: str, read: dict[str, str]) -> list[str]:
    """Return a row. ``read`` has the fields of Altoviz, and is empty for a table without any."""
    kind = kind_of(field)
    if not note and field.name not in read:
        raise LookupError(f"{field} has no note.")
    if not read:
        return [f"``{field.name}``", f"{kind} or ``None``" if field.null else kind, note]
    source = f"``{read[field.name]}``" if field.name in read else "(this app's own)"
    return [f"``{field.name}``", source, f"{kind}: {note}" if note else kind]


def _model(name: str) -> Any:
    """Return the model of this name, or the abstract model from which others inherit."""
    models = [*apps.get_app_config("django_altoviz").get_models()]
    bases = {base.__name__: base for model in models for base in model.__mro__}
    return bases[name]


def kind_of(field: Any) -> str:
    """Return the kind of a column, in the words of the page."""
    kinds = {
        "ForeignKey": "relation",
        "MirrorKey": "relation",
        "AmountField": "amount",
        "BooleanField": "true or false",
        "DateField": "date",
        "ExactDateTimeField": "time",
        "BinaryField": "bytes",
        "FloatField": "number",
        "UUIDField": "UUID",
    }
    inner = field.get_internal_type()
    if (name := type(field).__name__) in kinds:
        return kinds[name]
    if "Integer" in inner or "Auto" in inner:
        return "integer"
    if "JSON" in inner:
        return "JSON"
    if field.max_length is None:
        return "text"
    return "short text" if field.max_length == 255 else f"text, {field.max_length} characters"


def fields_read() -> dict[str, dict[str, str]]:
    """Return ``{class: {column: path of the field}}``, from the dict in each ``columns_from``."""
    read: dict[str, dict[str, str]] = {}
    for path in (DOCS.parent / "django_altoviz" / "models").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and (found := _read_in(node)):
                read[node.name] = found
    # These two columns are computed from several fields.
    read["Customer"] |= {"type": "type", "name": "name"}
    # The base has one field of Altoviz, which its note names.
    del read["Mirror"]
    return read


def _read_in(node: ast.ClassDef) -> dict[str, str]:
    return {
        ast.literal_eval(column): ".".join(path)
        for dictionary in ast.walk(node)
        if isinstance(dictionary, ast.Dict)
        for column, value in zip(dictionary.keys, dictionary.values, strict=True)
        if column is not None and (path := _path(value))
    }


def _path(value: ast.expr) -> list[str]:
    """Return the path in ``text(data, "billingAddress", "city")``, or an empty list."""
    if not isinstance(value, ast.Call) or not value.args:
        return []
    if getattr(value.args[0], "id", "") != "data":
        return []
    return [str(getattr(argument, "value", "")) for argument in value.args[1:]]


# Options of commands


def options(name: str) -> str:
    """Return the usage of a command, and the definitions of its arguments."""
    parser = load_command_class("django_altoviz", name).create_parser("manage.py", name)
    of_django = {action.dest for action in BaseCommand().create_parser("manage.py", name)._actions}
    actions = [action for action in parser._actions if action.dest not in of_django]
    actions.sort(key=lambda action: bool(action.option_strings))
    notes = Notes("options.ini", name)
    definitions = [definition(f"``{_term(action)}``", _help(action, notes)) for action in actions]
    notes.finish()
    return "\n".join([_usage(name, actions), *definitions])


def _usage(name: str, actions: Iterable[argparse.Action]) -> str:
    words = [_optional(action) for action in actions]
    indent = " " * (len(name) + 5)
    lines = textwrap.wrap(
        f"    {name} {' '.join(word.replace(' ', chr(0)) for word in words)}",
        WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "::\n\n" + "\n".join(lines).replace(chr(0), " ") + "\n"


def _optional(action: argparse.Action) -> str:
    repeated = " ..." if action.nargs == "*" or isinstance(action, argparse._AppendAction) else ""
    term = _term(action) + repeated
    return f"[{term}]" if action.option_strings or action.nargs == "*" else term


def _term(action: argparse.Action) -> str:
    """Return an argument as it is typed: ``--account NAME``."""
    if action.nargs == 0:
        return action.option_strings[-1]
    value = action.metavar or action.dest.upper()
    if action.choices and not action.metavar:
        value = "{" + ",".join(map(str, action.choices)) + "}"
    if action.nargs == "?":
        value = f"[{value}]"
    return f"{action.option_strings[-1]} {value}" if action.option_strings else str(value)


def _help(action: argparse.Action, notes: Notes) -> str:
    term = action.option_strings[-1] if action.option_strings else action.dest
    text = (action.help or "").replace("%(default)s", str(action.default))
    text = re.sub(r"(?<!\S)(--[a-z-]+)", r"``\1``", text)
    has_default = isinstance(action.default, (str, int, float)) and action.default is not False
    if has_default and action.default != argparse.SUPPRESS and "default" not in text.lower():
        text += f" Default: ``{action.default}``."
    text = f"{text} {notes.take(term)}".strip()
    if not text:
        raise LookupError(f"{term} has no help.")
    return text


# Settings


def settings_of(owner: str) -> str:
    """Return the definitions of the settings of an account, or of the whole app."""
    notes = Notes("settings.ini", owner)
    declared = ACCOUNT_SETTINGS if owner == "account" else APP_SETTINGS
    definitions = [
        definition(f"``{name}``", f"{_kind_and_default(setting)} {notes.take(name)}")
        for name, setting in declared.items()
    ]
    notes.finish()
    return "\n".join(definitions)


def _kind_and_default(setting: Setting[Any]) -> str:
    kind, default = setting.expected, setting.default
    shown = "none" if default in ("", ()) else f"``{default!r}``".replace("'", '"')
    return f"{kind[0].upper()}{kind[1:]}. Default: {shown}."


# Pages

PARTS: dict[str, Callable[[str], str]] = {
    "columns": columns,
    "options": options,
    "settings": settings_of,
}


def generated(page: str) -> str:
    """Return the page with all its generated parts as the code is now."""
    return PART.sub(lambda part: f"{part[1]}{PARTS[part[2]](part[3])}\n\n{part[4]}", page)


def pages() -> list[Path]:
    """Return the pages that have generated parts."""
    found = sorted((DOCS / "reference").glob("*.rst"))
    return [path for path in found if PART.search(path.read_text(encoding="utf-8"))]


def main() -> None:
    for path in pages():
        path.write_text(generated(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
