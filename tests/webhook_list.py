"""An in-memory fake of Altoviz's webhooks: its list lags, it hides ids, and calls can crash."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from hashlib import sha256

from django_altoviz.exceptions import NotFound

#: The ways in which Altoviz may list a secret.
SECRET_FORMATS = {
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
    """The webhooks of an account, with the methods of ``client.webhooks``.

    ``lags`` are the seconds by which each reading of the list is out of date, in turn. Call number
    ``crash_at`` crashes before it does anything or, with ``crash_after``, afterwards.
    ``before_call`` is called with the name of each call.
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
        self.next_ids = itertools.count(100)
        self.cycle_of_lags = itertools.cycle(self.lags)
        self.lock = threading.RLock()

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def add(self, name, url, types, secret, created_at=0.0):
        row = Row(next(self.next_ids), name, url, list(types), secret, created_at)
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

    def call(self, name, action):
        if self.before_call:
            self.before_call(name)
        with self.lock:
            self.calls.append(name)
            crashes = len(self.calls) == self.crash_at
            if crashes and not self.crash_after:
                raise Crash
            result = action()
            if crashes:
                raise Crash
            return result

    def _list(self):
        then = self.clock() - next(self.cycle_of_lags)
        secret_as_listed = SECRET_FORMATS[self.shows_secrets]
        return [
            {
                "id": row.id,
                "name": row.name,
                "url": row.url,
                "types": row.types,
                "secretKey": secret_as_listed(row.secret),
            }
            for row in self.rows
            if row.created_at <= then and (row.deleted_at is None or row.deleted_at > then)
        ]
