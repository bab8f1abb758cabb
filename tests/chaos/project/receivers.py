"""Two receivers of all events that fail at random: one before its work, the other after."""

from __future__ import annotations

import os

from django.dispatch import receiver

from django_altoviz.signals import BY_EVENT_TYPE
from tests.chaos.chance import chance_of

from .models import Effect

FAILURES = float(os.environ["CHAOS_FAILURES"])
SEED = os.environ["CHAOS_SEED"]


class Failure(Exception):
    """A random failure of a receiver."""


# Without receivers, an event is settled in the transaction that updates the mirror.
SIGNALS = [] if os.environ.get("CHAOS_RECEIVERS") == "without" else [*BY_EVENT_TYPE.values()]


@receiver(SIGNALS)
def first(event, **kwargs):
    fail_at_random("first", event)
    Effect.objects.create(event=event.pk, receiver="first")


@receiver(SIGNALS)
def second(event, **kwargs):
    Effect.objects.create(event=event.pk, receiver="second")
    fail_at_random("second", event)


def fail_at_random(name, event):
    """Fail at random, depending only on the seed, the event and the attempt."""
    if chance_of(SEED, name, event.event_id, event.attempts) < FAILURES:
        raise Failure(name)
