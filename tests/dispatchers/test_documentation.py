"""The code in the pages about queues runs."""

from __future__ import annotations

import json
import os
import sys

import pytest

from django_altoviz.dispatchers import queued
from django_altoviz.event_types import EventType
from django_altoviz.models import ReceiverRun, WebhookEvent
from tests.conftest import body_of
from tests.dispatchers.workers import ROOT
from tests.processes import run
from tests.test_docs import HOW_TO, blocks, pages_of

CELERY_PAGE = pages_of("how-to/celery")
CODE = blocks(HOW_TO, "python")
SETTINGS = """
SECRET_KEY = "of this test"
INSTALLED_APPS = ["django_altoviz"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
ROOT_URLCONF = "django_altoviz.urls"
ALTOVIZ = {"WEBHOOK_SECRET": "of this test"}
"""
CELERY = """
import json
import shop
app = shop.celery_app
app.loader.import_default_modules()
path = "django_altoviz.dispatchers.celery"
queues = [app.amqp.router.route({}, f"{path}.{name}")["queue"].name for name in ("process_event", "process_due")]
print(json.dumps([app.conf.broker_url, queues, sorted(app.tasks)]))
"""


def test_the_celery_set_up_of_the_docs_works(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "celery.py").write_text(CODE["celery-app"])
    (tmp_path / "shop" / "__init__.py").write_text(CODE["celery-init"])
    (tmp_path / "shop" / "settings.py").write_text(SETTINGS + CODE["celery-settings"])
    environment = {name: os.environ[name] for name in os.environ if name[:6] != "DJANGO"}
    output = run(
        [sys.executable, "-c", CELERY],
        env=environment | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        stderr=None,
        check=True,
    ).stdout
    broker, queues, tasks = json.loads(output)
    path = "django_altoviz.dispatchers.celery"
    assert broker == "redis://127.0.0.1:6379/0"
    assert queues == ["shop-altoviz"] * 2
    # The workers that the page starts take the tasks from there.
    assert f"--queues {queues[0]} " in CELERY_PAGE
    assert {f"{path}.process_due", f"{path}.process_event"} <= {*tasks}


def test_the_settings_for_django_tasks_in_the_docs_select_it():
    names = {"INSTALLED_APPS": [], "ALTOVIZ": {}}
    exec(CODE["django-tasks-settings"], names)
    assert names["ALTOVIZ"]["DISPATCHER"] == "django_altoviz.dispatchers.django_tasks"
    assert names["TASKS"]["default"]["BACKEND"] == "django_tasks_db.DatabaseBackend"


@pytest.mark.django_db
def test_the_code_for_receiver_times_works(post, capsys):
    for seconds in (1.0, 3.0):
        post(body_of(EventType.CUSTOMER_CREATED))
        event = WebhookEvent.objects.latest("pk")
        ReceiverRun.objects.create(event=event, receiver="shop.tell", seconds=seconds)
    exec(CODE["receiver-times"], {})
    assert capsys.readouterr().out == "shop.tell 2 2.0 3.0\n"


def test_the_docs_state_the_right_limit_of_process_due():
    page = " ".join(CELERY_PAGE.split())
    assert f"up to {queued.DUE_LIMIT} events" in page
