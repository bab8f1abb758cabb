"""A receiver that fails while a file exists, so that a test can mend what it needs."""

from __future__ import annotations

import os
from pathlib import Path

from django.apps import AppConfig

TRAP = Path(os.environ.get("BROWSER_TRAP", "trap"))


class BrowserConfig(AppConfig):
    name = "tests.browser"
    label = "tests_browser"

    def ready(self):
        from django_altoviz.signals import invoice_updated

        invoice_updated.connect(tell_the_ledger)


def tell_the_ledger(instance, **kwargs):
    if TRAP.exists():
        raise ConnectionError(f"The ledger does not answer: {instance.subject}")
