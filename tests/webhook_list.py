"""Altoviz's webhooks in memory: a list that lags, ids that are not told, crashes where wanted."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from hashlib import sha256

from django_altoviz.exceptions import NotFound

#: How a secret may be shown.
SHOWN = {
    "clear": lambda secret: secret,
    "masked": lambda secret: "****",
    "null": lambda secret: None,
    "hashed": lambda secret: sha256(secret.encode()).hexdigest(),
}


class Crash(Exception):
    pass


@dataclass
class Row:
    id: int
    name: str
    url: str
    types: list
    secret: str
    created_at: float
    deleted_at: float | None = None


@dataclass
class WebhookList:
    """``lags`` are the seconds by which each look at the list is behind, in turn.

    ``crash_at`` is the number of the call that crashes, before it does something or after;
    ``before_call`` is called before each.
    """

    shows_secrets: str = "clear"
    lags: list = field(default_factory=lambda: [0.0])
    crash_at: int = 0
    crash_after: bool = False
    rows: list = field(default_factory=list)
    calls: list = field(default_factory=list)
    now: float = 1000.0
    before_call: object = None

    def __post_init__(self):
        self.numbers = itertools.count(100)
        self.turns = itertools.cycle(self.lags)
        self.lock = threading.RLock()

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def add(self, name, url, types, secret, created_at=0.0):
        row = Row(next(self.numbers), name, url, list(types), secret, created_at)
        self.rows.append(row)
        return row.id

    @property
    def ids(self):
        return [row.id for row in self.alive]

    @property
    def alive(self):
        return [row for row in self.rows if row.deleted_at is None]

    def all(self):
        return self.call("list", self._list)

    def register(self, *, name, url, types, secret_key):
        def create():
            self.add(name, url, [type.value for type in types], secret_key, self.clock())
            return {"id": 0}

        return self.call("register", create)

    def unregister(self, *, id):
        def delete():
            (row,) = [row for row in self.alive if row.id == id] or [None]
            if row is None:
                raise NotFound("DELETE v1/Webhooks", 404)
            row.deleted_at = self.clock()

        return self.call(f"unregister {id}", delete)

    def call(self, name, do):
        if self.before_call:
            self.before_call(name)
        with self.lock:
            self.calls.append(name)
            crashes = len(self.calls) == self.crash_at
            if crashes and not self.crash_after:
                raise Crash
            result = do()
            if crashes:
                raise Crash
            return result

    def _list(self):
        then = self.clock() - next(self.turns)
        shown = SHOWN[self.shows_secrets]
        return [
            {
                "id": row.id,
                "name": row.name,
                "url": row.url,
                "types": row.types,
                "secretKey": shown(row.secret),
            }
            for row in self.rows
            if row.created_at <= then and (row.deleted_at is None or row.deleted_at > then)
        ]
