import os

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "tests.chaos.project"
    label = "ledger"

    def ready(self):
        from . import receivers  # noqa: F401  (connects them)

        if "CHAOS_BROKER" in os.environ:
            from . import celery  # noqa: F401  (the web processes publish through it)
