"""Credits have what invoices have, although only a sync brings them in."""

from __future__ import annotations

import csv
import io

import pytest
from django.core.cache import cache
from django.urls import reverse

from django_altoviz.event_types import Entity
from django_altoviz.models import Credit, CreditLine, Customer, Invoice
from django_altoviz.privacy.erasure import erase
from tests.client.scripted import Answer, ScriptedServer
from tests.conftest import body_of, find_difference
from tests.test_admin import VIEW, client_of, html, links, list_of, listed, page_of
from tests.test_admin_lists import totals
from tests.test_admin_objects import days_from_now, due
from tests.test_admin_objects import states as states_of
from tests.test_api import client_with, read

pytestmark = pytest.mark.django_db
LOGIN_QUERIES = 4


def find_credit(id=60412, account="default", **data):
    """Bring a credit in as a sync does, and return its row."""
    assert find_difference("CreditUpdated", account, id=id, **data) in ("new", "changed")
    return Credit.with_deleted.get(account=account, altoviz_id=id)


@pytest.fixture
def viewer():
    return client_of("viewer", *VIEW)


class TestRelations:
    INVOICE = {"id": 7, "number": "FA7", "cancellationCreditId": 8, "isCancelled": True}
    CREDIT = {"id": 8, "number": "AV8", "cancelledInvoicetId": 7, "cancelledInvoicetNumber": "FA7"}

    @pytest.mark.parametrize("first", ["invoice", "credit"])
    def test_an_invoice_and_its_credit_find_each_other_whichever_comes_first(self, post, first):
        if first == "invoice":
            post(body_of("InvoiceUpdated", **self.INVOICE))
            assert Invoice.objects.get().cancellation_credit is None
            assert Invoice.objects.get().cancellation_credit_id == "default:8"
            find_credit(**self.CREDIT)
        else:
            find_credit(**self.CREDIT)
            assert Credit.objects.get().cancelled_invoice is None
            assert Credit.objects.get().cancelled_invoice_id == "default:7"
            post(body_of("InvoiceUpdated", **self.INVOICE))
        invoice, credit = Invoice.objects.get(), Credit.objects.get()
        assert (invoice.cancellation_credit, credit.cancelled_invoice) == (credit, invoice)
        assert Credit.objects.get(cancelled_invoice__number="FA7") == credit
        assert Invoice.objects.get(cancellation_credit__number="AV8") == invoice

    def test_they_stay_within_the_account(self, post):
        post(body_of("InvoiceUpdated", **self.INVOICE), account="acme")
        assert find_credit(**self.CREDIT).cancelled_invoice is None
        assert Invoice.objects.get().cancellation_credit is None

    def test_a_relation_follows_its_field(self, post):
        for id in (7, 9):
            post(body_of("InvoiceUpdated", id=id, number=f"FA{id}"))
        assert find_credit(**self.CREDIT).cancelled_invoice.number == "FA7"
        changed = find_credit(**self.CREDIT | {"cancelledInvoicetId": 9})
        assert changed.cancelled_invoice.number == "FA9"
        assert find_credit(**self.CREDIT | {"cancelledInvoicetId": None}).cancelled_invoice is None

    def test_a_deleted_credit_is_still_found_by_its_invoice(self, post):
        post(body_of("InvoiceUpdated", **self.INVOICE))
        find_credit(**self.CREDIT)
        assert find_difference("CreditDeleted", id=8) == "deleted"
        assert not Credit.objects.exists()
        assert Invoice.objects.get().cancellation_credit.deleted_at is not None

    def test_a_customer_and_a_product_have_their_credits(self, post, bring):
        post(body_of("CustomerUpdated"))
        bring("ProductUpdated", id=203960)
        credit = find_credit()
        customer = Customer.objects.get()
        assert (credit.customer, [*customer.credits.all()]) == (customer, [credit])
        line = CreditLine.objects.exclude(product=None).get()
        assert [*line.product.creditlines.all()] == [line]
        assert [*credit.lines.all()] == [*CreditLine.objects.all()]

    def test_a_list_with_its_invoices_takes_one_query(self, post, django_assert_num_queries):
        for id in range(1, 6):
            post(body_of("InvoiceUpdated", id=id, number=f"FA{id}"))
            find_credit(id=100 + id, cancelledInvoicetId=id)
        with django_assert_num_queries(1):
            rows = Credit.objects.select_related("cancelled_invoice").order_by("altoviz_id")
            assert [row.cancelled_invoice.number for row in rows][::4] == ["FA1", "FA5"]


