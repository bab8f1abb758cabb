from __future__ import annotations

import itertools

from django.core.management.base import BaseCommand
from django.test import Client

from django_altoviz.event_types import EventType
from django_altoviz.intake.signing import SIGNATURE_HEADER, sign
from django_altoviz.samples import new_event_id, sample, to_body
from tests.chaos.deliveries import SECRETS

OBJECTS = 10


class Command(BaseCommand):
    help = "Deliver events until one is not accepted. Print the ids of the accepted ones."

    def handle(self, **options):
        envelope = sample(EventType.CUSTOMER_UPDATED)
        for number in itertools.count():
            event_id = new_event_id()
            data = envelope.data | {"id": number % OBJECTS + 1, "number": str(number)}
            body = to_body(type(envelope)(event_id, envelope.type, data))
            headers = {SIGNATURE_HEADER: sign(body, SECRETS["default"])}
            answer = Client().post("/altoviz/webhook/", body, "text/plain", headers=headers)
            if answer.status_code != 200:
                return
            self.stdout.write(event_id)
            self.stdout.flush()
