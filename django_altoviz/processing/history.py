"""The history of an event: one entry for each attempt, in bounded size."""

from __future__ import annotations

from django.utils import timezone

from django_altoviz.intake.envelopes import storable
from django_altoviz.models import Status, WebhookEvent
from django_altoviz.processing.failures import last_line

#: The error of an attempt whose worker did not come back.
LOST_WORKER = "The worker died, or was silent for longer than its lease."
#: How many entries are kept: of the first attempts, and of the last ones.
FIRST_ATTEMPTS, LAST_ATTEMPTS = 20, 80


def with_attempt(history: list[dict[str, str]], status: Status, error: str) -> list[dict[str, str]]:
    """Return the history with one more attempt.

    Only the first and the last ones are kept, so that an attempt costs the same after months.
    """
    line = last_line(storable(error))
    entry = {"at": timezone.now().isoformat(), "status": status.value, "error": line}
    history = [*history, entry]
    if len(history) <= FIRST_ATTEMPTS + LAST_ATTEMPTS:
        return history
    return [*history[:FIRST_ATTEMPTS], *history[-LAST_ATTEMPTS:]]


def past_attempts(event: WebhookEvent) -> list[dict[str, str]]:
    """Return the history before a new attempt, with the attempt of a worker that was lost."""
    history: list[dict[str, str]] = event.history
    if not event.has_expired_lease:
        return history
    return with_attempt(history, Status.FAILED, LOST_WORKER)


def has_lost_worker(event: WebhookEvent) -> bool:
    """Return True if the worker of the last attempt died, or was silent for longer than its lease."""
    last = event.history[-1]["error"] if event.history else ""
    return event.has_expired_lease or last == LOST_WORKER
