"""A busy company: customers, quotes and invoices that change all the time, for development."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from django_altoviz.testing.fake.fake import FakeAltoviz
from django_altoviz.testing.fake.records import NoSuchObject, Refused

Scenario = Iterator[None]


class Activity:
    """Many scenarios of customers, products, quotes and invoices, interleaved step by step."""

    def __init__(self, altoviz: FakeAltoviz, seed: int = 0) -> None:
        self._altoviz, self._random = altoviz, Random(seed)
        self._scenarios: list[Scenario] = []

    def step(self) -> None:
        """Start a new scenario, or take one a step further."""
        if not self._scenarios or self._random.random() < 0.3:
            start = self._random.choice(_SCENARIOS)
            self._scenarios.append(start(self._altoviz, self._random))
        scenario = self._random.choice(self._scenarios)
        try:
            next(scenario)
        except (StopIteration, NoSuchObject, Refused):  # the end, or others have changed the object
            self._scenarios.remove(scenario)


def _customer(altoviz: FakeAltoviz, random: Random) -> Scenario:
    customer = altoviz.customers.create()
    yield
    altoviz.customers.change(customer["id"], email=f"compta-{customer['id']}@courriel.example")


def _product(altoviz: FakeAltoviz, random: Random) -> Scenario:
    product = altoviz.products.create()
    yield
    altoviz.products.change(product["id"], unitPrice=product["unitPrice"] + random.randint(1, 9))


def _quote(altoviz: FakeAltoviz, random: Random) -> Scenario:
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


def _invoice(altoviz: FakeAltoviz, random: Random) -> Scenario:
    invoice = altoviz.invoices.create()["id"]
    yield
    if random.random() < 0.2:
        altoviz.invoices.delete(invoice)
    else:
        yield from _final_invoice(altoviz, random, invoice)


def _final_invoice(altoviz: FakeAltoviz, random: Random, invoice: int) -> Scenario:
    altoviz.invoices.finalize(invoice)
    yield
    altoviz.invoices.send(invoice)
    yield
    if random.random() < 0.2:
        altoviz.invoices.cancel(invoice)
    else:
        altoviz.invoices.pay(invoice)


_SCENARIOS: list[Callable[[FakeAltoviz, Random], Scenario]] = [
    _customer,
    _product,
    _quote,
    _invoice,
]
