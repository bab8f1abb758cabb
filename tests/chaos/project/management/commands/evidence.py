from __future__ import annotations

import json

from django.core.management.base import BaseCommand

from django_altoviz import exact_json
from django_altoviz.models import MIRRORS, Document, ReceiverRun, WebhookEvent
from tests.chaos.project.models import Effect

EVENT = ["pk", "event_id", "account", "type", "entity", "object_id", "status", "body", "deliveries"]
EVENT += ["attempts", "error"]
MIRROR = ["account", "altoviz_id", "data", "deleted_at", "last_event_id"]
RELATION = ["customer_altoviz_id", "customer__account", "customer__altoviz_id"]


class Command(BaseCommand):
    help = "Print the contents of the database for the judge."

    def handle(self, **options):
        evidence = {
            "events": list(WebhookEvent.with_pruned.order_by("pk").values(*EVENT)),
            "effects": list(Effect.objects.order_by("pk").values_list("event", "receiver")),
            "runs": list(ReceiverRun.objects.values_list("event_id", "receiver")),
            "mirrors": [
                # exact_json writes Decimals as numbers.
                {"entity": entity.value, **row, "data": json.loads(exact_json.dumps(row["data"]))}
                for entity, model in MIRRORS.items()
                for row in model.with_deleted.values(
                    *MIRROR, *(RELATION if issubclass(model, Document) else [])
                )
            ],
        }
        self.stdout.write(json.dumps(evidence, default=str))