class TestAdmin:
    def test_an_invoice_and_its_credit_link_to_each_other(self, post, viewer):
        post(body_of("InvoiceUpdated", id=7, number="FA7", cancellationCreditId=8))
        credit = find_credit(id=8, number="AV8", cancelledInvoicetId=7)
        invoice = Invoice.objects.get()
        [to_credit] = [link for link in links(html(viewer, page_of(invoice))) if "_3A8/" in link]
        assert viewer.get(to_credit).context["original"] == credit
        to_invoice = {link for link in links(html(viewer, page_of(credit))) if "_3A7/" in link}
        assert viewer.get(to_invoice.pop()).context["original"] == invoice
        assert not to_invoice

    def test_what_is_not_mirrored_is_shown_by_its_number(self, post, viewer):
        post(body_of("InvoiceUpdated", cancellationCreditId=8, cancellationCreditNumber="AV8"))
        assert "AV8 (8)" in html(viewer, page_of(Invoice.objects.get()))
        assert "FA001039 (531871)" in html(viewer, page_of(find_credit()))

    @pytest.mark.parametrize(
        ("data", "states"),
        [
            ({"isDraft": True, "isPaid": True}, ["draft", "settled"]),
            ({"isDraft": False}, ["finalised"]),
            ({"isDraft": False, "sentAt": "2026-10-20T09:14:52Z"}, ["sent"]),
            ({"isDraft": False, "isPaid": True, "balance": 0}, ["settled"]),
            ({"isDraft": False, "isCancelled": True}, ["cancelled"]),
            ({"isDraft": False, "commitments": [due(-3)]}, ["finalised", "overdue"]),
            ({"isDraft": None, "isPaid": True}, ["settled"]),
        ],
    )
    def test_a_page_leads_with_the_states(self, viewer, data, states):
        nothing = {"sentAt": None, "isPaid": False, "isCancelled": False, "commitments": []}
        credit = find_credit(**nothing | data)
        assert [label for _style, label in states_of(viewer, credit)] == states

    def test_a_page_shows_what_is_due_and_the_lines(self, viewer):
        page = html(viewer, page_of(find_credit()))
        for text in ("Nov. 19, 2026", "€741.00", "Mise au point sur site", "credit sent"):
            assert text in page

    def test_the_list_has_totals_by_state_and_is_filtered_by_what_is_due(self, viewer):
        opened = {"isDraft": False, "isPaid": False, "isCancelled": False}
        for id, data in enumerate(
            [
                {"isDraft": True},
                {"isPaid": True, "balance": 0},
                {"isCancelled": True},
                {"commitments": [due(-2)]},
                {"commitments": [due(3)]},
                {"commitments": [], "isDraft": None},
            ],
            start=1,
        ):
            amounts = {"taxIncludedAmount": 10 * id, "balance": 10 * id}
            find_credit(id=id, **opened | amounts | {"date": days_from_now(-id)} | data)
        found = {row.label: row[1:4:2] for row in totals(viewer, list_of(Credit))}
        assert found == {
            "cancelled": (1, "€30.00"),
            "drafts": (1, "€10.00"),
            "settled": (1, "€20.00"),
            "overdue": (1, "€40.00"),
            "not due yet": (1, "€50.00"),
            "other": (1, "€60.00"),
            "total without: cancelled, drafts": (4, "€170.00"),
        }
        [overdue] = listed(viewer, list_of(Credit, due="overdue"))
        assert overdue.altoviz_id == 4

    def test_the_list_is_exported(self):
        find_credit(commitments=[])
        clerk = client_of("clerk", "view_credit", "export_credit")
        answer = clerk.post(reverse("admin:django_altoviz_credit_export"))
        text = b"".join(answer.streaming_content).decode("utf-8-sig")
        [row] = csv.DictReader(io.StringIO(text))
        assert (row["state"], row["cancelled invoice number"]) == ("sent", "FA001039")
        assert not {"customer", "cancelled invoice"} & {*row}

    def test_the_pdf_is_streamed_for_those_who_may(self, settings, viewer):
        cache.clear()
        credit = find_credit()
        url = reverse("admin:django_altoviz_credit_pdf", args=[credit.pk])
        with ScriptedServer(
            Answer(200, b"%PDF-1.7\n", {"Content-Type": "application/pdf"})
        ) as server:
            settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": "a-key", "BASE_URL": server.url}
            clerk = client_of("clerk", "view_credit", "download_credit")
            assert url in html(clerk, page_of(credit))
            assert b"".join(clerk.get(url).streaming_content) == b"%PDF-1.7\n"
            assert url not in html(viewer, page_of(credit))
            assert viewer.get(url).status_code == 403
        assert [request.path for request in server.received] == ["/v1/SaleCredits/Download/60412"]


