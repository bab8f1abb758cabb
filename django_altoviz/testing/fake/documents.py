"""The rules that invoices, quotes and credits of the fake share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from django_altoviz.testing.fake import document_shapes
from django_altoviz.testing.fake.context import Context
from django_altoviz.testing.fake.records import FakeCustomers, FakeProducts, Records, Refused
from django_altoviz.testing.fake.store import FakeRecord

#: Fields that nobody may change once the document is final.
_FINAL_FIELDS = {"customerId", "date", "globalDiscount", "lines", "number"}


class FakeDocuments(Records):
    """Documents: invoices, quotes or credits.

    ``customerId`` is the newest customer unless it is given. Each of the ``lines`` has a product
    (``productId``, ``quantity``), or a ``description`` and a ``taxExcludedPrice``, or only a
    ``description``.
    """

    blank: FakeRecord
    #: The prefix of final numbers.
    prefix: str
    #: The path segment of the API, in lower case. The spelling of Altoviz's paths is [observed].
    route: str

    def __init__(self, context: Context, customers: FakeCustomers, products: FakeProducts) -> None:
        super().__init__(context)
        self._customers, self._products = customers, products
        self._finals = 1000
        customers.references.append(self._has_customer)
        products.references.append(self._has_product)

    def _has_customer(self, id: int) -> bool:
        return bool(self.store.find("customerId", id))

    def _has_product(self, id: int) -> bool:
        return any(
            line["productId"] == id
            for document in self.store.candidates("productId", id)
            for line in document["lines"]
        )

    def send(self, id: int) -> FakeRecord:
        with self._context.lock:
            return self._update(self.get(id), **self._sent())

    def _sent(self) -> FakeRecord:
        link = f"https://app.altoviz.example/public/{self._context.random.randrange(36**6):x}"
        return {"sentAt": self._context.now(), "publicLink": link}

    @abstractmethod
    def _is_open(self, document: FakeRecord) -> bool:
        """Return True if every field may still be changed."""

    def _balance(self, document: FakeRecord) -> FakeRecord:
        """Return the fields that follow from the document's total."""
        return {"balance": document["taxIncludedAmount"]}

    def _make(self, fields: FakeRecord) -> FakeRecord:
        id = self._next_id()
        if "customerId" not in fields:
            fields = fields | {"customerId": self._customers.default_id()}
        if "lines" not in fields:
            fields = fields | {"lines": [self._context.fake_data.line()]}
        fields = {
            "date": self._context.today().isoformat(),
            "subject": self._context.fake_data.subject(),
            "number": self._first_number(),
            **fields,
            "id": id,
            "pdfUrl": f"/v1/{self.route}/download/{id}",
        }
        return self._complete(self.blank, fields)

    def _changed(self, old: FakeRecord, fields: FakeRecord) -> FakeRecord:
        if not self._is_open(old) and (names := sorted(_FINAL_FIELDS & {*fields})):
            raise Refused(
                f"{self.name} {old['number']} is final: {', '.join(names)} can't be changed."
            )
        return self._complete(old, fields)

    def _first_number(self) -> str:
        return f"{self._count:06}"

    def _final_number(self) -> str:
        self._finals += 1
        return f"{self.prefix}{self._finals:06}"

    def _update(self, old: FakeRecord, **fields: Any) -> FakeRecord:
        return self._save(self._complete(old, fields))

    def _complete(self, old: FakeRecord, fields: FakeRecord) -> FakeRecord:
        """Return the document with new values and everything that follows from them."""
        if customer := fields.get("customerId"):
            fields = document_shapes.customer_fields(self._customers.get(customer)) | fields
        if "lines" in fields:
            fields = fields | {"lines": [self._line(line) for line in fields["lines"]]}
        made = document_shapes.document(old, fields, f"A {self.name.lower()}")
        if not made["lines"]:
            # In Altoviz's words.
            raise Refused("The specified condition was not met for 'Lines'.")
        return made | self._balance(made)

    def _line(self, fields: Mapping[str, Any]) -> FakeRecord:
        product_id = fields.get("productId")
        product = fields.get("product")
        if product is None and product_id is not None:
            product = self._products.get(product_id)
        return document_shapes.line(fields, product, self._context.next_line_id())
