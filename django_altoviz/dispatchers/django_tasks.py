"""Enqueue events with Django Tasks, on the backend ``TASKS["default"]``.

Before Django 6.0, Django Tasks is the package ``django-tasks``. The extra ``django-altoviz[tasks]``
installs it, and its database backend ``django-tasks-db``.
"""

from __future__ import annotations

import time
from importlib import import_module

import django

from django_altoviz.conf import DEFAULT_ACCOUNT
from django_altoviz.dispatchers import queued
from django_altoviz.models import WebhookEvent

task = import_module("django.tasks" if django.VERSION >= (6, 0) else "django_tasks").task
# The seconds between two looks at a task.
_LOOK_EVERY = 0.1


@task()  # type: ignore[untyped-decorator]
def process_event(pk: int) -> None:
    queued.process_event(pk, process_event.enqueue)


@task()  # type: ignore[untyped-decorator]
def process_due(limit: int = queued.DUE_LIMIT) -> None:
    """Process the events that are due. A safety net to enqueue regularly."""
    queued.process_due(limit)


@task()  # type: ignore[untyped-decorator]
def sync_account(account: str, kinds: list[str]) -> None:
    queued.sync_account(account, kinds, enqueue_sync)


@task()  # type: ignore[untyped-decorator]
def watch_account(account: str = DEFAULT_ACCOUNT) -> None:
    """Make a round of the account's watch. To enqueue every five minutes."""
    queued.watch_account(account)


@task()  # type: ignore[untyped-decorator]
def answer_round() -> None:
    """Do nothing. That a worker has done it is the answer to ``go_round``."""


def go_round(seconds: float) -> bool:
    """Enqueue a task. Return True if a worker has done it in that time."""
    deadline = time.monotonic() + seconds
    result = answer_round.enqueue()
    while not result.is_finished and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY)
        result.refresh()
    return bool(result.is_finished)


def enqueue_sync(account: str, kinds: list[str]) -> None:
    sync_account.enqueue(account, kinds)


def dispatch(event: WebhookEvent) -> None:
    queued.enqueue_after_commit(event, process_event.enqueue)
