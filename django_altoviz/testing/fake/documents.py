"""What happens to invoices, quotes and credits of the fake, from draft to payment."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django_altoviz.testing.fake import document_shapes
from django_altoviz.testing.fake.amounts import number
from django_altoviz.testing.fake.records import Records, Refused
from django_altoviz.testing.fake.shapes import Object

if TYPE_CHECKING:
    from django_altoviz.testing.fake.company import Company

_PAYMENT_TERM = timedelta(days=30)
# What may not be changed any more once a document is final.
_FIXED = {"customerId", "date", "globalDiscount", "lines", "number"}


class Documents(Records):
    """A document is of the customer ``customerId``, by default of the one that was made last.

    It has ``lines``, each of a product (``productId``, ``quantity``), or with a ``description`` and
    a ``taxExcludedPrice``, or only with a ``description``.
    """

    blank: Object
    #: The first letters of final numbers.
    prefix: str
    #: As in the paths of the API, in lower case: Altoviz's own paths are [observed].
    route: str

    def __init__(self, company: Company) -> None:
        super().__init__(company)
        self._finals = 1000

    def refer_to(self, name: str, id: int) -> bool:
        """Whether any of them is of that customer, or has a line of that product."""
        if name == "Customer":
            return bool(self.shelf.find("customerId", id))
        return name == "Product" and any(
            line["productId"] == id
            for each in self.shelf.likely("productId", id)
            for line in each["lines"]
        )

    def send(self, id: int) -> Object:
        with self._company.lock:
            return self._update(self.get(id), **self._sent())

    def _sent(self) -> Object:
        link = f"https://app.altoviz.example/public/{self._company.random.randrange(36**6):x}"
        return {"sentAt": self._company.now(), "publicLink": link}

    @abstractmethod
    def _is_open(self, value: Object) -> bool:
        """Whether all of it may still be changed."""

    def _balance(self, value: Object) -> Object:
        """What follows from a document's total."""
        return {"balance": value["taxIncludedAmount"]}

    def _make(self, fields: Object) -> Object:
        id = self._next_id()
        if "customerId" not in fields:
            fields = fields | {"customerId": self._company.any_customer()}
        if "lines" not in fields:
            fields = fields | {"lines": [self._company.inventor.line()]}
        said = {
            "date": self._company.today().isoformat(),
            "subject": self._company.inventor.subject(),
            "number": self._first_number(),
            **fields,
            "id": id,
            "pdfUrl": f"/v1/{self.route}/download/{id}",
        }
        return self._complete(self.blank, said)

    def _changed(self, old: Object, fields: Object) -> Object:
        if not self._is_open(old) and (fixed := sorted(_FIXED & {*fields})):
            raise Refused(f"{self.name} {old['number']} is final: {', '.join(fixed)} stay.")
        return self._complete(old, fields)

    def _first_number(self) -> str:
        return f"{self._made:06}"

    def _final_number(self) -> str:
        self._finals += 1
        return f"{self.prefix}{self._finals:06}"

    def _update(self, old: Object, **fields: Any) -> Object:
        return self._save(self._complete(old, fields))

    def _complete(self, old: Object, fields: Object) -> Object:
        if customer := fields.get("customerId"):
            fields = document_shapes.of_customer(self._company.customers.get(customer)) | fields
        if "lines" in fields:
            fields = fields | {"lines": [self._line(line) for line in fields["lines"]]}
        made = document_shapes.document(old, fields, f"A {self.name.lower()}")
        if not made["lines"]:
            raise Refused("The specified condition was not met for 'Lines'.")
        return made | self._balance(made)

    def _line(self, given: Mapping[str, Any]) -> Object:
        product = given.get("productId")
        embedded = given.get("product")
        if embedded is None and product is not None:
            embedded = self._company.products.get(product)
        return document_shapes.line(given, embedded, self._company.next_line_id())


class Quotes(Documents):
    """Pending, then sent, then accepted or refused; an accepted one is invoiced."""

    name = "Quote"
    first_id = 98_100
    blank = document_shapes.QUOTE
    prefix = "DE"
    route = "salequotes"

    def send(self, id: int) -> Object:
        with self._company.lock:
            self._check(id, "Pending", "Sent")
            return self._update(self.get(id), status="Sent", **self._sent())

    def accept(self, id: int) -> Object:
        with self._company.lock:
            self._check(id, "Pending", "Sent")
            return self._update(self.get(id), status="Accepted", acceptedAt=self._company.now())

    def refuse(self, id: int) -> Object:
        with self._company.lock:
            self._check(id, "Pending", "Sent")
            return self._update(self.get(id), status="Refused", refusedAt=self._company.now())

    def invoice(self, id: int) -> Object:
        """Make an invoice of it, a draft, which is returned: there is no link between the two."""
        with self._company.lock:
            self._check(id, "Accepted")
            quote = self.get(id)
            taken_over = ("customerId", "customerOrderReference", "subject", "metadata", "lines")
            draft = {name: quote[name] for name in (*taken_over, "globalDiscount")}
            invoice = self._company.invoices.create(**draft)
            self._update(quote, status="Invoiced")
            return invoice

    def _check(self, id: int, *statuses: str) -> None:
        quote = self.get(id)
        if quote["status"] not in statuses:
            raise Refused(f"Quote {quote['number']} is {quote['status']}.")

    def _is_open(self, value: Object) -> bool:
        return value["status"] in ("Pending", "Sent")

    def _make(self, fields: Object) -> Object:
        validity = self._company.today() + _PAYMENT_TERM
        return super()._make({"validityDate": validity.isoformat(), **fields})

    def _first_number(self) -> str:
        return self._final_number()


