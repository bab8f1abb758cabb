"""The logger ``django_altoviz``, whose records name the event that they are about.

A formatter or a filter can use these attributes.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter

#: The attributes of each record. They are ``None`` if the record is not about an event.
FIELDS = ("event_id", "event_type", "object_id", "account")


class Log(_Adapter):
    """An adapter of the logger that adds ``FIELDS`` to each record.

    Whatever a text contains, it stays in the line of its record: nobody can forge another record, or
    send control sequences to a terminal.
    """

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        super().log(level, msg, *(on_one_line(each) for each in args), **kwargs)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        about = {name: on_one_line(value) for name, value in (self.extra or {}).items()}
        kwargs["extra"] = {**dict.fromkeys(FIELDS), **about}
        return msg, kwargs


def on_one_line(value: Any) -> Any:
    """Return a text or an exception as one line. Escape control characters. Leave numbers alone."""
    if not isinstance(value, (str, BaseException)):
        return value
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class TracebackOnItsLines(logging.Filter):
    """Indent and escape tracebacks: the text of an exception can't look like another record."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and not record.exc_text:
            lines = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n").split("\n")
            record.exc_text = "\n".join(f"  {on_one_line(line)}" for line in lines)
        return True


logging.getLogger("django_altoviz").addFilter(TracebackOnItsLines())


def log_about(**about: Any) -> Log:
    """Return a log whose records have these values of ``FIELDS``."""
    return Log(logging.getLogger("django_altoviz"), about)
