from __future__ import annotations

from django.core.management.base import BaseCommand

from django_altoviz.models import WebhookEvent
from django_altoviz.models.queue import SETTLED


class Command(BaseCommand):
    help = "Print how many events are not settled."

    def handle(self, **options):
        self.stdout.write(str(WebhookEvent.with_pruned.exclude(status__in=SETTLED).count()))
