"""Webhooks registered at the fake, and their list, which is eventually consistent as Altoviz's is."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django_altoviz.event_types import SENT_TYPES, EventType, sent_type
from django_altoviz.testing.fake.behaviour import Behaviour

_FIRST_ID = 100


@dataclass
class FakeWebhook:
    id: int
    name: str
    url: str
    types: frozenset[EventType]
    secret: str | None = field(repr=False)
    created_at: float
    deleted_at: float = float("inf")


class FakeWebhooks:
    def __init__(self, behaviour: Callable[[], Behaviour], clock: Callable[[], float]) -> None:
        self._behaviour, self._clock = behaviour, clock
        self._all: list[FakeWebhook] = []
        self._requests = itertools.count()
        self._lock = threading.Lock()

    def registered(self) -> list[FakeWebhook]:
        """Return the webhooks that get deliveries now, whatever the list shows."""
        with self._lock:
            return [each for each in self._all if each.deleted_at == float("inf")]

    def register(
        self,
        url: str,
        secret: str | None = None,
        *,
        types: Iterable[EventType | str] = SENT_TYPES,
        name: str = "webhook",
        is_new: bool = False,
    ) -> FakeWebhook:
        """Register a webhook. The list shows it at once, or after the lag if it ``is_new``."""
        with self._lock:
            made = FakeWebhook(
                id=_FIRST_ID + len(self._all),
                name=name,
                url=url,
                types=frozenset(map(sent_type, types)),
                secret=secret or None,
                created_at=self._clock() if is_new else float("-inf"),
            )
            self._all.append(made)
            return made

    def unregister(self, *, id: int | None = None, url: str | None = None) -> list[FakeWebhook]:
        """Remove the webhook with that id, or all with that URL, and return them.

        Without an id and a URL, remove all. It is unknown what Altoviz does then, so the fake does
        the worst, so that tests notice a client that sends such a request.
        """
        gone = [
            each
            for each in self.registered()
            if (id is None or each.id == id) and (url is None or each.url == url)
        ]
        for each in gone:
            each.deleted_at = self._clock()
        return gone

    def listed(self) -> list[dict[str, Any]]:
        """Return the list as the API shows it, some seconds late [observed]."""
        behaviour = self._behaviour()
        with self._lock:
            lags = behaviour.list_lag
            as_of = self._clock() - lags[next(self._requests) % len(lags)]
            return [
                serialize_webhook(each, behaviour.shows_secrets)
                for each in self._all
                if each.created_at <= as_of < each.deleted_at
            ]


def serialize_webhook(webhook: FakeWebhook, secrets: str = "clear") -> dict[str, Any]:
    """Return the webhook as the API shows it."""
    secret = webhook.secret
    if secret is not None and secrets == "masked":
        secret = "*" * 8
    return {
        "id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "types": [type.value for type in SENT_TYPES if type in webhook.types],
        "secretKey": None if secrets == "null" else secret,
    }
