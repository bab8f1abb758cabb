"""The logger ``django_altoviz``, whose records name the event that they are about.

A formatter or a filter can use these attributes.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter

#: The attributes of each record. They are ``None`` if the record is not about an event.
FIELDS = ("event_id", "event_type", "object_id", "account")


class Log(_Adapter):
    """An adapter of the logger that adds ``FIELDS`` to each record."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**dict.fromkeys(FIELDS), **(self.extra or {})}
        return msg, kwargs


def log_about(**about: Any) -> Log:
    """Return a log whose records have these values of ``FIELDS``."""
    return Log(logging.getLogger("django_altoviz"), about)
