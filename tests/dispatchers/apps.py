"""Receiver of the workers' project. It writes a row each time; no constraint forbids a second one."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from pathlib import Path

from django.apps import AppConfig
from django.db.models.signals import post_save


class DispatchersConfig(AppConfig):
    name = "tests.dispatchers"
    label = "tests_dispatchers"

    def ready(self):
        from django_altoviz.signals import customer_deleted, customer_updated

        customer_updated.connect(record_effect)
        customer_deleted.connect(record_slowly)
        post_save.connect(die_of_poison, sender="django_altoviz.Customer")


async def record_slowly(event, **kwargs):
    from django.contrib.auth.models import Group

    await asyncio.sleep(1)
    await Group.objects.acreate(name=f"{event.pk} {uuid.uuid4()}")


def die_of_poison(instance, **kwargs):
    """End the process while it writes a certain row to the mirror, as an empty memory would."""
    if instance.internal_id == "poison":
        os._exit(9)


def record_effect(event, **kwargs):
    from django.contrib.auth.models import Group

    Group.objects.create(name=f"{event.pk} {uuid.uuid4()}")
    trap = Path(os.environ["WORKER_TRAP"])
    if trap.exists():
        trap.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
