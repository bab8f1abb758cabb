"""A company where something happens all the time, for a project that is being developed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import TYPE_CHECKING

from django_altoviz.testing.fake.records import NoSuchObject, Refused

if TYPE_CHECKING:
    from django_altoviz.testing.fake.fake import FakeAltoviz

Life = Iterator[None]


class Activity:
    """Many lives of customers, products, quotes and invoices at once, each a step at a time."""

    def __init__(self, altoviz: FakeAltoviz, seed: int = 0) -> None:
        self._altoviz, self._random = altoviz, Random(seed)
        self._lives: list[Life] = []

    def step(self) -> None:
        """Begin a life, or go on with one."""
        if not self._lives or self._random.random() < 0.3:
            begin = self._random.choice(_LIVES)
            self._lives.append(begin(self._altoviz, self._random))
        life = self._random.choice(self._lives)
        try:
            next(life)
        except (StopIteration, NoSuchObject, Refused):  # somebody else may have ended it, too
            self._lives.remove(life)


def _customer(altoviz: FakeAltoviz, random: Random) -> Life:
    customer = altoviz.customers.create()
    yield
    altoviz.customers.change(customer["id"], email=f"compta-{customer['id']}@courriel.example")


def _product(altoviz: FakeAltoviz, random: Random) -> Life:
    product = altoviz.products.create()
    yield
    altoviz.products.change(product["id"], unitPrice=product["unitPrice"] + random.randint(1, 9))


def _quote(altoviz: FakeAltoviz, random: Random) -> Life:
    quote = altoviz.quotes.create()["id"]
    yield
    altoviz.quotes.send(quote)
    yield
    if random.random() < 0.3:
        altoviz.quotes.refuse(quote)
        return
    altoviz.quotes.accept(quote)
    yield
    invoice = altoviz.quotes.invoice(quote)["id"]
    yield
    yield from _final_invoice(altoviz, random, invoice)


def _invoice(altoviz: FakeAltoviz, random: Random) -> Life:
    invoice = altoviz.invoices.create()["id"]
    yield
    if random.random() < 0.2:
        altoviz.invoices.delete(invoice)
    else:
        yield from _final_invoice(altoviz, random, invoice)


def _final_invoice(altoviz: FakeAltoviz, random: Random, invoice: int) -> Life:
    altoviz.invoices.finalize(invoice)
    yield
    altoviz.invoices.send(invoice)
    yield
    if random.random() < 0.2:
        altoviz.invoices.cancel(invoice)
    else:
        altoviz.invoices.pay(invoice)


_LIVES: list[Callable[[FakeAltoviz, Random], Life]] = [_customer, _product, _quote, _invoice]
