"""The values of the mirrors' columns for human eyes, the same on a page as among the changes."""

from __future__ import annotations

import datetime
import html
import re
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.formats import date_format, number_format
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext

from django_altoviz.admin.display.rendering import EMPTY
from django_altoviz.admin.display.vocabulary import in_words
from django_altoviz.models.mirrors.payloads import plain

_MONEY = ("amount", "price", "balance", "overdue")
_HTML = re.compile(r"</?[a-z][^<>]*>|&#?\w+;", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
_END_OF_LINE = re.compile(r"<br\s*/?>|</(?:p|div|li|tr|h\d)>", re.IGNORECASE)


def shown(field: models.Field[Any, Any], value: Any) -> str:
    """A value of the column, be it as stored in the mirror or as kept among the changes."""
    try:
        value = field.to_python(value)
    except ValidationError:
        return str(value)  # the column was of another kind then
    if value is None or value == "":
        return EMPTY
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, datetime.datetime):
        return moment(value)
    if isinstance(value, datetime.date):
        return date_format(value)
    if isinstance(value, Decimal):
        return _number(field.name, value)
    return in_words(field.name, value) if isinstance(value, str) else str(value)


def _number(column: str, value: Decimal) -> str:
    if column.endswith(_MONEY):
        return money(value)
    return percent(value) if column.endswith("_rate") else number_format(value)


def money(value: Decimal) -> str:
    """All decimals, and at least two."""
    return number_format(value, max(2, -int(value.as_tuple().exponent)))


def percent(value: Decimal) -> str:
    return f"{number_format(plain(value))}\N{NO-BREAK SPACE}%"


def reduction(value: Decimal | None, kind: str | None) -> str:
    """A discount or a deposit, which is a part or an amount."""
    if value is None:
        return EMPTY
    if kind == "Percent":
        return percent(value)
    if kind == "Fixed":
        return gettext("%(amount)s (fixed amount)") % {"amount": money(value)}
    return f"{number_format(value)} {kind or ''}".strip()


def moment(value: datetime.datetime) -> str:
    """A time to the second: events of one object may be no more apart."""
    local = localtime(value) if is_aware(value) else value
    return f"{date_format(local)} {date_format(local, 'H:i:s')}"


def readable(text: str) -> str:
    """A text that may be HTML, as plain text."""
    if not _HTML.search(text):
        return text
    return html.unescape(_TAG.sub("", _END_OF_LINE.sub("\n", text))).strip()


def column(model: type[models.Model], name: str) -> Any:
    """An admin column that shows a field as ``shown`` does."""
    field: Any = model._meta.get_field(name)

    @admin.display(description=field.verbose_name, ordering=name)
    def show(row: models.Model) -> str:
        return shown(field, getattr(row, name))

    show.__name__ = name
    return show
