"""Leave events to the ``altoviz_process_events`` command."""

from __future__ import annotations

from django_altoviz.models import WebhookEvent


def dispatch(event: WebhookEvent) -> None:
    """Do nothing. The command finds the stored event."""
