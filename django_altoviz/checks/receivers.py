"""The system check of the receivers that a project has connected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Warning
from django.utils.translation import gettext as _

from django_altoviz.models import MIRRORS, Document
from django_altoviz.signals import BY_BUSINESS_SIGNAL, BY_EVENT_TYPE
from django_altoviz.signals.event_signal import EventSignal


def check_receivers(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Find the receivers that can't be told apart, so that "exactly once" could not be kept."""
    return [
        Warning(
            _("Several receivers of %(signal)s have the name “%(name)s”.")
            % {"signal": signal.name, "name": name},
            hint=_(
                "Connect each with a dispatch_uid of its own. Otherwise one may be called twice and "
                "another never, if their order changes while events wait."
            ),
            id="django_altoviz.W013",
        )
        for signal, sender in _signals_with_senders()
        for name in signal.ambiguous_names(sender)
    ]


def _signals_with_senders() -> Iterator[tuple[EventSignal, type]]:
    for event_type, signal in BY_EVENT_TYPE.items():
        yield signal, MIRRORS[event_type.entity]
    for model in MIRRORS.values():
        if issubclass(model, Document):
            for name in model.BUSINESS_SIGNALS:
                yield BY_BUSINESS_SIGNAL[name], model
