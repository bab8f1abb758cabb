"""Leave the event to ``altoviz_process_events``."""

from __future__ import annotations

from django_altoviz.models import WebhookEvent


def dispatch(event: WebhookEvent) -> None:
    """Do nothing: the stored event is found by the command."""
