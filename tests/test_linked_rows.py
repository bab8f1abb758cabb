"""Rows of the mirror that a project has deleted, and rows of a project that link to the mirror."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.event_types import EventType
from django_altoviz.models import (
    Customer,
    Invoice,
    InvoiceLine,
    Product,
    Quote,
    QuoteLine,
    Status,
    WebhookEvent,
)
from django_altoviz.processing import process
from tests.conftest import body_of
from tests.linking.models import Booking, Folder, Note, Parcel

pytestmark = pytest.mark.django_db


def line(id, description="", **more):
    return {"id": id, "description": description, **more}


def show(*lines, type="InvoiceUpdated", id=1, **data):
    """Store and process an event that shows a document with these lines."""
    event = WebhookEvent.from_delivery(body_of(type, id=id, lines=lines, **data), "default", {})
    WebhookEvent.objects.store(event)
    process(event)
    return event


def stored(model=InvoiceLine):
    return [*model.objects.order_by("position").values_list("altoviz_id", "description")]


class TestDeletedRows:
    """Rows that a project has deleted come back with the object's next event."""

    @pytest.mark.parametrize(("document", "lines"), [(Invoice, InvoiceLine), (Quote, QuoteLine)])
    def test_a_document_comes_back_with_its_lines(self, document, lines):
        type = f"{document.__name__}Updated"
        show(line(1, "a"), line(2, "b"), type=type)
        document.objects.all().delete()
        assert not lines.objects.exists()  # no line is orphaned
        assert show(line(1, "a"), line(2, "b"), type=type).status == Status.PROCESSED
        assert document.objects.get().lines.count() == 2
        assert stored(lines) == [(1, "a"), (2, "b")]

    def test_lines_that_did_not_change_come_back(self):
        lines = [line(1, "a"), line(2, "b"), line(3, "c")]
        show(*lines)
        for deleted in (InvoiceLine.objects.filter(altoviz_id=2), InvoiceLine.objects.all()):
            deleted.delete()
            show(*lines)
            assert stored() == [(1, "a"), (2, "b"), (3, "c")]

    def test_a_line_that_the_project_added_goes(self):
        show(line(1, "a"))
        InvoiceLine.objects.create(invoice=Invoice.objects.get(), position=1, data={})
        show(line(1, "a"))
        assert stored() == [(1, "a")]

    def test_related_objects_come_back_to_their_documents(self, post):
        for event_type in ("InvoiceUpdated", "CustomerUpdated", "ProductUpdated"):
            post(EventType(event_type))
        product = Product.objects.get()
        linked = InvoiceLine.objects.filter(product=product).count()
        assert linked
        Customer.objects.all().delete()
        Product.objects.all().delete()
        assert Invoice.objects.get().customer is None
        assert Invoice.objects.get().customer_altoviz_id == 418206
        post(body_of("CustomerUpdated"))
        post(body_of("ProductUpdated"))
        assert Invoice.objects.get().customer == Customer.objects.get()
        assert InvoiceLine.objects.filter(product=Product.objects.get()).count() == linked


class TestLinks:
    def test_a_line_keeps_its_row_while_altoviz_keeps_its_id(self):
        show(line(1, "a"), line(2, "b"), line(3, "c"))
        rows = {each.altoviz_id: each.pk for each in InvoiceLine.objects.all()}
        parcel = Parcel.objects.create(line_id=rows[2])
        show(line(4, "new"), line(3, "c"), line(2, "changed"))
        assert stored() == [(4, "new"), (3, "c"), (2, "changed")]
        parcel.refresh_from_db()
        assert parcel.line.description == "changed"
        assert InvoiceLine.objects.get(altoviz_id=3).pk == rows[3]

    def test_the_links_to_a_line_that_is_gone_do_what_they_say(self):
        show(line(1), line(2))
        gone = InvoiceLine.objects.get(altoviz_id=1)
        Parcel.objects.create(line=gone)
        note = Note.objects.create(line=gone, invoice=gone.invoice)
        assert show(line(2)).status == Status.PROCESSED
        assert not Parcel.objects.exists()
        note.refresh_from_db()
        assert (note.line, note.invoice) == (None, Invoice.objects.get())

    def test_a_protected_line_fails_the_event_until_the_link_is_removed(self):
        show(line(1), line(2))
        Booking.objects.create(line=InvoiceLine.objects.get(altoviz_id=1))
        event = show(line(2))
        assert event.status == Status.FAILED
        assert "ProtectedError" in event.error
        assert stored() == [(1, ""), (2, "")]
        Booking.objects.all().delete()
        WebhookEvent.objects.update(next_attempt_at=None)
        process(WebhookEvent.objects.get(pk=event.pk))
        assert stored() == [(2, "")]

    def test_a_link_to_the_object_outlives_its_row(self):
        show(line(1))
        folder = Folder.objects.create(invoice=Invoice.objects.get())
        Invoice.objects.all().delete()
        show(line(1))
        assert Folder.objects.get(pk=folder.pk).invoice == Invoice.objects.get()

    def test_a_link_outlives_a_deletion_at_altoviz(self):
        show(line(1))
        note = Note.objects.create(
            invoice=Invoice.objects.get(), line=InvoiceLine.objects.get(altoviz_id=1)
        )
        show(line(1), type="InvoiceDeleted")
        note.refresh_from_db()
        assert note.invoice.deleted_at
        assert note.line.altoviz_id == 1


a_line = st.builds(
    line,
    st.sampled_from([None, 1, 2, 3, 4]),
    st.sampled_from(["", "a", "b"]),
    quantity=st.sampled_from([None, 1, 2]),
)
states = st.lists(st.lists(a_line, max_size=5), min_size=2, max_size=4)


@given(states)
def test_the_lines_are_those_of_the_last_event(states):
    """Add, remove, move and repeat lines, also with ids that occur twice or not at all."""
    try:
        for lines in states:
            before = {each.pk: each.altoviz_id for each in InvoiceLine.objects.all()}
            event = show(*lines)
            assert event.status == Status.PROCESSED, event.error
            rows = [*InvoiceLine.objects.order_by("position")]
            assert [row.data for row in rows] == lines
            assert [row.description for row in rows] == [each["description"] for each in lines]
            assert [row.position for row in rows] == [*range(len(lines))]
            kept = {row.pk: row.altoviz_id for row in rows if row.pk in before}
            assert kept.items() <= before.items()
            for id in {1, 2, 3, 4}:
                numbers = [[*each.values()].count(id) for each in (kept, before)]
                assert numbers[0] == min(numbers[1], [row.altoviz_id for row in rows].count(id))
    finally:
        WebhookEvent.objects.all().delete()
        Invoice.with_deleted.all().delete()


def test_a_change_of_all_lines_takes_as_many_statements_as_a_change_of_one(
    django_assert_max_num_queries,
):
    show(*[line(id, "a") for id in range(1, 21)])
    with django_assert_max_num_queries(14) as few:
        show(line(1, "b"), *[line(id, "a") for id in range(2, 21)])
    with django_assert_max_num_queries(len(few)):
        show(*[line(id, "c") for id in range(1, 21)])
