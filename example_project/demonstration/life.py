"""What happens in a company at the fake Altoviz, and what has to arrive of it."""

from __future__ import annotations

from collections.abc import Iterator

from django_altoviz.testing import Delivery, FakeAltoviz

#: What happened, and the events that have to come of it.
Step = tuple[str, list[str]]

_LINES = [
    {"description": "<p>Phase 1</p>"},
    {"description": "Moule aluminium 7 cavités", "taxExcludedPrice": "184.90", "quantity": 12},
    {"description": "Mise au point sur site", "taxExcludedPrice": "95", "quantity": "6.5"},
]


def everything(altoviz: FakeAltoviz) -> Iterator[Step]:
    yield from the_basics(altoviz)
    yield from a_quote_that_becomes_an_invoice(altoviz)
    yield from what_comes_to_nothing(altoviz)
    yield from a_bad_day_for_the_network(altoviz)


def the_basics(altoviz: FakeAltoviz) -> Iterator[Step]:
    customer = altoviz.customers.create(companyName="Fonderie Brûlé & Fils", lastName="Brûlé")
    yield "A customer", ["CustomerCreated", "ContactCreated"]
    altoviz.customers.change(customer["id"], billingAddress={"city": "Saint-Étienne"})
    yield "... has moved", ["CustomerUpdated"]
    contact = altoviz.contacts.create(customer=customer["id"], lastName="Lefèvre")
    yield "A second contact", ["ContactCreated"]
    altoviz.contacts.delete(contact["id"])
    yield "... is gone", ["ContactDeleted"]


def a_quote_that_becomes_an_invoice(altoviz: FakeAltoviz) -> Iterator[Step]:
    quote = altoviz.quotes.create(lines=_LINES, globalDiscount={"type": "Percent", "value": 5})
    yield "A quote", ["QuoteCreated"]
    altoviz.quotes.send(quote["id"])
    yield "... is sent", ["QuoteUpdated"]
    altoviz.quotes.accept(quote["id"])
    yield "... is accepted", ["QuoteUpdated"]
    invoice = altoviz.quotes.invoice(quote["id"])
    yield "... becomes an invoice", ["InvoiceCreated", "QuoteUpdated"]
    altoviz.invoices.finalize(invoice["id"])
    yield "The invoice is final", ["InvoiceUpdated"]
    altoviz.invoices.send(invoice["id"])
    yield "... is sent", ["InvoiceUpdated"]
    altoviz.invoices.pay(invoice["id"], 1000)
    yield "... is paid in part, of which nothing tells", []
    altoviz.behave(payment_event=True)
    altoviz.invoices.pay(invoice["id"])
    yield "... is paid, of which Altoviz may tell", ["InvoiceUpdated"]


def what_comes_to_nothing(altoviz: FakeAltoviz) -> Iterator[Step]:
    quote = altoviz.quotes.create()
    altoviz.quotes.refuse(quote["id"])
    yield "Another quote is refused", ["QuoteCreated", "QuoteUpdated"]
    draft = altoviz.invoices.create()
    altoviz.invoices.delete(draft["id"])
    yield "A draft is deleted", ["InvoiceCreated", "InvoiceDeleted"]
    invoice = altoviz.invoices.create(lines=_LINES)
    altoviz.invoices.finalize(invoice["id"])
    altoviz.invoices.cancel(invoice["id"])
    yield "An invoice is cancelled", ["InvoiceCreated", "InvoiceUpdated", "InvoiceUpdated"]


def a_bad_day_for_the_network(altoviz: FakeAltoviz) -> Iterator[Step]:
    product = altoviz.products.create(name="Moule", unitPrice="184.90")["id"]
    yield "A product", ["ProductCreated"]
    altoviz.behave(duplicate=1)
    altoviz.products.change(product, unitPrice="189.50")
    yield "... gets dearer; all comes twice", ["ProductUpdated"] * 2
    altoviz.behave(duplicate=0, reorder=0.6)
    for price in range(190, 196):
        altoviz.products.change(product, unitPrice=price)
    yield "... and dearer; the order is lost", ["ProductUpdated"] * 6
    altoviz.behave(reorder=0)
    draft = altoviz.invoices.create()["id"]
    yield "Another draft", ["InvoiceCreated"]
    altoviz.behave(drop=1)
    altoviz.products.change(product, unitPrice="210")
    yield "The product gets dearer; that is lost", []
    altoviz.quotes.create()
    yield "Another quote; that is lost", []
    altoviz.invoices.delete(draft)
    yield "The draft is deleted; that is lost", []


def live(altoviz: FakeAltoviz) -> Iterator[tuple[str, list[Delivery], list[str]]]:
    """Do everything; of each step, what was done, what arrived, and what has to arrive."""
    seen = len(altoviz.wait())
    for what, expected in everything(altoviz):
        arrived = altoviz.wait()[seen:]
        seen += len(arrived)
        yield what, arrived, expected


def told(delivery: Delivery) -> str:
    """What arrived; and how it was answered, if that was not with 200."""
    if delivery.status == 200:
        return str(delivery.type.value)
    return f"{delivery.type.value} {delivery.error or delivery.status}"
