"""The tables of the app are in a database other than the default."""

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS
from tests.variants.databases import sibling_database

DATABASES = {
    "default": DATABASES["default"] | {"ATOMIC_REQUESTS": True},
    "events": sibling_database(DATABASES["default"], "events") | {"ATOMIC_REQUESTS": True},
}
# The migrations of django_tasks_db ignore the routers, and no foreign key leads to another database.
_LEFT_OUT = {"django_tasks_db", "tests.linking"}
INSTALLED_APPS = [app for app in INSTALLED_APPS if app not in _LEFT_OUT]
DATABASE_ROUTERS = ["tests.variants.events_elsewhere.Router"]


class Router:
    def db_for_read(self, model, **hints):
        return "events" if model._meta.app_label == "django_altoviz" else "default"

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **hints):
        return (db == "events") == (app_label == "django_altoviz")
