"""The tables of the app are in another database, and whatever does not name it reads an empty replica.

The tests themselves read what was written, so those of the suite run unchanged. With the option
``-p tests.variants.all_databases`` they may use each database.
"""

from __future__ import annotations

import sys
from pathlib import Path

import django_altoviz
from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS
from tests.variants.databases import sibling_database

_PACKAGE = str(Path(django_altoviz.__file__).parent)
_TESTS = str(Path(__file__).parents[1])

DATABASES = DATABASES | {
    name: sibling_database(DATABASES["default"], name) for name in ("events", "replica")
}
# The migrations of django_tasks_db ignore the routers, and no foreign key leads to another database.
_LEFT_OUT = {"django_tasks_db", "tests.linking"}
INSTALLED_APPS = [app for app in INSTALLED_APPS if app not in _LEFT_OUT]
DATABASE_ROUTERS = ["tests.variants.hidden_tables.Router"]


class Router:
    def db_for_read(self, model, **hints):
        if model._meta.app_label != "django_altoviz":
            return "default"
        return "replica" if is_asked_by_the_package() else "events"

    def db_for_write(self, model, **hints):
        return "events" if model._meta.app_label == "django_altoviz" else "default"

    def allow_relation(self, *objects, **hints):
        return True

    def allow_migrate(self, db, app_label, **hints):
        return (db != "default") == (app_label == "django_altoviz")


def is_asked_by_the_package():
    """Return True if the package evaluates the query, False if a test does."""
    frame = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith((_PACKAGE, _TESTS)):
            return path.startswith(_PACKAGE)
        frame = frame.f_back
    return False
