"""Settings of the worker processes: those of the suite, with the database of the running test."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403
from tests.settings import ALTOVIZ, DATABASES, INSTALLED_APPS

DATABASES = {"default": DATABASES["default"] | {"NAME": os.environ["WORKER_DATABASE"]}}
INSTALLED_APPS = [*INSTALLED_APPS, "tests.dispatchers.apps.DispatchersConfig"]
ALTOVIZ = ALTOVIZ | {
    "DISPATCHER": os.environ["WORKER_DISPATCHER"],
    "LEASE_SECONDS": 2,
    "MAX_ATTEMPTS": 2,
    "RETRY_BACKOFF_SECONDS": 2,
}
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
