"""Settings as the README has them, of a project with two companies."""

from __future__ import annotations

SECRET_KEY = "of the consumer"
USE_TZ = True
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["testserver"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "django_altoviz",
    "bookkeeping",
]
ALTOVIZ = {
    "WEBHOOK_SECRET": "of the consumer's webhook",
    "ACCOUNTS": {"acme": {"WEBHOOK_SECRET": "of the consumer's other webhook"}},
    "DISPATCHER": "bookkeeping.dispatcher",
}
