"""The webhooks that are registered at the fake, and the list of them, which lags behind."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django_altoviz.event_types import EventType
from django_altoviz.testing.fake.behaviour import Behaviour

_FIRST_ID = 100


@dataclass
class Webhook:
    id: int
    name: str
    url: str
    types: frozenset[EventType]
    secret: str | None = field(repr=False)
    created_at: float
    deleted_at: float = float("inf")


class Webhooks:
    def __init__(self, behaviour: Callable[[], Behaviour], clock: Callable[[], float]) -> None:
        self._behaviour, self._clock = behaviour, clock
        self._all: list[Webhook] = []
        self._looks = itertools.count()
        self._lock = threading.Lock()

    def registered(self) -> list[Webhook]:
        """Those that are there in truth, and are delivered to."""
        with self._lock:
            return [each for each in self._all if each.deleted_at == float("inf")]

    def register(
        self,
        url: str,
        secret: str | None = None,
        *,
        types: Iterable[EventType | str] = tuple(EventType),
        name: str = "webhook",
        is_new: bool = False,
    ) -> Webhook:
        """Register one; only if it ``is_new`` does the list lag behind."""
        with self._lock:
            made = Webhook(
                id=_FIRST_ID + len(self._all),
                name=name,
                url=url,
                types=frozenset(map(EventType, types)),
                secret=secret or None,
                created_at=self._clock() if is_new else float("-inf"),
            )
            self._all.append(made)
            return made

    def unregister(self, *, id: int | None = None, url: str | None = None) -> list[Webhook]:
        """Remove the one of that id, or all of that URL, and return what was removed.

        With neither it removes all: nobody knows what Altoviz does then, so one had better not ask.
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
        """The list as the API shows it, some seconds late [observed]."""
        behaviour = self._behaviour()
        with self._lock:
            lags = behaviour.list_lag
            then = self._clock() - lags[next(self._looks) % len(lags)]
            return [
                shown(each, behaviour.shows_secrets)
                for each in self._all
                if each.created_at <= then < each.deleted_at
            ]


def shown(webhook: Webhook, secrets: str = "clear") -> dict[str, Any]:
    """The webhook as the API shows it."""
    secret = webhook.secret
    if secret is not None and secrets == "masked":
        secret = "*" * 8
    return {
        "id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "types": [type.value for type in EventType if type in webhook.types],
        "secretKey": None if secrets == "null" else secret,
    }
