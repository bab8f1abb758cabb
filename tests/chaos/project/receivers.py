"""Two receivers of all events that fail at random: one before its work, the other after.

They raise whatever a receiver may raise. And now and then the process dies while it writes the mirror.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from django.db.models.signals import post_save
from django.dispatch import receiver

from django_altoviz.exceptions import RetryLater
from django_altoviz.models import MIRRORS
from django_altoviz.signals import BY_EVENT_TYPE
from tests.chaos.chance import chance_of

from .models import Effect

FAILURES = float(os.environ["CHAOS_FAILURES"])
SEED = os.environ["CHAOS_SEED"]
#: The share of mirrored events at which the process dies, once each.
DEATHS = 0.005
RECEIVERS = os.environ.get("CHAOS_RECEIVERS")


class Failure(Exception):
    """A random failure of a receiver."""


class Unspeakable(Exception):
    """An exception that can't be described."""

    def __str__(self):
        raise RuntimeError

    def __getattr__(self, name):
        raise KeyError(name)


ODD = [
    Failure("an ordinary one"),
    SystemExit(1),
    GeneratorExit(),
    asyncio.CancelledError(),
    BaseException("bare"),
    Unspeakable(),
    ValueError("with \0 and \udcff"),
    ValueError("long" * 100_000),
    SyntaxError("odd", ("file", 3, "7", "text")),
    RetryLater(-5),
]

# Without receivers, an event is settled in the transaction that updates the mirror.
SIGNALS = [] if RECEIVERS == "without" else [*BY_EVENT_TYPE.values()]


@receiver(SIGNALS)
def first(event, **kwargs):
    fail_at_random("first", event)
    Effect.objects.create(event=event.pk, receiver="first")


async def second_as_coroutine(event, **kwargs):
    await asyncio.sleep(0.01)
    await Effect.objects.acreate(event=event.pk, receiver="second")
    fail_at_random("second", event)


def second(event, **kwargs):
    Effect.objects.create(event=event.pk, receiver="second")
    fail_at_random("second", event)


receiver(SIGNALS)(second_as_coroutine if RECEIVERS == "async" else second)


def fail_at_random(name, event):
    """Fail at random, depending only on the seed, the event and the attempt."""
    if chance_of(SEED, name, event.event_id, event.attempts) < FAILURES:
        number = chance_of(SEED, "which", name, event.event_id, event.attempts)
        raise ODD[int(number * len(ODD))]


def die_at_random(instance, **kwargs):
    """End the process, as if its memory were used up. The mark lets the next attempt live."""
    name = f"{type(instance).__name__}-{instance.altoviz_id}-{instance.last_event_id}"
    mark = Path(os.environ["CHAOS_MARKS"], name)
    if chance_of(SEED, "death", name) < DEATHS and not mark.exists():
        mark.touch()
        os._exit(9)


if "CHAOS_MARKS" in os.environ:
    for model in MIRRORS.values():
        post_save.connect(die_at_random, sender=model)
