"""Settings of the project under test. The environment chooses the database and the dispatcher."""

from __future__ import annotations

import os

import django

from tests.settings import _DATABASES

ENGINE = os.environ["CHAOS_ENGINE"]
OPTIONS = {
    "sqlite": {
        "init_command": "PRAGMA journal_mode=WAL;",
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    },
    "postgres": {},
    "mariadb": {"charset": "utf8mb4"},
}
DATABASES = {
    "default": _DATABASES[ENGINE]
    | {
        "NAME": os.environ["CHAOS_DATABASE"],
        "OPTIONS": OPTIONS[ENGINE],
        # Persistent connections, so that requests and tasks run into broken ones.
        "CONN_MAX_AGE": 60,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = "of the chaos suite"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "tests.chaos.project.urls"
WSGI_APPLICATION = "tests.chaos.project.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django_altoviz",
    "django_tasks_db",
    "tests.chaos.project.apps.LedgerConfig",
]
if django.VERSION < (6, 0):
    INSTALLED_APPS.append("django_tasks")
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

ALTOVIZ = {
    "WEBHOOK_SECRET": "secret-of-the-chaos-suite",
    "ACCOUNTS": {"acme": {"WEBHOOK_SECRET": "secret-of-the-other-account"}},
    "DISPATCHER": f"django_altoviz.dispatchers.{os.environ['CHAOS_DISPATCHER']}",
    "LEASE_SECONDS": 2,
    "MAX_ATTEMPTS": 100,
    "RETRY_BACKOFF_SECONDS": 0.1,
    "RETRY_BACKOFF_MAX_SECONDS": 1,
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {process} {levelname} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
