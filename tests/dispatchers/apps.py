"""The receivers of the workers' project: each effect is a row, and nothing keeps a second one out."""

from __future__ import annotations

import os
import signal
import uuid
from pathlib import Path

from django.apps import AppConfig


class DispatchersConfig(AppConfig):
    name = "tests.dispatchers"
    label = "tests_dispatchers"

    def ready(self):
        from django_altoviz.signals import customer_updated

        customer_updated.connect(leave_a_mark)


def leave_a_mark(event, **kwargs):
    from django.contrib.auth.models import Group

    Group.objects.create(name=f"{event.pk} {uuid.uuid4()}")
    trap = Path(os.environ["WORKER_TRAP"])
    if trap.exists():
        trap.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
