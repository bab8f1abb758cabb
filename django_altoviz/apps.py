from __future__ import annotations

import contextlib

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _


class AltovizConfig(AppConfig):
    name = "django_altoviz"
    verbose_name = _("Altoviz")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django_altoviz import checks, dispatchers  # they know the models, which are there now

        register(checks.check_settings)
        register(checks.check_security, Tags.security, deploy=True)
        # A worker knows the tasks of the modules that are imported. What is wrong, a check reports.
        with contextlib.suppress(ImproperlyConfigured):
            dispatchers.load_ours()
