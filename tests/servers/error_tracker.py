"""Process events whose receivers raise odd exceptions, while Sentry's SDK captures everything.

The process prints what became of the events, and how many errors the SDK has captured.
"""

from __future__ import annotations

import json

import django
import sentry_sdk
from sentry_sdk.transport import Transport

captured = []


class Kept(Transport):
    def capture_envelope(self, envelope):
        captured.append(envelope)


def main():
    sentry_sdk.init(dsn="http://key@127.0.0.1:1/1", transport=Kept())
    django.setup()
    from django.db import connection
    from django.test import Client

    from django_altoviz.intake import signing
    from django_altoviz.models import WebhookEvent
    from django_altoviz.signals import customer_updated
    from tests.conftest import SECRETS, body_of
    from tests.test_odd_failures import ODD

    connection.creation.create_test_db(verbosity=0)
    errors = dict(enumerate(ODD.values(), 1))

    def odd(event, **kwargs):
        raise errors[event.object_id]()

    handled = []

    def sound(event, **kwargs):
        handled.append(event.object_id)

    customer_updated.connect(odd)
    customer_updated.connect(sound)
    answers = set()
    for number in errors:
        body = body_of("CustomerUpdated", id=number)
        headers = {"X-SIGNATURE": signing.sign(body, SECRETS["default"])}
        answer = Client().post("/altoviz/webhook/", body, "text/plain", headers=headers)
        answers.add(answer.status_code)
    result = {
        "answers": sorted(answers),
        "statuses": sorted(set(WebhookEvent.objects.values_list("status", flat=True))),
        "told": all(WebhookEvent.objects.values_list("error", flat=True)),
        "handled": handled == [*errors],
        "captured": len(captured),
        "secret": any(SECRETS["default"].encode() in each.serialize() for each in captured),
    }
    connection.creation.destroy_test_db(None, verbosity=0)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
