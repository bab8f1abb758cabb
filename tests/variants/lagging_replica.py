"""Reads go to a replica that is still empty."""

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES
from tests.variants.databases import sibling_database

DATABASES = DATABASES | {"replica": sibling_database(DATABASES["default"], "replica")}
DATABASE_ROUTERS = ["tests.variants.lagging_replica.Router"]


class Router:
    def db_for_read(self, model, **hints):
        return "replica" if model._meta.app_label == "django_altoviz" else "default"

    def db_for_write(self, model, **hints):
        return "default"

    def allow_relation(self, *objects, **hints):
        return True
