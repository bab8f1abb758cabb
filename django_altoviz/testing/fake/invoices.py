"""Invoices and credits of the fake, from draft to payment."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django_altoviz.testing.fake import document_shapes
from django_altoviz.testing.fake.amounts import number
from django_altoviz.testing.fake.context import Context
from django_altoviz.testing.fake.documents import FakeDocuments
from django_altoviz.testing.fake.records import FakeCustomers, FakeProducts, Refused
from django_altoviz.testing.fake.store import FakeRecord

_PAYMENT_TERM = timedelta(days=30)


class FakeAccountingDocuments(FakeDocuments):
    """Invoices and credits: they begin as drafts, become final, and are then paid."""

    def _is_open(self, document: FakeRecord) -> bool:
        return bool(document["isDraft"])

    def finalize(self, id: int) -> FakeRecord:
        """Make the draft final: it gets its definitive number, and payment falls due."""
        with self._context.lock:
            draft = self.get(id)
            if not draft["isDraft"]:
                raise Refused(f"{self.name} {draft['number']} is final already.")
            return self._save(self.finalized(draft))

    def finalized(self, draft: FakeRecord) -> FakeRecord:
        commitment = {
            "id": self._context.next_line_id(),
            "date": (date.fromisoformat(draft["date"]) + _PAYMENT_TERM).isoformat(),
            "amount": draft["taxIncludedAmount"],
            "dueAmount": draft["taxIncludedAmount"],
            "thirdId": number(draft["customerId"] or 0),
        }
        final = {"isDraft": False, "number": self._final_number(), "commitments": [commitment]}
        return self._complete(draft, final)

    def _check_final(self, document: FakeRecord) -> None:
        if document["isDraft"]:
            raise Refused(f"{self.name} {document['number']} is a draft.")

    def _check_deletion(self, record: FakeRecord) -> None:
        if not record["isDraft"]:
            raise Refused(f"{self.name} {record['number']} is final: it can only be cancelled.")

    def _balance(self, document: FakeRecord) -> FakeRecord:
        if document["isDraft"]:
            balance = document["taxIncludedAmount"]
        else:
            balance = sum((each["dueAmount"] for each in document["commitments"]), Decimal(0))
        # Altoviz calls even a draft paid if its total is zero [observed].
        return {"balance": number(balance), "isPaid": not balance}

    def _paid(self, id: int, amount: Any) -> FakeRecord:
        """Return the document after a payment of the whole balance, or of ``amount`` of it."""
        document = self.get(id)
        self._check_final(document)
        due = document["balance"]
        paid = due if amount is None else number(amount)
        if not 0 < paid <= due:
            raise Refused(
                f"{self.name} {document['number']}: can't pay {paid}, the balance is {due}."
            )
        return self._complete(document, self._settle(document, paid))

    def _settle(self, document: FakeRecord, amount: Decimal) -> FakeRecord:
        """Return the document's commitments after a payment of that amount."""
        commitments = []
        for each in document["commitments"]:
            part = min(amount, each["dueAmount"])
            amount -= part
            commitments.append(each | {"dueAmount": number(each["dueAmount"] - part)})
        return {"commitments": commitments}


class FakeCredits(FakeAccountingDocuments):
    """Credits. Altoviz has no events for them [documented]."""

    name = "Credit"
    first_id = 60_300
    blank = document_shapes.CREDIT
    prefix = "AV"
    route = "salecredits"

    def create_for_cancelled(self, invoice: FakeRecord) -> FakeRecord:
        """Create the final credit that cancels the invoice, and settles what was due of it.

        What the customer had paid of the invoice is left to be refunded [inferred].
        """
        copied = ("customerId", "subject", "lines", "globalDiscount")
        draft = self.create(
            **{name: invoice[name] for name in copied},
            cancelledInvoicetId=invoice["id"],
            cancelledInvoicetNumber=invoice["number"],
        )
        credit = self.finalize(draft["id"])
        return self._update(credit, **self._settle(credit, invoice["balance"]))

    def refund(self, id: int, amount: Any = None) -> FakeRecord:
        """Refund the whole balance, or ``amount`` of it."""
        with self._context.lock:
            return self._save(self._paid(id, amount))


class FakeInvoices(FakeAccountingDocuments):
    name = "Invoice"
    first_id = 531_800
    blank = document_shapes.INVOICE
    prefix = "FA"
    route = "saleinvoices"

    def __init__(
        self,
        context: Context,
        customers: FakeCustomers,
        products: FakeProducts,
        credits: FakeCredits,
    ) -> None:
        super().__init__(context, customers, products)
        self._credits = credits

    def send(self, id: int) -> FakeRecord:
        with self._context.lock:
            self._check_final(self.get(id))
            return super().send(id)

    def pay(self, id: int, amount: Any = None) -> FakeRecord:
        """Pay the whole balance, or ``amount`` of it.

        Altoviz sends no event for a payment; the switch ``payment_event`` makes the fake send one.
        """
        with self._context.lock:
            made = self._paid(id, amount)
            if self._context.behaviour().payment_event:
                return self._save(made)
            self.store.put(made)
            return self.get(id)

    def cancel(self, id: int) -> FakeRecord:
        """Cancel the invoice with a credit. Return the invoice, which has the credit's id."""
        with self._context.lock:
            invoice = self.get(id)
            self._check_final(invoice)
            if invoice["isCancelled"]:
                raise Refused(f"Invoice {invoice['number']} is cancelled already.")
            credit = self._credits.create_for_cancelled(invoice)
            return self._update(
                invoice,
                isCancelled=True,
                cancellationCreditId=credit["id"],
                cancellationCreditNumber=credit["number"],
                **self._settle(invoice, invoice["balance"]),
            )
