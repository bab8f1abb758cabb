"""Settings of a project that uses django-altoviz, for development.

The environment sets what differs between machines: the API key (``ALTOVIZ_API_KEY``), the URL of the
API (``ALTOVIZ_BASE_URL``), the webhook's secret (``ALTOVIZ_WEBHOOK_SECRET``) and the database
(``EXAMPLE_DATABASE``, see the README).
"""

from __future__ import annotations

import os
from pathlib import Path

import django

BASE_DIR = Path(__file__).resolve().parent.parent

# For development only. In production, take it from the environment or a secret store.
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

# inline, deferred, celery or django_tasks: see the README.
DISPATCHER = os.environ.get("EXAMPLE_DISPATCHER", "inline")

ALTOVIZ = {
    "API_KEY": os.environ.get("ALTOVIZ_API_KEY", ""),
    # Another URL is that of a fake Altoviz: python manage.py altoviz_fake
    "BASE_URL": os.environ.get("ALTOVIZ_BASE_URL", "https://api.altoviz.com"),
    # altoviz_register_webhook gives it to Altoviz, which signs the deliveries with it.
    "WEBHOOK_SECRET": os.environ.get("ALTOVIZ_WEBHOOK_SECRET", "development-webhook-secret"),
    "DISPATCHER": f"django_altoviz.dispatchers.{DISPATCHER}",
}

if DISPATCHER == "celery":
    CELERY_BROKER_URL = os.environ.get("EXAMPLE_BROKER", "redis://127.0.0.1:6379/0")
    CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
    CELERY_BEAT_SCHEDULE = {
        "process due events": {
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
            # With WAL, readers do not wait for the writer. With IMMEDIATE, writers queue up when
            # their transactions begin. (Two transactions that both begin by reading and then write
            # would fail.) synchronous keeps its default FULL: a commit is on the disk.
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
# The project may use ATOMIC_REQUESTS: the webhook view opts out of it.
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
    # All views need a login except those that opt out, as the webhook view does.
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