class TestAPI:
    def test_a_credit_has_its_lines_its_customer_and_its_invoice(self, post):
        post(body_of("CustomerUpdated", name="Fonderie"))
        find_credit(cancelledInvoicetId=7)
        client = client_with("view_credit", "view_customer")
        credit = read(client, "credits/default:60412/", expand="lines,customer,data")
        assert (credit["number"], credit["balance"]) == ("AV000012", "741")
        assert credit["cancelled_invoice_key"] == "default:7"
        assert [line["position"] for line in credit["lines"]] == [0, 1]
        assert credit["customer"]["name"] == "Fonderie"
        assert credit["data"]["cancelledInvoicetNumber"] == "FA001039"

    def test_credits_and_invoices_are_filtered_by_each_other(self, post):
        client = client_with("view_credit", "view_invoice")
        for id in (1, 2):
            post(body_of("InvoiceUpdated", id=id, cancellationCreditId=id))
            find_credit(id=id, cancelledInvoicetId=id, isPaid=id == 2)
        for path, query in [
            ("credits/", {"cancelled_invoice": "default:2"}),
            ("credits/", {"is_paid": "true", "is_draft": "false", "is_cancelled": "false"}),
            ("invoices/", {"cancellation_credit": "default:2"}),
        ]:
            [found] = read(client, path, **query)["results"]
            assert found["altoviz_id"] == 2
        assert found["cancellation_credit_key"] == "default:2"

    def test_the_permission_is_needed(self):
        read(client_with("view_invoice"), "credits/", 403)

    def test_a_page_takes_as_many_queries_for_many_credits_as_for_few(
        self, post, django_assert_num_queries
    ):
        client = client_with("view_credit", "view_customer")
        made = 0
        for count in (2, 20):
            for id in range(made + 1, made + count + 1):
                find_credit(id=id, customerId=id, cancelledInvoicetId=id)
                post(body_of("CustomerUpdated", id=id))
            made += count
            client = client_with("view_credit", "view_customer")
            # Permissions of the user and of the groups, credits, customers, lines.
            with django_assert_num_queries(5):
                assert len(read(client, "credits/", expand="customer,lines")["results"]) == made


def test_an_erasure_keeps_what_accounting_needs_of_a_credit(post):
    post(body_of("CustomerUpdated"))
    erased = erase(Entity.CUSTOMER, find_credit().customer_altoviz_id, "default")
    credit = Credit.objects.get()
    assert (erased.counts["credit"], credit.forgotten_at is None) == (1, False)
    assert (credit.customer_name, credit.subject, credit.public_link) == (None, None, None)
    kept = (credit.number, credit.cancelled_invoice_number, credit.cancelled_invoice_altoviz_id)
    assert kept == ("AV000012", "FA001039", 531871)
    assert credit.data["billingContact"] is None
    assert len(credit.lines.all()) == 2
