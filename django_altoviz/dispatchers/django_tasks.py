"""Hand the event to Django Tasks, to the backend that ``TASKS["default"]`` names.

Before Django 6 Django Tasks is a package, ``django-tasks``, which comes with the extra
``django-altoviz[tasks]``, as does its backend ``django-tasks-db``.
"""

from __future__ import annotations

from importlib import import_module

import django

from django_altoviz.dispatchers import queued
from django_altoviz.models import WebhookEvent

task = import_module("django.tasks" if django.VERSION >= (6, 0) else "django_tasks").task


@task()  # type: ignore[untyped-decorator]
def process_event(pk: int) -> None:
    queued.process_event(pk, process_event.enqueue)


@task()  # type: ignore[untyped-decorator]
def process_due(limit: int = queued.DUE_LIMIT) -> None:
    """The safety net, for what enqueues tasks regularly."""
    queued.process_due(limit)


def dispatch(event: WebhookEvent) -> None:
    queued.enqueue_after_commit(event, process_event.enqueue)
