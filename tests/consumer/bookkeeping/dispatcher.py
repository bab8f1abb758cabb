"""A dispatcher of one's own, as the reference has it, on a queue that is a list."""

from __future__ import annotations

from typing_extensions import assert_type

from django_altoviz.dispatchers import queued
from django_altoviz.models import WebhookEvent
from django_altoviz.processing import Replay, process, process_again, requeue

waiting: list[int] = []


def dispatch(event: WebhookEvent) -> None:
    queued.enqueue_after_commit(event, waiting.append)


def work() -> None:
    """Do what the workers of the queue do, until it is empty."""
    while waiting:
        queued.process_event(waiting.pop(0), waiting.append)
    assert_type(queued.process_due(limit=100), int)


def repair(event: WebhookEvent) -> str:
    outcome = process_again(event, from_scratch=True)
    assert_type(outcome, Replay)
    if outcome.is_refusal:
        outcome = requeue(event)
        dispatch(event)
    assert_type(process(event), list[WebhookEvent])
    return str(outcome.label)
