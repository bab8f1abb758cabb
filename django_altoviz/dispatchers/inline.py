"""Process the event immediately, before the view answers the sender."""

from __future__ import annotations

from django_altoviz.models import WebhookEvent
from django_altoviz.processing import process


def dispatch(event: WebhookEvent) -> None:
    process(event)
