"""Process the event at once, before the sender is answered."""

from __future__ import annotations

from django_altoviz.models import WebhookEvent
from django_altoviz.processing import process


def dispatch(event: WebhookEvent) -> None:
    process(event)
