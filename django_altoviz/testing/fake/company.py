"""The fake's company: its objects, and who is told what happens to them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import date, datetime, timezone
from random import Random
from typing import Any

from django_altoviz.event_types import EventType
from django_altoviz.testing.fake.behaviour import Behaviour
from django_altoviz.testing.fake.documents import Credits, Documents, Invoices, Quotes
from django_altoviz.testing.fake.fake_data import Inventor
from django_altoviz.testing.fake.records import Contacts, Customers, Products, Records
from django_altoviz.testing.fake.shapes import Object

Listener = Callable[[EventType, Object], None]


class Company:
    """All that one key of the API gives access to.

    ``behaviour`` gives the switches as they are then; ``tell`` is called with each event, in order.
    """

    name = "Ateliers Œuvrard & Filles"

    def __init__(
        self,
        tell: Listener,
        behaviour: Callable[[], Behaviour],
        *,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.lock = threading.RLock()
        self.random = Random(seed)
        self.inventor = Inventor(self.random)
        self.tell, self.behaviour, self._clock = tell, behaviour, clock
        self._last_line = 9_120_600
        self.contacts = Contacts(self)
        self.customers = Customers(self)
        self.products = Products(self)
        self.invoices = Invoices(self)
        self.quotes = Quotes(self)
        self.credits = Credits(self)

    @property
    def documents(self) -> list[Documents]:
        return [self.invoices, self.quotes, self.credits]

    @property
    def records(self) -> list[Records]:
        return [self.contacts, self.customers, self.products, *self.documents]

    def populate(
        self, *, customers: int = 0, products: int = 0, invoices: int = 0, quotes: int = 0
    ) -> None:
        """Invent so many objects at once, which have been there before: nobody is told of them."""
        with self.lock:
            self._invent(self.customers, customers)
            self._invent(self.products, products)
            self._invent(self.invoices, invoices)
            self._invent(self.quotes, quotes)

    def _invent(self, records: Records, count: int) -> None:
        customers, products = self.customers.shelf.ids(), self.products.shelf.ids()
        for _ in range(count):
            fields: dict[str, Any] = {}
            if isinstance(records, Documents) and customers:
                fields["customerId"] = self.random.choice(customers)
            if isinstance(records, Documents) and products:
                lines = self.random.sample(products, min(len(products), 2))
                fields["lines"] = [{"productId": id, "quantity": 1 + id % 5} for id in lines]
            made = records.add(fields)
            if isinstance(records, Invoices) and self.random.random() < 0.8:
                records.shelf.put(records.finalized(made))

    def any_customer(self) -> int:
        """The id of the customer that was made last, or of a new one if there is none."""
        last = self.customers.shelf.last_id()
        if last is not None:
            return last
        id: int = self.customers.create()["id"]
        return id

    def next_line_id(self) -> int:
        self._last_line += self.random.randint(1, 4)
        return self._last_line

    def today(self) -> date:
        return self._moment().date()

    def now(self) -> str:
        return self._moment().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), timezone.utc)
