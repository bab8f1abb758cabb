"""The receivers: who is connected, and can they be told apart."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from django_altoviz import checks
from django_altoviz.doctor.configuration import findings_of_checks
from django_altoviz.doctor.findings import Finding, Visit, well
from django_altoviz.models import MIRRORS, Document
from django_altoviz.signals import BY_BUSINESS_SIGNAL, BY_EVENT_TYPE

_MOST_NAMES = 10


def examine_receivers(visit: Visit) -> Iterator[Finding]:
    """Yield what the checks say, and who is connected: a missing name was never imported."""
    yield from findings_of_checks([checks.check_receivers], [checks.check_connected])
    for signal, names in _connected_names():
        shown = ", ".join(names[:_MOST_NAMES])
        yield well(signal, _("Receivers: %(names)s") % {"names": shown})


def _connected_names() -> Iterator[tuple[str, list[str]]]:
    senders = {signal: MIRRORS[event_type.entity] for event_type, signal in BY_EVENT_TYPE.items()}
    for model in MIRRORS.values():
        if issubclass(model, Document):
            senders |= {BY_BUSINESS_SIGNAL[name]: model for name in model.BUSINESS_SIGNALS}
    for signal, sender in senders.items():
        if names := [name for name, _receiver in signal.named_receivers(sender)]:
            yield signal.name, names
