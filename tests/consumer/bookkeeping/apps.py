from __future__ import annotations

from django.apps import AppConfig


class BookkeepingConfig(AppConfig):
    name = "bookkeeping"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from bookkeeping import receivers  # noqa: F401
