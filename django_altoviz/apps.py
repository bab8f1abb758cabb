from __future__ import annotations

import contextlib

from django.apps import AppConfig, apps
from django.core.checks import Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _


class AltovizConfig(AppConfig):
    name = "django_altoviz"
    verbose_name = _("Altoviz")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django_altoviz import checks, dispatchers  # these import models, so not before now

        register(checks.check_settings)
        register(checks.check_receivers)
        register(checks.check_databases)
        register(checks.check_tables, Tags.database)
        register(checks.check_connected, deploy=True)
        register(checks.check_connections, deploy=True)
        register(checks.check_queue, deploy=True)
        register(checks.check_security, Tags.security, deploy=True)
        if apps.is_installed("rest_framework"):
            from django_altoviz.api import serializer_fields

            serializer_fields.register_serializer_fields()
        # A worker only knows tasks of imported modules. A system check reports an invalid setting.
        with contextlib.suppress(ImproperlyConfigured):
            dispatchers.import_own()
