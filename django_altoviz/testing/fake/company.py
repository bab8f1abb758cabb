"""The fake's company: all its records, and the way that they refer to each other."""

from __future__ import annotations

from typing import Any

from django_altoviz.testing.fake.context import Context
from django_altoviz.testing.fake.documents import FakeDocuments
from django_altoviz.testing.fake.invoices import (
    FakeAccountingDocuments,
    FakeCredits,
    FakeInvoices,
)
from django_altoviz.testing.fake.quotes import FakeQuotes
from django_altoviz.testing.fake.records import (
    FakeContacts,
    FakeCustomers,
    FakeProducts,
    Records,
)


class Company:
    """Everything that one API key gives access to."""

    name = "Ateliers Œuvrard & Filles"

    def __init__(self, context: Context) -> None:
        self.context = context
        self.contacts = FakeContacts(context)
        self.customers = FakeCustomers(context, self.contacts)
        self.products = FakeProducts(context)
        self.credits = FakeCredits(context, self.customers, self.products)
        self.invoices = FakeInvoices(context, self.customers, self.products, self.credits)
        self.quotes = FakeQuotes(context, self.customers, self.products, self.invoices)

    @property
    def records(self) -> dict[str, Records]:
        """All the records, by the name that the control API gives them."""
        return {
            "contacts": self.contacts,
            "customers": self.customers,
            "products": self.products,
            "invoices": self.invoices,
            "quotes": self.quotes,
            "credits": self.credits,
        }

    def populate(
        self,
        *,
        customers: int = 0,
        products: int = 0,
        invoices: int = 0,
        quotes: int = 0,
        credits: int = 0,
    ) -> None:
        """Add that many records without emitting events, as if they had always been there."""
        with self.context.lock:
            self._invent(self.customers, customers)
            self._invent(self.products, products)
            self._invent(self.invoices, invoices)
            self._invent(self.quotes, quotes)
            self._invent(self.credits, credits)

    def _invent(self, records: Records, count: int) -> None:
        random = self.context.random
        customers, products = self.customers.store.ids(), self.products.store.ids()
        for _ in range(count):
            fields: dict[str, Any] = {}
            if isinstance(records, FakeDocuments) and customers:
                fields["customerId"] = random.choice(customers)
            if isinstance(records, FakeDocuments) and products:
                lines = random.sample(products, min(len(products), 2))
                fields["lines"] = [{"productId": id, "quantity": 1 + id % 5} for id in lines]
            made = records.add(fields)
            if isinstance(records, FakeAccountingDocuments) and random.random() < 0.8:
                records.store.put(records.finalized(made))
