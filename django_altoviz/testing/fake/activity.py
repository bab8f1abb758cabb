"""A busy company: customers, quotes and invoices that change all the time, for development."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from django_altoviz.testing.fake.fake import FakeAltoviz
from django_altoviz.testing.fake.records import NoSuchObject, Refused

Story = Iterator[None]


class Activity:
    """Many stories of customers, products, quotes and invoices, interleaved step by step."""

    def __init__(self, altoviz: FakeAltoviz, seed: int = 0) -> None:
        self._altoviz, self._random = altoviz, Random(seed)
        self._stories: list[Story] = []

    def step(self) -> None:
        """Start a new story, or take one a step further."""
        if not self._stories or self._random.random() < 0.3:
            start = self._random.choice(_STORIES)
            self._stories.append(start(self._altoviz, self._random))
        story = self._random.choice(self._stories)
        try:
            next(story)
        except (StopIteration, NoSuchObject, Refused):  # another story may have got there first
            self._stories.remove(story)


def _customer(altoviz: FakeAltoviz, random: Random) -> Story:
    customer = altoviz.customers.create()
    yield
    altoviz.customers.change(customer["id"], email=f"compta-{customer['id']}@courriel.example")


def _product(altoviz: FakeAltoviz, random: Random) -> Story:
    product = altoviz.products.create()
    yield
    altoviz.products.change(product["id"], unitPrice=product["unitPrice"] + random.randint(1, 9))


def _quote(altoviz: FakeAltoviz, random: Random) -> Story:
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


def _invoice(altoviz: FakeAltoviz, random: Random) -> Story:
    invoice = altoviz.invoices.create()["id"]
    yield
    if random.random() < 0.2:
        altoviz.invoices.delete(invoice)
    else:
        yield from _final_invoice(altoviz, random, invoice)


def _final_invoice(altoviz: FakeAltoviz, random: Random, invoice: int) -> Story:
    altoviz.invoices.finalize(invoice)
    yield
    altoviz.invoices.send(invoice)
    yield
    if random.random() < 0.2:
        altoviz.invoices.cancel(invoice)
    else:
        altoviz.invoices.pay(invoice)


_STORIES: list[Callable[[FakeAltoviz, Random], Story]] = [_customer, _product, _quote, _invoice]
