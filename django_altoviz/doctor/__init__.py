"""The doctor: find out why the integration does not work, and say cause and cure in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext_lazy as _

from django_altoviz.doctor.altoviz import examine_altoviz
from django_altoviz.doctor.captures import examine_capture
from django_altoviz.doctor.configuration import examine_settings
from django_altoviz.doctor.delivery import examine_delivery
from django_altoviz.doctor.events import examine_events
from django_altoviz.doctor.findings import (
    Examination,
    Finding,
    FindingState,
    Visit,
    findings_of,
    without_secrets,
)
from django_altoviz.doctor.listeners import examine_receivers
from django_altoviz.doctor.storage import examine_database
from django_altoviz.doctor.workers import examine_workers

__all__ = ["SUBJECTS", "Finding", "FindingState", "Visit", "examine"]

#: The examinations, in the order in which one trouble causes another.
SUBJECTS: dict[str, tuple[Any, Examination]] = {
    "settings": (_("Settings"), examine_settings),
    "database": (_("Database"), examine_database),
    "webhook": (_("Webhook"), examine_delivery),
    "capture": (_("Captured delivery"), examine_capture),
    "altoviz": (_("Altoviz"), examine_altoviz),
    "workers": (_("Workers"), examine_workers),
    "receivers": (_("Receivers"), examine_receivers),
    "events": (_("Events"), examine_events),
}


def examine(visit: Visit) -> Iterator[tuple[str, Finding]]:
    """Yield each finding after the key of its subject, without any secret."""
    for subject, (_title, examination) in SUBJECTS.items():
        for finding in findings_of(subject, examination, visit):
            yield subject, without_secrets(finding)
