from __future__ import annotations

import time

from django.core.management.base import BaseCommand
from django.db import connection

from django_altoviz.models import WebhookEvent


class Command(BaseCommand):
    help = "Wait until all events are settled."

    def add_arguments(self, parser):
        parser.add_argument("--seconds", type=float)

    def handle(self, *, seconds, **options):
        give_up_at = time.monotonic() + seconds
        while WebhookEvent.with_pruned.unsettled().exists() and time.monotonic() < give_up_at:
            connection.close()
            time.sleep(0.2)
