"""A project that uses django-altoviz, set up for development.

What may differ from machine to machine is taken from the environment: the key and the address of the
API (``ALTOVIZ_API_KEY``, ``ALTOVIZ_BASE_URL``), the webhook's secret (``ALTOVIZ_WEBHOOK_SECRET``) and
the database (``EXAMPLE_DATABASE``, see the README).
"""

from __future__ import annotations

import os
from pathlib import Path

import django

BASE_DIR = Path(__file__).resolve().parent.parent

# For development only. In production both come from the environment or a secret store.
SECRET_KEY = "development-only-and-known-to-everybody-who-reads-this"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_altoviz",
    "shop",
]

# Who processes the events: inline, deferred, celery or django_tasks.
DISPATCHER = os.environ.get("EXAMPLE_DISPATCHER", "inline")

ALTOVIZ = {
    "API_KEY": os.environ.get("ALTOVIZ_API_KEY", ""),
    # A fake Altoviz, for instance: python manage.py altoviz_fake
    "BASE_URL": os.environ.get("ALTOVIZ_BASE_URL", "https://api.altoviz.com"),
    # The one that was given to Altoviz with the webhook.
    "WEBHOOK_SECRET": os.environ.get("ALTOVIZ_WEBHOOK_SECRET", "development-webhook-secret"),
    "DISPATCHER": f"django_altoviz.dispatchers.{DISPATCHER}",
}

if DISPATCHER == "celery":
    CELERY_BROKER_URL = os.environ.get("EXAMPLE_BROKER", "redis://127.0.0.1:6379/0")
    CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
    CELERY_BEAT_SCHEDULE = {
        "what is due": {
            "task": "django_altoviz.dispatchers.celery.process_due",
            "schedule": 60,
            "options": {"expires": 60},
        },
    }

if DISPATCHER == "django_tasks":
    INSTALLED_APPS += ["django_tasks_db"]
    if django.VERSION < (6, 0):
        INSTALLED_APPS += ["django_tasks"]
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

_DATABASES = {
    "sqlite": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("EXAMPLE_SQLITE", BASE_DIR / "db.sqlite3"),
        "OPTIONS": {
            # Readers do not wait for the writer, and writers queue up instead of failing half-way
            # where two transactions that began as readers both want to write.
            # What is committed is on the disk: synchronous=FULL, SQLite's default, stays as it is.
            "init_command": "PRAGMA journal_mode=WAL;",
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
        },
    },
    "postgres": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("PGDATABASE", "altoviz_example"),
        "HOST": os.environ.get("PGHOST", "127.0.0.1"),
        "USER": os.environ.get("PGUSER", "postgres"),
        "PASSWORD": os.environ.get("PGPASSWORD", ""),
    },
    "mariadb": {
        "ENGINE": "django.db.backends.mysql",
        "NAME": os.environ.get("MYSQL_DATABASE", "altoviz_example"),
        "HOST": os.environ.get("MYSQL_HOST", "127.0.0.1"),
        "USER": os.environ.get("MYSQL_USER", "root"),
        "PASSWORD": os.environ.get("MYSQL_PASSWORD", ""),
        "OPTIONS": {"charset": "utf8mb4"},
    },
}
# ATOMIC_REQUESTS is the project's choice; the webhook view excepts itself from it.
DATABASES = {
    "default": _DATABASES[os.environ.get("EXAMPLE_DATABASE", "sqlite")] | {"ATOMIC_REQUESTS": True}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Everything asks for a login, but for the views that say otherwise: the webhook is one of them.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

ROOT_URLCONF = "example.urls"
WSGI_APPLICATION = "example.wsgi.application"
LOGIN_URL = "admin:login"
STATIC_URL = "static/"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français")]
TIME_ZONE = "Europe/Paris"
USE_TZ = True
