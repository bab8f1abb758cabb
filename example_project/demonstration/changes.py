"""Changes to objects of a company at the fake Altoviz, and the events that must arrive."""

from __future__ import annotations

from collections.abc import Iterator

from django_altoviz.testing import Delivery, FakeAltoviz

#: A change, and the events that it must emit.
Step = tuple[str, list[str]]

_LINES = [
    {"description": "<p>Phase 1</p>"},
    {"description": "Moule aluminium 7 cavités", "taxExcludedPrice": "184.90", "quantity": 12},
    {"description": "Mise au point sur site", "taxExcludedPrice": "95", "quantity": "6.5"},
]


def all_steps(altoviz: FakeAltoviz) -> Iterator[Step]:
    yield from customers_and_contacts(altoviz)
    yield from from_quote_to_payment(altoviz)
    yield from refusals_and_cancellations(altoviz)
    yield from network_faults(altoviz)


def customers_and_contacts(altoviz: FakeAltoviz) -> Iterator[Step]:
    customer = altoviz.customers.create(companyName="Fonderie Brûlé & Fils", lastName="Brûlé")
    yield "A customer is created", ["CustomerCreated", "ContactCreated"]
    altoviz.customers.change(customer["id"], billingAddress={"city": "Saint-Étienne"})
    yield "... and moves", ["CustomerUpdated"]
    contact = altoviz.contacts.create(customer=customer["id"], lastName="Lefèvre")
    yield "A second contact is created", ["ContactCreated"]
    altoviz.contacts.delete(contact["id"])
    yield "... and deleted", ["ContactDeleted"]


def from_quote_to_payment(altoviz: FakeAltoviz) -> Iterator[Step]:
    quote = altoviz.quotes.create(lines=_LINES, globalDiscount={"type": "Percent", "value": 5})
    yield "A quote is created", ["QuoteCreated"]
    altoviz.quotes.send(quote["id"])
    yield "... sent", ["QuoteUpdated"]
    altoviz.quotes.accept(quote["id"])
    yield "... accepted", ["QuoteUpdated"]
    invoice = altoviz.quotes.invoice(quote["id"])
    yield "... and turned into an invoice", ["InvoiceCreated", "QuoteUpdated"]
    altoviz.invoices.finalize(invoice["id"])
    yield "The invoice is finalized", ["InvoiceUpdated"]
    altoviz.invoices.send(invoice["id"])
    yield "... sent", ["InvoiceUpdated"]
    altoviz.invoices.pay(invoice["id"], 1000)
    yield "... partly paid: Altoviz sends no event", []
    altoviz.behave(payment_event=True)
    altoviz.invoices.pay(invoice["id"])
    yield "... and paid in full, now with an event", ["InvoiceUpdated"]


def refusals_and_cancellations(altoviz: FakeAltoviz) -> Iterator[Step]:
    quote = altoviz.quotes.create()
    altoviz.quotes.refuse(quote["id"])
    yield "Another quote is created and refused", ["QuoteCreated", "QuoteUpdated"]
    draft = altoviz.invoices.create()
    altoviz.invoices.delete(draft["id"])
    yield "A draft invoice is created and deleted", ["InvoiceCreated", "InvoiceDeleted"]
    invoice = altoviz.invoices.create(lines=_LINES)
    altoviz.invoices.finalize(invoice["id"])
    altoviz.invoices.cancel(invoice["id"])
    yield (
        "An invoice is finalized and cancelled",
        ["InvoiceCreated", "InvoiceUpdated", "InvoiceUpdated"],
    )


def network_faults(altoviz: FakeAltoviz) -> Iterator[Step]:
    product = altoviz.products.create(name="Moule", unitPrice="184.90")["id"]
    yield "A product is created", ["ProductCreated"]
    altoviz.behave(duplicate=1)
    altoviz.products.change(product, unitPrice="189.50")
    yield "Its price changes; the event comes twice", ["ProductUpdated"] * 2
    altoviz.behave(duplicate=0, reorder=0.6)
    for price in range(190, 196):
        altoviz.products.change(product, unitPrice=price)
    yield "... six times; the events are out of order", ["ProductUpdated"] * 6
    altoviz.behave(reorder=0)
    draft = altoviz.invoices.create()["id"]
    yield "Another draft invoice is created", ["InvoiceCreated"]
    altoviz.behave(drop=1)
    altoviz.products.change(product, unitPrice="210")
    yield "The product's price changes; the event is lost", []
    altoviz.quotes.create()
    yield "A quote is created; the event is lost", []
    altoviz.invoices.delete(draft)
    yield "The draft is deleted; the event is lost", []


def make_changes(altoviz: FakeAltoviz) -> Iterator[tuple[str, list[Delivery], list[str]]]:
    """Take all steps. Yield for each the change, its deliveries and the expected events."""
    seen = len(altoviz.wait())
    for change, expected in all_steps(altoviz):
        arrived = altoviz.wait()[seen:]
        seen += len(arrived)
        yield change, arrived, expected


def describe(delivery: Delivery) -> str:
    """Return the type of the event and, unless the answer was 200, the answer or the error."""
    if delivery.status == 200:
        return str(delivery.type.value)
    return f"{delivery.type.value} {delivery.error or delivery.status}"
