"""The app's log. Each record says which event it is about, for a formatter or a filter to use."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter

#: What each record has as attributes: ``None`` where it is not about an event.
FIELDS = ("event_id", "event_type", "object_id", "account")


class Log(_Adapter):
    """The logger ``django_altoviz``, for records about one thing."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**dict.fromkeys(FIELDS), **(self.extra or {})}
        return msg, kwargs


def log_about(**about: Any) -> Log:
    """The log for records about that: some of ``FIELDS`` with their values."""
    return Log(logging.getLogger("django_altoviz"), about)
