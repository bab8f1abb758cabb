"""The Celery app of the worker processes."""

from __future__ import annotations

import os

from celery import Celery

app = Celery("tests", broker=os.environ["WORKER_BROKER"])
app.conf.task_default_queue = os.environ["WORKER_QUEUE"]
