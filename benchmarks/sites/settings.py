"""Settings of all sites. They differ only in the app under test.

``BENCH_SITE`` is the site; ``BENCH_DATABASE`` and ``BENCH_NAME`` are its database. ``BENCH_FLUSH``
decides if commits wait for the disk.
"""

from __future__ import annotations

import os

from benchmarks.sites import secrets

SITE = os.environ["BENCH_SITE"]
# If true, a commit waits for the disk. Only then does a 200 promise that the event is stored.
FLUSH = os.environ.get("BENCH_FLUSH", "on") == "on"

_DATABASES = {
    "sqlite": {
        "ENGINE": "django.db.backends.sqlite3",
        "OPTIONS": {
            "init_command": "PRAGMA journal_mode=WAL; "
            f"PRAGMA synchronous={'FULL' if FLUSH else 'NORMAL'};",
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
        },
    },
    "postgres": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("PGHOST", "127.0.0.1"),
        "PORT": os.environ.get("PGPORT", ""),
        "USER": os.environ.get("PGUSER", "postgres"),
        "PASSWORD": os.environ.get("PGPASSWORD", ""),
        "OPTIONS": {"options": f"-c synchronous_commit={'on' if FLUSH else 'off'}"},
    },
}
DATABASES = {
    "default": {
        **_DATABASES[os.environ["BENCH_DATABASE"]],
        "NAME": os.environ["BENCH_NAME"],
        # A new connection for each request would cost more than everything else.
        "CONN_MAX_AGE": None,
    }
}
if SITE == "stripe":  # create the tables without the migrations, which take a minute
    MIGRATION_MODULES = dict.fromkeys(["admin", "auth", "contenttypes", "sessions", "djstripe"])
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SECRET_KEY = secrets.DJANGO
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
ROOT_URLCONF = f"benchmarks.sites.{SITE}.urls"
STATIC_URL = "static/"

# As startproject writes them.
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    *{
        "floors": ["benchmarks.sites.floors"],
        "altoviz": ["rest_framework", "django_altoviz", "benchmarks.sites.altoviz"],
        "stripe": ["djstripe"],
        "github": ["django_github_app"],
    }[SITE],
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
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

ALTOVIZ = {
    "WEBHOOK_SECRET": secrets.ALTOVIZ,
    "DISPATCHER": os.environ.get("BENCH_DISPATCHER", "django_altoviz.dispatchers.inline"),
}

STRIPE_LIVE_MODE = False
STRIPE_TEST_SECRET_KEY = secrets.STRIPE_KEY
STRIPE_API_HOST = os.environ.get("BENCH_STRIPE_API", "http://127.0.0.1:9")
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"

GITHUB_APP = {"APP_ID": 1, "NAME": "benchmark", "WEBHOOK_SECRET": secrets.GITHUB}
