"""Quotes of the fake, from pending to invoiced."""

from __future__ import annotations

from datetime import timedelta

from django_altoviz.testing.fake import document_shapes
from django_altoviz.testing.fake.context import Context
from django_altoviz.testing.fake.documents import FakeDocuments
from django_altoviz.testing.fake.invoices import FakeInvoices
from django_altoviz.testing.fake.records import FakeCustomers, FakeProducts, Refused
from django_altoviz.testing.fake.store import FakeRecord

_VALIDITY = timedelta(days=30)


class FakeQuotes(FakeDocuments):
    """Quotes: pending, then sent, then accepted or refused. An accepted quote can be invoiced."""

    name = "Quote"
    first_id = 98_100
    blank = document_shapes.QUOTE
    prefix = "DE"
    route = "salequotes"

    def __init__(
        self,
        context: Context,
        customers: FakeCustomers,
        products: FakeProducts,
        invoices: FakeInvoices,
    ) -> None:
        super().__init__(context, customers, products)
        self._invoices = invoices

    def send(self, id: int) -> FakeRecord:
        with self._context.lock:
            self._check_status(id, "Pending", "Sent")
            return self._update(self.get(id), status="Sent", **self._sent())

    def accept(self, id: int) -> FakeRecord:
        with self._context.lock:
            self._check_status(id, "Pending", "Sent")
            return self._update(self.get(id), status="Accepted", acceptedAt=self._context.now())

    def refuse(self, id: int) -> FakeRecord:
        with self._context.lock:
            self._check_status(id, "Pending", "Sent")
            return self._update(self.get(id), status="Refused", refusedAt=self._context.now())

    def invoice(self, id: int) -> FakeRecord:
        """Make a draft invoice of the quote and return it. Neither has a link to the other."""
        with self._context.lock:
            self._check_status(id, "Accepted")
            quote = self.get(id)
            copied = ("customerId", "customerOrderReference", "subject", "metadata", "lines")
            draft = {name: quote[name] for name in (*copied, "globalDiscount")}
            invoice = self._invoices.create(**draft)
            self._update(quote, status="Invoiced")
            return invoice

    def _check_status(self, id: int, *statuses: str) -> None:
        quote = self.get(id)
        if quote["status"] not in statuses:
            raise Refused(f"Quote {quote['number']} is {quote['status']}.")

    def _is_open(self, document: FakeRecord) -> bool:
        return document["status"] in ("Pending", "Sent")

    def _make(self, fields: FakeRecord) -> FakeRecord:
        validity = self._context.today() + _VALIDITY
        return super()._make({"validityDate": validity.isoformat(), **fields})

    def _first_number(self) -> str:
        return self._final_number()