class Claims(Documents):
    """Invoices and credits: drafts first, then final, then paid."""

    def _is_open(self, value: Object) -> bool:
        return bool(value["isDraft"])

    def finalize(self, id: int) -> Object:
        """Make the draft final: it gets its number, and is due."""
        with self._company.lock:
            draft = self.get(id)
            if not draft["isDraft"]:
                raise Refused(f"{self.name} {draft['number']} is final already.")
            return self._save(self.finalized(draft))

    def finalized(self, draft: Object) -> Object:
        commitment = {
            "id": self._company.next_line_id(),
            "date": (date.fromisoformat(draft["date"]) + _PAYMENT_TERM).isoformat(),
            "amount": draft["taxIncludedAmount"],
            "dueAmount": draft["taxIncludedAmount"],
            "thirdId": number(draft["customerId"] or 0),
        }
        final = {"isDraft": False, "number": self._final_number(), "commitments": [commitment]}
        return self._complete(draft, final)

    def _check_final(self, value: Object) -> None:
        if value["isDraft"]:
            raise Refused(f"{self.name} {value['number']} is a draft.")

    def _check_deletion(self, value: Object) -> None:
        if not value["isDraft"]:
            raise Refused(f"{self.name} {value['number']} is final: it can only be cancelled.")

    def _balance(self, value: Object) -> Object:
        if value["isDraft"]:
            balance = value["taxIncludedAmount"]
        else:
            balance = sum((each["dueAmount"] for each in value["commitments"]), Decimal(0))
        # A draft about nothing is paid, too [observed].
        return {"balance": number(balance), "isPaid": not balance}

    def _settle(self, value: Object, amount: Decimal) -> Object:
        """Its commitments when so much of them is paid."""
        commitments = []
        for each in value["commitments"]:
            part = min(amount, each["dueAmount"])
            amount -= part
            commitments.append(each | {"dueAmount": number(each["dueAmount"] - part)})
        return {"commitments": commitments}


class Invoices(Claims):
    name = "Invoice"
    first_id = 531_800
    blank = document_shapes.INVOICE
    prefix = "FA"
    route = "saleinvoices"

    def send(self, id: int) -> Object:
        with self._company.lock:
            self._check_final(self.get(id))
            return super().send(id)

    def pay(self, id: int, amount: Any = None) -> Object:
        """Pay it, or so much of it. No event tells of that, unless ``payment_event`` says so."""
        with self._company.lock:
            invoice = self.get(id)
            self._check_final(invoice)
            due = invoice["balance"]
            paid = due if amount is None else number(amount)
            if not 0 < paid <= due:
                raise Refused(f"Invoice {invoice['number']}: {due} are due.")
            made = self._complete(invoice, self._settle(invoice, paid))
            if self._company.behaviour().payment_event:
                return self._save(made)
            self.shelf.put(made)
            return self.get(id)

    def cancel(self, id: int) -> Object:
        """Cancel it by a credit. The invoice is returned, which has the credit's id."""
        with self._company.lock:
            invoice = self.get(id)
            self._check_final(invoice)
            if invoice["isCancelled"]:
                raise Refused(f"Invoice {invoice['number']} is cancelled already.")
            credit = self._company.credits.of_cancelled(invoice)
            return self._update(
                invoice,
                isCancelled=True,
                cancellationCreditId=credit["id"],
                cancellationCreditNumber=credit["number"],
                **self._settle(invoice, invoice["balance"]),
            )


class Credits(Claims):
    """Of them no webhook is told [documented]."""

    name = "Credit"
    first_id = 60_300
    blank = document_shapes.CREDIT
    prefix = "AV"
    route = "salecredits"

    def of_cancelled(self, invoice: Object) -> Object:
        taken_over = ("customerId", "subject", "lines", "globalDiscount")
        draft = self.create(
            **{name: invoice[name] for name in taken_over},
            cancelledInvoicetId=invoice["id"],
            cancelledInvoicetNumber=invoice["number"],
        )
        return self.finalize(draft["id"])
