"""The system checks of the receivers that a project has connected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Info, Warning
from django.utils.translation import gettext as _

from django_altoviz.models import MIRRORS, Document
from django_altoviz.signals import (
    BY_BUSINESS_SIGNAL,
    BY_EVENT_TYPE,
    event_failed,
    event_processed,
    event_received,
)
from django_altoviz.signals.event_signal import EventSignal

_NOTIFICATIONS = (event_received, event_processed, event_failed)


def check_receivers(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Find the receivers that are never called, or called wrongly, because of how they are connected."""
    return [*_check_senders(), *_check_ambiguous()]


def check_connected(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Find out if there are any receivers. Before it is deployed, a project may have none yet."""
    signals = (*BY_EVENT_TYPE.values(), *BY_BUSINESS_SIGNAL.values(), *_NOTIFICATIONS)
    if any(signal.receivers for signal in signals):
        return []
    return [
        Info(
            _("No receiver is connected to any signal of django-altoviz."),
            hint=_(
                "Import the module with your receivers in the ready() of an AppConfig. If the project "
                "only reads the mirror, silence this message."
            ),
            id="django_altoviz.I001",
        )
    ]


def _check_senders() -> Iterator[CheckMessage]:
    for signal, sender in _signals_with_senders():
        for name in signal.names_never_called(sender):
            yield Warning(
                _("The receiver “%(name)s” of %(signal)s is never called, because of its sender.")
                % {"signal": signal.name, "name": name},
                hint=_("Connect it with sender=%(sender)s, the class itself, or without a sender.")
                % {"sender": sender.__name__},
                id="django_altoviz.W019",
            )


def _check_ambiguous() -> Iterator[CheckMessage]:
    """Find the receivers that can't be told apart, so that "exactly once" could not be kept."""
    for signal, sender in _signals_with_senders():
        for name in signal.ambiguous_names(sender):
            yield Warning(
                _("Several receivers of %(signal)s have the name “%(name)s”.")
                % {"signal": signal.name, "name": name},
                hint=_(
                    "Connect each with a dispatch_uid of its own. Otherwise one may be called twice "
                    "and another never, if their order changes while events wait."
                ),
                id="django_altoviz.W013",
            )


def _signals_with_senders() -> Iterator[tuple[EventSignal, type]]:
    for event_type, signal in BY_EVENT_TYPE.items():
        yield signal, MIRRORS[event_type.entity]
    for model in MIRRORS.values():
        if issubclass(model, Document):
            for name in model.BUSINESS_SIGNALS:
                yield BY_BUSINESS_SIGNAL[name], model
