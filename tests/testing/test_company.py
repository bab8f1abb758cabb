"""Objects of the fake: their shapes, their amounts, and the events that changes emit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from django_altoviz.event_types import EventType
from django_altoviz.samples import sample
from django_altoviz.testing import Behaviour, NoSuchObject, Refused
from django_altoviz.testing.fake.company import Company
from django_altoviz.testing.fake.context import Context

LINES = [
    {"description": "Moule", "taxExcludedPrice": "184.90", "quantity": 12, "purchasePrice": "96.5"},
    {"description": "Mise au point", "taxExcludedPrice": 95, "quantity": "6.5"},
]
LINES[0]["discount"] = {"type": "Percent", "value": 10}


class Emitted(list):
    """The events that a company emits, as (type, object)."""

    def __call__(self, event_type, value):
        self.append((event_type.value, value))

    @property
    def types(self):
        return [type for type, _ in self]


@pytest.fixture
def emitted():
    return Emitted()


@pytest.fixture
def switches():
    return [Behaviour()]


@pytest.fixture
def company(emitted, switches, clock):
    return Company(Context(emitted, lambda: switches[0], clock=clock))


class TestShapes:
    """Objects have exactly the fields that observed deliveries have."""

    @pytest.mark.parametrize("type", [type for type in EventType if type.name.endswith("CREATED")])
    def test_objects_have_the_fields_of_the_samples(self, company, type):
        made = getattr(company, f"{type.entity}s").create()
        expected = sample(type).data
        assert {*made} == {*expected}
        for name, value in expected.items():
            if isinstance(value, dict) and isinstance(made[name], dict) and name != "metadata":
                assert {*made[name]} == {*value}, name
        if "lines" in made:
            assert {*made["lines"][0]} == {*expected["lines"][0]}
            assert {*made["vats"][0]} == {*expected["vats"][0]}

    def test_whole_numbers_are_written_with_a_point(self, company):
        made = company.products.create(name="Vis", unitPrice=20)
        assert str(made["unitPrice"]) == "20.0"
        assert str(company.products.change(made["id"], unitPrice="0.1250")["unitPrice"]) == "0.125"

    def test_a_customers_name_type_and_addresses_are_derived(self, company):
        made = company.customers.create(
            companyName="Fonderie Brûlé",
            billingAddress={"street": "1 rue X\nBât. C", "zipcode": "42000", "city": "Lyon"},
            companyInformations={"siret": "00041278300011"},
        )
        assert (made["name"], made["type"]) == ("Fonderie Brûlé", "Business")
        assert made["companyInformations"]["effectiveElectronicAddress"] == "000412783"
        assert made["billingAddress"]["formattedAddress"] == "1 rue X\nBât. C\n42000 Lyon\nFrance"
        assert made["billingAddress"]["inlineAddress"] == "1 rue X, Bât. C, 42000 Lyon, France"
        person = company.customers.create(firstName="Zoé", lastName="Brûlé")
        assert (person["name"], person["type"]) == ("Zoé Brûlé", "Consumer")

    def test_a_nested_field_can_be_changed_alone(self, company):
        made = company.customers.create(
            companyName="A",
            billingAddress={"city": "Lyon", "zipcode": "69000"},
            companyInformations={"siret": "1", "electronicAddress": "x@y.example"},
        )
        changed = company.customers.change(
            made["id"],
            billingAddress={"city": "Brest", "countryIso": "BE"},
            billingOptions={"paymentMethod": "Card"},
            companyInformations={"vatNumber": "FR1"},
        )
        assert changed["billingAddress"]["inlineAddress"] == "69000 Brest, Belgique"
        assert changed["billingOptions"] == made["billingOptions"] | {"paymentMethod": "Card"}
        assert changed["companyInformations"]["siret"] == "1"
        assert changed["companyInformations"]["effectiveElectronicAddress"] == "x@y.example"
        gone = company.customers.change(made["id"], billingAddress=None, companyInformations=None)
        assert (gone["billingAddress"], gone["companyInformations"]) == (None, None)

    def test_contacts_have_their_name_in_both_orders(self, company):
        made = company.contacts.create(firstName="Zoé", lastName="Brûlé")
        assert (made["displayName"], made["invertedDisplayName"]) == ("Brûlé Zoé", "Zoé Brûlé")
        assert company.contacts.create(companyName="A")["displayName"] == "A"
        changed = company.contacts.change(made["id"], lastName="Noël")
        assert changed["displayName"] == "Noël Zoé"

    @pytest.mark.parametrize("kind", ["contacts", "customers", "products", "invoices", "quotes"])
    def test_an_unknown_field_is_refused(self, company, kind):
        with pytest.raises(TypeError, match="emial"):
            getattr(company, kind).create(emial="x")
        made = getattr(company, kind).create()
        with pytest.raises(TypeError, match="has no field colour, emial"):
            getattr(company, kind).change(made["id"], emial="x", colour="y")

    def test_changing_a_returned_object_does_not_change_the_company(self, company):
        made = company.invoices.create()
        made["lines"][0]["vat"]["rate"] = 7
        made["globalDiscount"]["value"] = 7
        assert company.invoices.get(made["id"])["lines"][0]["vat"]["rate"] == 20
        assert company.invoices.create()["globalDiscount"]["value"] == 0


class TestAmounts:
    def test_amounts_equal_those_of_an_observed_document(self, company):
        book = {"id": 48213, "rate": 5.5, "region": "FR", "label": "5.5% - FR", "default": False}
        third = {"description": "Traité", "taxExcludedPrice": 38, "quantity": 2, "vat": book}
        made = company.invoices.create(
            lines=[{"description": "<p>Phase 1</p>"}, *LINES, third],
            globalDiscount={"type": "Percent", "value": 5},
        )
        expected = sample(EventType.INVOICE_CREATED).data
        for name in [
            "grossTaxExcludedAmount",
            "taxExcludedAmount",
            "taxAmount",
            "taxIncludedAmount",
            "balance",
        ]:
            assert made[name] == expected[name], name
        assert [part["vatAmount"] for part in made["vats"]] == [
            part["vatAmount"] for part in expected["vats"]
        ]
        amounts = [
            "taxIncludedPrice",
            "taxExcludedAmount",
            "taxIncludedAmount",
            "marginAmount",
            "marginRate",
        ]
        for line, other in zip(made["lines"][:2], expected["lines"][:2], strict=True):
            assert [line[name] for name in amounts] == [other[name] for name in amounts]
        assert made["lines"][0]["type"] == "Text"

    def test_a_discount_can_be_an_amount(self, company):
        made = company.quotes.create(
            lines=[{"description": "x", "taxExcludedPrice": 100}],
            globalDiscount={"type": "Fixed", "value": "30"},
        )
        assert (made["taxExcludedAmount"], made["taxIncludedAmount"]) == (70, 84)

    def test_tax_unit_and_discount_can_be_absent(self, company):
        line = {"description": "x", "taxExcludedPrice": 0, "vat": None, "unit": None}
        made = company.invoices.create(lines=[line], globalDiscount=None)
        assert made["vats"] == []
        assert made["lines"][0]["unit"] is None
        # Observed: a draft with a total of zero is paid.
        assert (made["isDraft"], made["isPaid"]) == (True, True)


class TestRelations:
    def test_a_document_copies_fields_of_its_customer_and_products(self, company):
        customer = company.customers.create(
            companyName="A", firstName="Zoé", companyInformations={"siret": "000412783"}
        )
        product = company.products.create(name="Vis", unitPrice="0.5", internalId="sku-1")
        made = company.invoices.create(
            customerId=customer["id"], lines=[{"productId": product["id"], "quantity": 10}]
        )
        assert made["customerNumber"] == customer["number"]
        assert made["customerSiret"] == "000412783"
        assert made["billingContact"]["firstName"] == "Zoé"
        (line,) = made["lines"]
        assert line["product"] == product
        assert (line["productInternalId"], line["taxExcludedAmount"]) == ("sku-1", 5)

    def test_a_document_keeps_its_snapshot_of_the_customer(self, company):
        made = company.invoices.create()
        company.customers.change(made["customerId"], companyName="Other")
        assert company.invoices.get(made["id"])["customerName"] == made["customerName"]

    def test_a_document_can_have_no_customer(self, company):
        made = company.invoices.create(customerId=None)
        assert (made["customerId"], made["customerName"]) == (None, None)
        assert company.invoices.finalize(made["id"])["commitments"][0]["thirdId"] == 0
        assert len(company.customers) == 0

    def test_the_customer_of_a_document_can_be_changed(self, company):
        made = company.invoices.create()
        other = company.customers.create(companyName="Other")
        assert (
            company.invoices.change(made["id"], customerId=other["id"])["customerName"] == "Other"
        )

    def test_references_to_unknown_objects_are_refused(self, company):
        with pytest.raises(NoSuchObject, match="Customer with ID 5 not found"):
            company.invoices.create(customerId=5)
        with pytest.raises(NoSuchObject, match="Product with ID 5 not found"):
            company.invoices.create(lines=[{"productId": 5}])
        with pytest.raises(NoSuchObject):
            company.contacts.delete(5)

    def test_a_line_can_embed_another_version_of_the_product(self, company):
        product = company.products.create(name="New")
        made = company.quotes.create(
            lines=[{"productId": product["id"], "product": product | {"name": "Old"}}]
        )
        assert made["lines"][0]["description"] == "Old"

    def test_each_customer_comes_with_a_contact_that_outlives_it(self, company):
        customer = company.customers.create(firstName="Zoé", lastName="Brûlé")
        (contact,) = company.contacts.of_customer(customer["id"])
        assert (contact["displayName"], contact["isMain"]) == ("Brûlé Zoé", True)
        company.customers.delete(customer["id"])
        assert company.contacts.get(contact["id"])

    def test_deleted_contacts_are_not_among_a_customers_contacts(self, company):
        customer = company.customers.create()["id"]
        second = company.contacts.create(customer=customer, lastName="Second")
        company.contacts.delete(company.contacts.of_customer(customer)[0]["id"])
        assert [each["id"] for each in company.contacts.of_customer(customer)] == [second["id"]]
        assert company.contacts.of_customer(5) == []

    @pytest.mark.parametrize("kind", ["invoices", "quotes", "credits"])
    def test_an_object_in_use_cannot_be_deleted(self, company, kind):
        product = company.products.create()
        made = getattr(company, kind).create(lines=[{"productId": product["id"]}])
        for records, id in [
            (company.customers, made["customerId"]),
            (company.products, product["id"]),
        ]:
            with pytest.raises(Refused, match="ne peut pas être supprimé"):
                records.delete(id)
        getattr(company, kind).delete(made["id"])
        company.products.delete(product["id"])
        company.customers.delete(made["customerId"])


class TestInvoices:
    def test_from_draft_to_payment(self, company, emitted):
        draft = company.invoices.create(date="2026-09-01")
        assert (draft["number"], draft["isDraft"]) == ("000001", True)
        final = company.invoices.finalize(draft["id"])
        assert (final["number"], final["isDraft"], final["isPaid"]) == ("FA001001", False, False)
        (commitment,) = final["commitments"]
        assert commitment["date"] == "2026-10-01"
        assert commitment["dueAmount"] == final["balance"] == final["taxIncludedAmount"]
        sent = company.invoices.send(draft["id"])
        assert sent["sentAt"] == "2026-09-21T14:13:20Z"
        part = company.invoices.pay(draft["id"], "0.01")
        assert part["balance"] == final["balance"] - Decimal("0.01")
        assert not part["isPaid"]
        paid = company.invoices.pay(draft["id"])
        assert (paid["balance"], paid["isPaid"]) == (0, True)
        assert paid["commitments"][0]["dueAmount"] == 0
        assert emitted.types[2:] == ["InvoiceCreated", "InvoiceUpdated", "InvoiceUpdated"]

    def test_a_payment_emits_an_event_if_the_switch_is_on(self, company, emitted, switches):
        invoice = company.invoices.create()["id"]
        company.invoices.finalize(invoice)
        switches[0] = Behaviour(payment_event=True)
        company.invoices.pay(invoice)
        assert (emitted.types[-1], emitted[-1][1]["isPaid"]) == ("InvoiceUpdated", True)

    def test_cancelling_an_invoice_creates_its_credit(self, company, emitted):
        invoice = company.invoices.create(lines=LINES)
        company.invoices.finalize(invoice["id"])
        company.invoices.pay(invoice["id"], 100)
        cancelled = company.invoices.cancel(invoice["id"])
        credit = company.credits.get(cancelled["cancellationCreditId"])
        assert cancelled["isCancelled"]
        assert (cancelled["balance"], cancelled["isPaid"]) == (0, True)
        assert credit["number"] == cancelled["cancellationCreditNumber"] == "AV001001"
        assert credit["cancelledInvoicetId"] == invoice["id"]
        assert credit["taxIncludedAmount"] == invoice["taxIncludedAmount"]
        # What was paid is left to be refunded.
        assert (credit["balance"], credit["isPaid"]) == (100, False)
        assert emitted.types.count("InvoiceUpdated") == 2
        assert not [type for type in emitted.types if type.startswith("Credit")]

    def test_the_credit_of_an_unpaid_invoice_is_settled_by_it(self, company):
        invoice = company.invoices.create(lines=LINES)["id"]
        company.invoices.finalize(invoice)
        cancelled = company.invoices.cancel(invoice)
        credit = company.credits.get(cancelled["cancellationCreditId"])
        assert (credit["balance"], credit["isPaid"]) == (0, True)
        with pytest.raises(Refused, match="the balance is 0"):
            company.credits.refund(credit["id"])

    def test_a_credit_is_refunded_in_parts(self, company, emitted):
        id = company.credits.create(lines=LINES)["id"]
        with pytest.raises(Refused, match="Credit 000001 is a draft"):
            company.credits.refund(id)
        total = company.credits.finalize(id)["balance"]
        assert company.credits.refund(id, 1)["balance"] == total - 1
        refunded = company.credits.refund(id)
        assert (refunded["balance"], refunded["isPaid"]) == (0, True)
        assert emitted.types == ["CustomerCreated", "ContactCreated"]

    def test_a_draft_can_be_deleted(self, company, emitted):
        draft = company.invoices.create()
        assert company.invoices.delete(draft["id"]) == draft
        assert emitted[-1] == ("InvoiceDeleted", draft)
        with pytest.raises(NoSuchObject):
            company.invoices.get(draft["id"])

    def test_actions_that_do_not_fit_the_state_are_refused(self, company):
        invoice = company.invoices.create()["id"]
        for too_early in (company.invoices.send, company.invoices.pay, company.invoices.cancel):
            with pytest.raises(Refused, match="Invoice 000001 is a draft"):
                too_early(invoice)
        company.invoices.finalize(invoice)
        with pytest.raises(Refused, match="is final already"):
            company.invoices.finalize(invoice)
        with pytest.raises(Refused, match="can only be cancelled"):
            company.invoices.delete(invoice)
        with pytest.raises(Refused, match="is final: date, lines can't be changed"):
            company.invoices.change(invoice, lines=LINES, date="2026-01-01", subject="x")
        assert company.invoices.change(invoice, subject="x")["subject"] == "x"
        for amount in (0, -1, 10**9):
            with pytest.raises(Refused, match="the balance is"):
                company.invoices.pay(invoice, amount)
        company.invoices.cancel(invoice)
        with pytest.raises(Refused, match="is cancelled already"):
            company.invoices.cancel(invoice)

    def test_changing_the_lines_of_a_draft_changes_its_amounts(self, company):
        invoice = company.invoices.create(lines=LINES)["id"]
        lines = [{"description": "x", "taxExcludedPrice": 10}]
        assert company.invoices.change(invoice, lines=lines)["taxIncludedAmount"] == 12

    def test_a_document_without_lines_is_refused(self, company):
        with pytest.raises(Refused, match="not met for 'Lines'"):
            company.invoices.create(lines=[])


class TestQuotes:
    def test_from_pending_to_an_invoice(self, company, emitted):
        quote = company.quotes.create(lines=LINES, metadata={"opportunity": "7"})
        assert (quote["number"], quote["status"]) == ("DE001001", "Pending")
        assert quote["validityDate"] == "2026-10-21"
        assert company.quotes.send(quote["id"])["status"] == "Sent"
        accepted = company.quotes.accept(quote["id"])
        assert (accepted["status"], accepted["acceptedAt"]) == ("Accepted", "2026-09-21T14:13:20Z")
        invoice = company.quotes.invoice(quote["id"])
        assert company.quotes.get(quote["id"])["status"] == "Invoiced"
        assert invoice["isDraft"]
        assert invoice["taxIncludedAmount"] == quote["taxIncludedAmount"]
        assert invoice["metadata"] == {"opportunity": "7"}
        assert emitted.types[-4:] == [
            "QuoteUpdated",
            "QuoteUpdated",
            "InvoiceCreated",
            "QuoteUpdated",
        ]

    def test_a_quote_can_be_refused_and_deleted(self, company, emitted):
        quote = company.quotes.create()["id"]
        refused = company.quotes.refuse(quote)
        assert (refused["status"], refused["refusedAt"]) == ("Refused", "2026-09-21T14:13:20Z")
        company.quotes.delete(quote)
        assert emitted.types[-1] == "QuoteDeleted"

    def test_actions_that_do_not_fit_the_state_are_refused(self, company):
        quote = company.quotes.create()["id"]
        with pytest.raises(Refused, match="Quote DE001001 is Pending"):
            company.quotes.invoice(quote)
        company.quotes.refuse(quote)
        for too_late in (company.quotes.send, company.quotes.accept, company.quotes.refuse):
            with pytest.raises(Refused, match="is Refused"):
                too_late(quote)
        with pytest.raises(Refused, match="customerId can't be changed"):
            company.quotes.change(quote, customerId=None)


class TestEvents:
    @pytest.mark.parametrize(
        ("when", "expected"),
        [
            ("after", ["CustomerCreated", "ContactCreated"]),
            ("before", ["ContactCreated", "CustomerCreated"]),
            ("never", ["CustomerCreated"]),
        ],
    )
    def test_the_switch_decides_when_the_contact_of_a_new_customer_is_announced(
        self, company, emitted, switches, when, expected
    ):
        switches[0] = Behaviour(contact_event=when)
        company.customers.create()
        assert emitted.types == expected
        (contact,) = company.contacts.all()
        assert [value for type, value in emitted if type == "ContactCreated"] in ([contact], [])

    @pytest.mark.parametrize("kind", ["contacts", "customers", "products", "quotes"])
    def test_each_change_emits_an_event_with_the_object_as_it_is_then(self, company, emitted, kind):
        records = getattr(company, kind)
        made = records.create()
        changed = records.change(made["id"], internalId="mine")
        assert changed["internalId"] == "mine"
        records.delete(made["id"])
        name = records.name
        assert [each for each in emitted if each[0].startswith(name)] == [
            (f"{name}Created", made),
            (f"{name}Updated", changed),
            (f"{name}Deleted", changed),
        ]


class TestFakeData:
    def test_the_same_seed_invents_the_same(self, emitted, clock):
        def all_objects(seed):
            company = Company(Context(emitted, Behaviour, seed=seed, clock=clock))
            company.populate(customers=20, products=5, invoices=10, quotes=5, credits=5)
            return [[*records.all()] for records in company.records.values()]

        assert all_objects(1) == all_objects(1) != all_objects(2)

    def test_populating_emits_no_events(self, company, emitted):
        company.populate(customers=3, products=2, invoices=20, quotes=2, credits=20)
        assert emitted == []
        sizes = [len(records) for records in company.records.values()]
        assert sizes == [3, 3, 2, 20, 2, 20]
        for records in (company.invoices, company.credits):
            assert {each["isDraft"] for each in records.all()} == {True, False}
        assert all(each["lines"][0]["productId"] for each in company.invoices.all())

    def test_documents_alone_get_a_customer(self, company):
        company.populate(invoices=2)
        assert len(company.customers) == 1

    def test_new_ids_can_be_made_to_start_higher(self, company):
        company.customers.skip_ids(1_000_000)
        assert company.customers.create()["id"] > 1_000_000
        company.customers.skip_ids(5)
        assert company.customers.create()["id"] > 1_000_000
