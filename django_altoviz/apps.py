from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _


class AltovizConfig(AppConfig):
    name = "django_altoviz"
    verbose_name = _("Altoviz")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django_altoviz import checks  # it knows the models, which are there only now

        register(checks.check_settings)
        register(checks.check_security, Tags.security, deploy=True)
