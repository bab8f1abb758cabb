from __future__ import annotations

import os

from django.apps import AppConfig

from django_altoviz.signals import customer_created, customer_updated


class SiteConfig(AppConfig):
    name = "benchmarks.sites.altoviz"
    label = "site"

    def ready(self) -> None:
        if os.environ.get("BENCH_RECEIVER"):
            customer_created.connect(receive)
            customer_updated.connect(receive)


def receive(**kwargs: object) -> None:
    """Do nothing: the benchmark measures the cost of calling a receiver."""
