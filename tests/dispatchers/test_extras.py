"""Celery and Django Tasks are optional: only projects that choose them need them."""

from __future__ import annotations

import json
import os
import sys

import pytest

from tests.dispatchers.workers import ROOT
from tests.processes import run

PROGRAM = """
import json, sys
for name in {hidden}:
    sys.modules[name] = None  # as if it were not installed
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django_altoviz"],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    ROOT_URLCONF="django_altoviz.urls",
    ALTOVIZ={{"WEBHOOK_SECRET": "of this test", "DISPATCHER": {dispatcher!r}}},
    {settings}
)
django.setup()
from django_altoviz.checks import check_settings
found = [(m.id, m.msg, m.hint) for m in check_settings() if m.id == "django_altoviz.E005"]
print(json.dumps([found, sorted(sys.modules)]))
"""


def run_check(dispatcher, hidden=(), settings=""):
    """Run the dispatcher's check in a new process. Return its messages and the loaded modules."""
    program = PROGRAM.format(dispatcher=dispatcher, hidden=[*hidden], settings=settings)
    environment = {
        name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"
    }
    output = run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", program],
        env=environment | {"PYTHONPATH": str(ROOT)},
        check=True,
    ).stdout
    found, modules = json.loads(output)
    return found, set(modules)


@pytest.mark.parametrize("name", ["inline", "deferred"])
def test_optional_packages_are_not_imported_unless_chosen(name):
    found, modules = run_check(f"django_altoviz.dispatchers.{name}")
    assert found == []
    assert not modules & {"celery", "kombu", "django_tasks", "django_tasks_db", "redis", "amqp"}


@pytest.mark.parametrize(
    ("name", "extra", "hidden"),
    [
        ("celery", "celery", ["celery", "kombu"]),
        ("django_tasks", "tasks", ["django_tasks", "django.tasks"]),
    ],
)
def test_the_check_names_the_extra_that_is_not_installed(name, extra, hidden):
    ((_id, message, hint),), _modules = run_check(f"django_altoviz.dispatchers.{name}", hidden)
    assert f"django_altoviz.dispatchers.{name}" in message
    assert f"django-altoviz[{extra}]" in hint


@pytest.mark.parametrize("name", ["celery", "django_tasks"])
def test_the_chosen_dispatcher_is_imported_at_the_start_so_that_workers_know_its_tasks(name):
    found, modules = run_check(f"django_altoviz.dispatchers.{name}")
    assert found == []
    assert f"django_altoviz.dispatchers.{name}" in modules


def test_a_dispatcher_of_the_project_is_not_imported_at_the_start():
    _found, modules = run_check("tests.broken_dispatcher", settings="SILENCED_SYSTEM_CHECKS=[],")
    # Only the check has imported it. At the start, the project would not be ready yet.
    assert "django_altoviz.dispatchers.celery" not in modules


@pytest.mark.parametrize(
    "tasks",
    [{}, {"default": {"BACKEND": "nowhere"}}, {"default": {"QUEUES": ["other"], "BACKEND": "x"}}],
)
def test_the_check_finds_wrong_settings_for_tasks(tasks):
    found, _modules = run_check(
        "django_altoviz.dispatchers.django_tasks", settings=f"TASKS={tasks!r}"
    )
    assert [each[0] for each in found] == ["django_altoviz.E005"]
