"""Sync lists that change, and objects that receive events, while they are read."""

from __future__ import annotations

import datetime
import gc
import json
import signal
import sys
import threading
import weakref
from decimal import Decimal

import pytest
from django.db import connection, connections, router
from django.db.models.signals import post_save, pre_save
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_altoviz.client import AltovizClient
from django_altoviz.event_types import Entity
from django_altoviz.exceptions import (
    AllGone,
    Conflict,
    ConnectionFailed,
    IncompleteList,
    InvalidRequest,
    ListsFailed,
    NoSuchRoute,
    NotAuthorized,
    ServerError,
    SyncTakenOver,
)
from django_altoviz.models import (
    Customer,
    Invoice,
    Quote,
    Source,
    Status,
    SyncRun,
    SyncStep,
    WebhookEvent,
)
from django_altoviz.privacy.erasure import allow_again, erase
from django_altoviz.processing import process
from django_altoviz.signals import (
    customer_created,
    customer_deleted,
    customer_updated,
    event_received,
)
from django_altoviz.sync import ENTITIES, Watcher, reading, reconciling, sync
from tests.client.scripted import Answer
from tests.conftest import body_of
from tests.processes import run
from tests.sync.lists import customer, invoice, quote, value

pytestmark = pytest.mark.django_db

CUSTOMERS = [Entity.CUSTOMER]
INVOICES = [Entity.INVOICE]


def counts(run):
    return {name: n for name, n in run.counts.items() if n}


def sync_one(entities=CUSTOMERS, **options):
    (run,) = sync(entities=entities, **options)
    return run


def deliver(event_type, **data):
    """Store and process an event as if a webhook had delivered it."""
    event = WebhookEvent.from_delivery(body_of(event_type, **data), "default", {})
    WebhookEvent.objects.store(event)
    process(event)
    return event


def sync_events():
    """Return the type and object id of each event that a sync has stored."""
    events = WebhookEvent.objects.filter(source=Source.SYNC).order_by("pk")
    return [*events.values_list("type", "object_id")]


@pytest.fixture
def receiver_calls():
    """Record the type, object id and changes of each call to a receiver of customers."""
    calls = []

    def hear(signal, sender, instance, changes, event, **kwargs):
        calls.append((event.type, instance.altoviz_id, changes))

    signals = customer_created, customer_updated, customer_deleted
    for each in signals:
        each.connect(hear)
    yield calls
    for each in signals:
        each.disconnect(hear)


class TestFirstSync:
    def test_fills_the_mirror(self, altoviz):
        altoviz.add(Entity.CUSTOMER, *(customer(id, name=f"no {id}") for id in range(1, 1251)))
        altoviz.add(Entity.INVOICE, invoice(1), invoice(2))
        runs = sync()
        assert [run.entity for run in runs] == [*ENTITIES]
        assert [counts(run) for run in runs] == [
            {"seen": 1250, "new": 1250}, {}, {}, {"seen": 2, "new": 2}, {}, {},
        ]  # fmt: skip
        assert all(run.is_import and run.finished_at for run in runs)
        assert Customer.objects.count() == 1250
        row = Customer.objects.get(altoviz_id=777)
        assert (row.name, row.data, row.account) == (
            "no 777",
            customer(777, name="no 777"),
            "default",
        )
        lines = Invoice.objects.get(altoviz_id=2).lines.all()
        assert [line.data for line in lines] == invoice(2)["lines"]
        assert Invoice.objects.get(altoviz_id=2).customer_altoviz_id == invoice(2)["customerId"]

    def test_stores_no_events_and_leaves_no_steps(self, altoviz, receiver_calls):
        altoviz.add(Entity.CUSTOMER, customer(1))
        sync_one()
        assert not WebhookEvent.objects.exists()
        assert not SyncStep.objects.exists()
        assert receiver_calls == []

    def test_calls_receivers_if_signals_are_asked_for(self, altoviz, receiver_calls):
        altoviz.add(Entity.CUSTOMER, customer(1), customer(2))
        assert counts(sync_one(signals=True)) == {"seen": 2, "new": 2}
        assert [call[:2] for call in receiver_calls] == [
            ("CustomerCreated", 1),
            ("CustomerCreated", 2),
        ]
        assert sync_events() == [("CustomerCreated", 1), ("CustomerCreated", 2)]

    def test_records_an_object_that_has_drifted_since_its_webhook(self, altoviz, receiver_calls):
        deliver("CustomerCreated", **customer(1, name="then"))
        altoviz.add(Entity.CUSTOMER, customer(1, name="now"), customer(2))
        assert counts(sync_one()) == {"seen": 2, "new": 1, "changed": 1}
        assert receiver_calls[1:] == [("CustomerUpdated", 1, {"name": ("then", "now")})]

    def test_stores_objects_that_do_not_fit_as_failed_events(self, altoviz):
        altoviz.add(Entity.CUSTOMER, customer(1), customer(2, active="maybe"), customer(3))
        altoviz.add(Entity.CUSTOMER, customer(4, name="\ud800"), customer(5, name="a\0b"))
        assert counts(sync_one()) == {"seen": 5, "new": 2, "failed": 3}
        events = WebhookEvent.objects.order_by("pk")
        assert [(event.status, event.object_id) for event in events] == [
            (Status.FAILED, 2), (Status.FAILED, 4), (Status.FAILED, 5),
        ]  # fmt: skip
        for event, why in zip(
            events, ["active: expected", "name: a text with U+D800", "U+0000"], strict=True
        ):
            assert why in event.error
        assert events[1].envelope.data == customer(4, name="\ud800")

    def test_stays_an_import_until_the_list_was_read_to_its_end(self, altoviz):
        altoviz.before[1] = lambda: Answer(401)
        with pytest.raises(NotAuthorized):
            sync_one()
        assert sync_one().is_import
        assert not sync_one().is_import

    def test_mirrors_an_id_once_per_account(self, altoviz):
        altoviz.add(Entity.CUSTOMER, customer(1))
        sync_one()
        altoviz.add(Entity.CUSTOMER, customer(1, name="Acme"))
        for expected in ({"seen": 1, "new": 1}, {"seen": 1, "unchanged": 1}):
            (run,) = sync("acme", CUSTOMERS)
            assert counts(run) == expected
        names = Customer.objects.order_by("account").values_list("account", "name")
        assert [*names] == [("acme", "Acme"), ("default", customer(1)["name"])]


class TestLaterSyncs:
    @pytest.fixture(autouse=True)
    def first(self, altoviz):
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 251)))
        altoviz.add(Entity.INVOICE, invoice(1), invoice(2, isCancelled=True))
        sync(entities=[*CUSTOMERS, *INVOICES])

    def test_write_nothing_if_nothing_differs(self, altoviz):
        before = [*Customer.objects.values_list("pk", "synced_at", "last_event_id")]
        run = sync_one()
        assert counts(run) == {"seen": 250, "unchanged": 250}
        assert run.is_in_step
        assert not WebhookEvent.objects.exists()
        assert [*Customer.objects.values_list("pk", "synced_at", "last_event_id")] == before

    def test_record_every_difference(self, altoviz, receiver_calls):
        altoviz.add(Entity.CUSTOMER, customer(7, name="renamed"), customer(300))
        del altoviz.objects[Entity.CUSTOMER][9]
        run = sync_one()
        assert counts(run) == {"seen": 250, "new": 1, "changed": 1, "unchanged": 248, "deleted": 1}
        assert not run.is_in_step
        assert [(type, id) for type, id, _ in receiver_calls] == [
            ("CustomerCreated", 300), ("CustomerUpdated", 7), ("CustomerDeleted", 9),
        ]  # fmt: skip
        assert receiver_calls[1][2] == {"name": (customer(7)["name"], "renamed")}
        assert Customer.with_deleted.get(altoviz_id=9).name == customer(9)["name"]
        assert not Customer.objects.filter(altoviz_id=9).exists()
        assert sync_one().is_in_step

    def test_store_events_like_those_of_webhooks(self, altoviz):
        received = []

        def note(event, **kwargs):
            received.append(event.pk)

        event_received.connect(note)
        try:
            altoviz.add(Entity.CUSTOMER, customer(7, name="renamed"))
            sync_one()
        finally:
            event_received.disconnect(note)
        event = WebhookEvent.objects.get()
        assert (event.source, event.status) == (Source.SYNC, Status.PROCESSED)
        assert event.event_id.startswith("sync_")
        assert event.envelope.data == customer(7, name="renamed")
        assert received == [event.pk]

    def test_record_a_change_back_to_an_earlier_state(self, altoviz, receiver_calls):
        for name in ("A", "B", "A", "B"):
            altoviz.add(Entity.CUSTOMER, customer(7, name=name))
            sync_one()
            assert Customer.objects.get(altoviz_id=7).name == name
        assert len(receiver_calls) == 4

    def test_find_cancelled_invoices_in_the_list(self, altoviz):
        assert counts(sync_one(INVOICES)) == {"seen": 2, "unchanged": 2}
        assert Invoice.objects.get(altoviz_id=2).is_cancelled

    def test_keep_an_object_that_is_not_listed_but_can_be_looked_up(self, altoviz):
        """Only a 404 deletes an object."""
        hidden = altoviz.objects[Entity.CUSTOMER].pop(5)
        altoviz.before[len(altoviz.requests) + 4] = lambda: value(hidden)
        run = sync_one()
        assert altoviz.requests[-1][0] == "/v1/Customers/5"
        assert counts(run) == {"seen": 250, "unchanged": 250}
        assert run.is_in_step

    @pytest.mark.parametrize("body", [b"", b"<html>nginx", b'{"message": "no Route matched"}'])
    def test_delete_nothing_on_a_404_that_altoviz_did_not_send(self, altoviz, body, caplog):
        del altoviz.objects[Entity.CUSTOMER][5]
        altoviz.answers["/v1/Customers/5"] = Answer(404, body)
        assert counts(sync_one()) == {"seen": 250, "unchanged": 249, "failed": 1}
        assert Customer.objects.filter(altoviz_id=5).exists()
        assert "customer 5 could not be read: NoSuchRoute" in caplog.text

    def test_revive_a_deleted_object_that_is_listed_again(self, altoviz, receiver_calls):
        deliver("CustomerDeleted", id=5)
        assert not Customer.objects.filter(altoviz_id=5).exists()
        run = sync_one()
        assert counts(run)["changed"] == 1
        assert Customer.objects.get(altoviz_id=5).data == customer(5)
        assert "deleted_at" in receiver_calls[-1][2]

    def test_keep_a_deleted_object_deleted(self, altoviz):
        deliver("CustomerDeleted", id=5)
        del altoviz.objects[Entity.CUSTOMER][5]
        assert sync_one().is_in_step

    def test_compare_numbers_by_value(self, altoviz):
        data = json.loads(json.dumps(customer(7), default=float))
        altoviz.add(Entity.CUSTOMER, data)
        assert sync_one().is_in_step

    def test_read_no_data_of_objects_whose_fingerprint_matches(self, altoviz):
        with CaptureQueriesContext(connections[router.db_for_write(Customer)]) as queries:
            assert sync_one().is_in_step
        of_customers = [
            query["sql"] for query in queries if Customer._meta.db_table in query["sql"]
        ]
        assert of_customers
        assert not any(connection.ops.quote_name("data") in sql for sql in of_customers)

    def test_find_a_row_that_a_late_event_has_set_back(self, altoviz, receiver_calls):
        """Altoviz is unchanged, so a fingerprint that outlived the event would hide the drift."""
        deliver("CustomerUpdated", **customer(7, name="old"))
        assert counts(sync_one()) == {"seen": 250, "changed": 1, "unchanged": 249}
        assert receiver_calls[-1][2] == {"name": ("old", customer(7)["name"])}
        assert Customer.objects.get(altoviz_id=7).data == customer(7)

    def test_find_no_difference_in_erased_personal_data(self, altoviz, receiver_calls):
        erase(Entity.CUSTOMER, 7, "default")
        assert sync_one().is_in_step
        assert Customer.objects.get(altoviz_id=7).email is None
        assert (receiver_calls, WebhookEvent.objects.count()) == ([], 0)

    def test_apply_other_changes_of_an_erased_customer(self, altoviz, receiver_calls):
        erase(Entity.CUSTOMER, 7, "default")
        altoviz.add(Entity.CUSTOMER, customer(7, name="renamed", number="C2"))
        assert counts(sync_one()) == {"seen": 250, "changed": 1, "unchanged": 249}
        assert receiver_calls[-1][2] == {"number": (customer(7)["number"], "C2")}
        assert WebhookEvent.objects.get().envelope.data["name"] is None
        assert sync_one().is_in_step

    def test_restore_personal_data_after_the_erasure_is_lifted(self, altoviz):
        erase(Entity.CUSTOMER, 7, "default")
        assert allow_again(Entity.CUSTOMER, 7, "default") == {"customer": 1}
        assert counts(sync_one()) == {"seen": 250, "changed": 1, "unchanged": 249}
        assert Customer.objects.get(altoviz_id=7).data == customer(7)

    def test_keep_an_erased_customer_erased_when_it_is_revived_or_looked_up(self, altoviz):
        deliver("CustomerDeleted", id=5)
        erase(Entity.CUSTOMER, 5, "default")
        sync_one()
        assert Customer.objects.get(altoviz_id=5).email is None
        altoviz.objects[Entity.CUSTOMER][5] |= {"number": "C2"}
        hidden = altoviz.objects[Entity.CUSTOMER].pop(5)
        altoviz.answers["/v1/Customers/5"] = value(hidden)
        assert counts(sync_one()) == {"seen": 250, "changed": 1, "unchanged": 249}
        assert Customer.objects.get(altoviz_id=5).number == "C2"
        name = customer(5)["name"]
        assert not WebhookEvent.objects.filter(source=Source.SYNC, body__contains=name).exists()

    def test_leave_the_final_invoices_of_an_erased_customer_alone(self, altoviz, receiver_calls):
        """Nobody can change them at Altoviz, so Altoviz keeps showing the customer's name."""
        invoices = Invoice.with_deleted.filter(customer_altoviz_id=invoice(1)["customerId"])
        assert invoices.count() == 2
        erase(Entity.CUSTOMER, invoice(1)["customerId"], "default")
        assert sync_one(INVOICES).is_in_step
        assert {*invoices.values_list("customer_name", flat=True)} == {None}
        altoviz.add(Entity.INVOICE, invoice(1, customerId=1, customerName="Autre SARL"))
        sync_one(INVOICES)
        assert Invoice.objects.get(altoviz_id=1).customer_name == "Autre SARL"

    def test_delete_all_objects_only_with_all_gone(self, altoviz):
        altoviz.objects[Entity.CUSTOMER].clear()
        assert counts(sync_one(all_gone=True)) == {"deleted": 250}

    def test_leave_another_account_alone(self, altoviz):
        altoviz.objects[Entity.CUSTOMER].clear()
        altoviz.add(Entity.CUSTOMER, customer(1000))
        (run,) = sync("acme", CUSTOMERS)
        assert counts(run) == {"seen": 1, "new": 1}
        assert Customer.objects.filter(account="default").count() == 250

    def test_bring_back_the_rows_that_the_project_deleted(self, altoviz):
        Customer.objects.filter(altoviz_id__lte=3).delete()
        assert counts(sync_one()) == {"seen": 250, "new": 3, "unchanged": 247}
        Invoice.objects.filter(altoviz_id=1).delete()
        assert counts(sync_one(INVOICES))["new"] == 1
        assert Invoice.objects.get(altoviz_id=1).lines.count() == len(invoice(1)["lines"])
        assert sync_one(INVOICES).is_in_step

    def test_import_anew_without_receivers_once_the_runs_are_deleted(self, receiver_calls):
        Customer.objects.all().delete()
        SyncRun.objects.all().delete()
        assert counts(sync_one()) == {"seen": 250, "new": 250}
        assert receiver_calls == []

    def test_bring_back_the_lines_that_the_project_deleted(self, altoviz):
        lines = Invoice.objects.get(altoviz_id=2).lines
        lines.all().delete()
        assert counts(sync_one(INVOICES, dry_run=True))["changed"] == 1
        assert counts(sync_one(INVOICES))["changed"] == 1
        assert lines.count() == len(invoice(2)["lines"])
        assert sync_one(INVOICES).is_in_step

    def test_do_not_record_a_failed_difference_again(self, altoviz):
        altoviz.add(Entity.CUSTOMER, customer(7, active="maybe"), customer(400, active="maybe"))
        for _ in range(3):
            assert counts(sync_one())["failed"] == 2
        assert WebhookEvent.objects.count() == 2
        altoviz.add(Entity.CUSTOMER, customer(7, active="perhaps"))
        assert counts(sync_one())["failed"] == 2
        assert WebhookEvent.objects.count() == 3

    def test_count_an_object_that_failed_for_good_as_failed(self, altoviz, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"MAX_ATTEMPTS": 1}
        altoviz.add(Entity.CUSTOMER, customer(7, active="maybe"))
        assert counts(sync_one())["failed"] == 1
        assert WebhookEvent.objects.get().status == Status.DEAD

    def test_delete_the_object_with_the_lowest_id(self, altoviz):
        del altoviz.objects[Entity.CUSTOMER][1]
        assert counts(sync_one()) == {"seen": 249, "unchanged": 249, "deleted": 1}

    def test_count_a_failed_receiver_as_a_failed_object(self, altoviz):
        def fail(**kwargs):
            raise RuntimeError("not today")

        customer_updated.connect(fail)
        try:
            altoviz.add(Entity.CUSTOMER, customer(7, name="renamed"))
            assert counts(sync_one())["failed"] == 1
        finally:
            customer_updated.disconnect(fail)
        assert Customer.objects.get(altoviz_id=7).name == "renamed"
        assert sync_one().is_in_step


class TestAKeyOfAnotherCompany:
    """The key reads lists with other objects, and can't read any object of the mirror."""

    @pytest.fixture(params=[1, 9, 10, 30])
    def strangers(self, altoviz, request):
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, request.param + 1)))
        altoviz.add(Entity.QUOTE, quote(1))
        sync()
        for objects in altoviz.objects.values():
            objects.clear()
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1000, 1600)), {"id": -1})
        return request.param

    @pytest.mark.parametrize("dry_run", [False, True])
    def test_applies_nothing_and_deletes_nothing(self, altoviz, strangers, receiver_calls, dry_run):
        with pytest.raises(AllGone, match=f"none of the {strangers} customers"):
            sync(dry_run=dry_run)
        assert Customer.objects.count() == strangers
        assert Quote.objects.count() == 1
        assert not WebhookEvent.objects.exists()
        assert receiver_calls == []
        assert f"none of the {strangers} customers" in SyncRun.objects.latest("pk").error

    def test_is_accepted_with_all_gone(self, altoviz, strangers):
        run = sync_one(all_gone=True)
        assert counts(run) == {"seen": 601, "new": 600, "failed": 1, "deleted": strangers}

    def test_is_refused_after_an_interruption_too(self, altoviz, strangers):
        altoviz.before[len(altoviz.requests) + 2] = lambda: Answer(401)
        with pytest.raises(NotAuthorized):
            sync_one()
        with pytest.raises(AllGone):
            sync_one()
        assert Customer.objects.count() == strangers

    def test_is_not_proved_by_the_objects_of_another_account(self, altoviz):
        """The key is that of another account of the project, whose mirror has the objects."""
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 11)))
        sync_one()
        altoviz.objects[Entity.CUSTOMER].clear()
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1000, 1010)))
        sync("acme", CUSTOMERS)
        with pytest.raises(AllGone):
            sync_one()
        assert Customer.objects.filter(account="default").count() == 10

    def test_can_not_read_the_newest_objects_if_another_account_has_them(self, altoviz):
        """Nothing in the list is known to the mirror, so its objects are looked up."""
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 11)))
        sync_one()
        altoviz.objects[Entity.CUSTOMER].clear()
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1000, 1010)))
        sync("acme", CUSTOMERS)
        listed = value([customer(id) for id in range(2000, 2010)], x_page_count=1)
        altoviz.answers["/v1/Customers"] = listed
        with pytest.raises(AllGone):
            sync_one()

    def test_is_not_judged_by_a_404_that_altoviz_did_not_send(self, altoviz, strangers):
        altoviz.answers[f"/v1/Customers/{strangers}"] = Answer(404)
        with pytest.raises(NoSuchRoute):
            sync_one()
        assert Customer.objects.count() == strangers


class TestTheRightKey:
    @pytest.fixture(autouse=True)
    def altoviz(self, altoviz):
        altoviz.add(Entity.PRODUCT, {"id": 1, "name": "a product"})
        return altoviz

    def fill(self, altoviz, number):
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, number + 1)))
        sync()
        altoviz.objects[Entity.CUSTOMER].clear()

    def test_deletes_all_of_a_few_objects_if_another_kind_can_be_read(self, altoviz):
        self.fill(altoviz, 9)
        assert counts(sync_one()) == {"deleted": 9}

    def test_does_not_delete_all_of_many_objects(self, altoviz):
        self.fill(altoviz, 10)
        with pytest.raises(AllGone):
            sync_one()
        assert Customer.objects.count() == 10

    def test_is_proved_by_one_mirrored_object_that_can_be_read(self, altoviz):
        """The first page has only new objects, so some mirrored objects are looked up."""
        self.fill(altoviz, 30)
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1000, 1600)), customer(28))
        since = len(altoviz.requests)
        assert counts(sync_one())["new"] == 600
        lookups = [path for path, query in altoviz.requests[since:] if not query]
        assert lookups[:3] == [f"/v1/Customers/{id}" for id in (30, 29, 28)]
        assert Customer.objects.filter(altoviz_id=28).exists()

    def test_is_proved_by_a_deleted_object_that_is_listed_again(self, altoviz):
        self.fill(altoviz, 10)
        deliver("CustomerDeleted", id=5)
        altoviz.add(Entity.CUSTOMER, customer(5))
        assert counts(sync_one()) == {"seen": 1, "changed": 1, "deleted": 9}

    def test_is_not_checked_if_the_mirror_is_empty(self, altoviz):
        altoviz.add(Entity.CUSTOMER, customer(1))
        sync()
        assert altoviz.lookups == []


class TestLines:
    def test_that_a_list_omits_are_read_document_by_document(self, altoviz):
        altoviz.without_lines = True
        altoviz.add(Entity.INVOICE, invoice(1), invoice(2, lines=[]))
        altoviz.add(Entity.QUOTE, quote(3))
        sync(entities=[Entity.INVOICE, Entity.QUOTE])
        assert Invoice.objects.get(altoviz_id=1).lines.count() == len(invoice(1)["lines"])
        assert Quote.objects.get(altoviz_id=3).data == quote(3)
        assert altoviz.lookups == ["/v1/SaleInvoices/1", "/v1/SaleInvoices/2", "/v1/SaleQuotes/3"]
        assert sync_one(INVOICES).is_in_step

    def test_that_are_listed_need_no_further_request(self, altoviz):
        altoviz.add(Entity.INVOICE, invoice(1), invoice(2, lines=[]))
        sync_one(INVOICES)
        assert altoviz.lookups == []

    def test_of_a_document_that_was_deleted_meanwhile(self, altoviz):
        altoviz.add(Entity.INVOICE, invoice(1), invoice(2))
        sync_one(INVOICES)
        altoviz.without_lines = True
        altoviz.before[len(altoviz.requests) + 2] = lambda: (
            altoviz.objects[Entity.INVOICE].pop(1) and None
        )
        assert counts(sync_one(INVOICES)) == {"seen": 2, "unchanged": 1, "deleted": 1}
        assert not Invoice.objects.filter(altoviz_id=1).exists()

    @pytest.mark.parametrize("answer", [Answer(500), Answer(400), value(invoice(99))])
    def test_that_can_not_be_read_do_not_stop_other_documents(self, altoviz, answer, caplog):
        altoviz.without_lines = True
        altoviz.add(Entity.INVOICE, invoice(1), invoice(2))
        altoviz.answers["/v1/SaleInvoices/1"] = answer
        assert counts(sync_one(INVOICES)) == {"seen": 2, "new": 1, "failed": 1}
        assert "invoice 1 could not be read" in caplog.text
        assert Invoice.objects.get().altoviz_id == 2


class TestAMovingList:
    """Rows have no order, and move between pages while the list is read."""

    @pytest.fixture(autouse=True)
    def lists(self, altoviz):
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 301)))

    @pytest.mark.parametrize("sends_counts", [True, False])
    def test_does_not_hide_an_object_from_the_sync(self, altoviz, sends_counts):
        altoviz.sends_counts = sends_counts
        sync_one()
        # A row of page 1 is deleted after page 1 was read, so the first row of page 2 moves to page 1.
        first = len(altoviz.requests) + 1
        altoviz.before[first + 1] = lambda: altoviz.objects[Entity.CUSTOMER].pop(1) and None
        altoviz.add(Entity.CUSTOMER, customer(101, name="renamed"))
        sync_one()
        assert Customer.objects.get(altoviz_id=101).name == "renamed"
        # If Altoviz sends the length, the list is read again, and the deleted row is missing then.
        assert Customer.objects.count() == (299 if sends_counts else 300)
        assert counts(sync_one()).get("deleted", 0) == (0 if sends_counts else 1)

    def test_does_not_make_the_sync_apply_an_object_twice(self, altoviz, receiver_calls):
        def insert():
            objects = altoviz.objects[Entity.CUSTOMER]
            altoviz.objects[Entity.CUSTOMER] = {999: customer(999)} | objects

        altoviz.before[2] = insert
        run = sync_one(signals=True)
        assert len(receiver_calls) == Customer.objects.count() == 301
        assert counts(run) == {"seen": 301, "new": 301}

    def test_is_stored_by_its_ids(self, altoviz):
        run = SyncRun.objects.create(account="default", entity="customer", is_import=True, as_of=0)
        SyncStep.of(run, 1, [7, 3, 2**40]).save()
        assert SyncStep.seen(run, [3, 4, 2**40]) == {3, 2**40}
        assert SyncStep.seen(run, [3], pass_number=2) == SyncStep.seen(run, []) == set()
        assert str(SyncStep.objects.get()) == f"3-{2**40}"

    def test_is_never_in_memory_with_more_than_one_batch(self, altoviz, monkeypatch):
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 1101)))
        read_batch, batches = reading._read_batch, []

        def read_and_remember(*args):
            gc.collect()
            assert [batch() for batch in batches] == [None] * len(batches)
            batch = read_batch(*args)
            batches.append(weakref.ref(batch))
            return batch

        monkeypatch.setattr(reading, "_read_batch", read_and_remember)
        assert sync_one().seen == 1100
        assert len(batches) == 3

    def test_is_read_again_if_it_became_shorter(self, altoviz):
        altoviz.before[2] = lambda: altoviz.objects[Entity.CUSTOMER].pop(250) and None
        sync_one()
        pages = [int(query["PageIndex"]) for _, query in altoviz.requests if query]
        assert pages == [1, 2, 3, 1, 2, 3]

    def test_is_read_once_if_it_only_grows_at_its_end(self, altoviz):
        altoviz.before[2] = lambda: altoviz.add(Entity.CUSTOMER, customer(999))
        assert counts(sync_one()) == {"seen": 301, "new": 301}
        assert len(altoviz.requests) == 4

    def test_is_given_up_after_three_passes(self, altoviz):
        """Reading it until nothing changes might never end while many people work at Altoviz."""
        sync_one()
        since, ids = len(altoviz.requests), iter(range(1, 300))
        objects = altoviz.objects[Entity.CUSTOMER]
        altoviz.before["each"] = lambda: objects.pop(next(ids)) and None if listing() else None

        def listing():
            return len(altoviz.requests) <= since + 9

        assert sync_one().finished_at is not None
        # Only objects that the last pass missed and a lookup did not find were deleted.
        left = {*Customer.objects.values_list("altoviz_id", flat=True)}
        assert len(objects) == 291
        assert {*objects} <= left < {*range(1, 301)}
        sync_one()
        assert {*Customer.objects.values_list("altoviz_id", flat=True)} == {*objects}

    def test_is_complete_after_three_passes_if_all_its_objects_were_read(self, altoviz):
        """Change its length within each pass, without an object that is missed."""
        altoviz.page_size = 20

        def say_length():
            altoviz.unlisted = len(altoviz.requests) % 15 == 1

        altoviz.before["each"] = say_length
        assert counts(sync_one()) == {"seen": 300, "new": 300}
        pages = [int(query["PageIndex"]) for _, query in altoviz.requests if query]
        assert pages == [*range(1, 16)] * 3

    def test_is_incomplete_and_deletes_nothing_if_it_has_fewer_rows_than_its_length(self, altoviz):
        sync_one()
        del altoviz.objects[Entity.CUSTOMER][5]
        altoviz.unlisted = 2
        with pytest.raises(
            IncompleteList, match=r"299 objects .* there are 301\. Nothing was marked"
        ):
            sync_one()
        assert Customer.objects.count() == 300
        failed = SyncRun.objects.latest("pk")
        assert "299 objects were read" in failed.error
        assert failed.finished_at is not None
        altoviz.unlisted = 0
        assert counts(sync_one()) == {"seen": 299, "unchanged": 299, "deleted": 1}

    def test_does_not_stop_other_lists_if_it_is_incomplete(self, altoviz):
        altoviz.unlisted = 2
        with pytest.raises(ListsFailed) as raised:
            sync(entities=[Entity.CUSTOMER, Entity.QUOTE])
        assert [type(error) for error in raised.value.failures] == [IncompleteList, IncompleteList]
        assert [run.entity for run in SyncRun.objects.order_by("pk")] == ["customer", "quote"]

    def test_is_incomplete_and_deletes_nothing_if_it_repeats_the_same_page(self, altoviz):
        sync_one()
        rows = [*altoviz.objects[Entity.CUSTOMER].values()][:100]
        altoviz.answers["/v1/Customers"] = value(rows)
        with pytest.raises(IncompleteList, match=r"nothing new\. Nothing was marked"):
            sync_one()
        assert len(altoviz.requests) <= 3 + 10
        assert Customer.objects.count() == 300

    def test_deletes_no_living_object_if_its_length_stays_the_same(self, altoviz):
        """Swap a row: one is deleted, another created, and the length does not reveal the move."""

        def swap():
            del altoviz.objects[Entity.CUSTOMER][1]
            altoviz.add(Entity.CUSTOMER, customer(999))

        sync_one()
        altoviz.before[len(altoviz.requests) + 2] = swap
        sync_one()
        assert Customer.objects.filter(altoviz_id__in=[101, 999]).count() == 2
        assert counts(sync_one())["deleted"] == 1


class TestEventsDuringTheSync:
    @pytest.fixture(autouse=True)
    def first(self, altoviz):
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 4)))
        sync_one()
        self.altoviz = altoviz

    def after_next_request(self, do, number=1):
        self.altoviz.after[len(self.altoviz.requests) + number] = do

    def test_are_not_overwritten_by_an_older_page(self):
        def change():
            deliver("CustomerUpdated", **customer(2, name="newer"))
            self.altoviz.add(Entity.CUSTOMER, customer(2, name="newer"))

        self.altoviz.add(Entity.CUSTOMER, customer(2, name="older"))
        self.after_next_request(change)
        assert counts(sync_one()) == {"seen": 3, "unchanged": 3}
        assert Customer.objects.get(altoviz_id=2).name == "newer"
        assert sync_events() == []

    def test_that_are_older_than_the_page_are_corrected(self):
        """A late delivery arrives after the page, but its content is older."""
        self.altoviz.add(Entity.CUSTOMER, customer(2, name="now"))
        self.after_next_request(lambda: deliver("CustomerUpdated", **customer(2, name="then")))
        sync_one()
        assert Customer.objects.get(altoviz_id=2).name == "now"

    def test_between_a_difference_and_its_event_are_not_overwritten(self, monkeypatch):
        """Deliver an event in the last gap: between the comparison and the event of the sync."""

        def record_later(run, action, data, as_of):
            deliver("CustomerUpdated", **customer(2, name="newest"))
            self.altoviz.add(Entity.CUSTOMER, customer(2, name="newest"))
            monkeypatch.undo()
            return record_difference(run, action, data, as_of)

        record_difference = reconciling.record_difference
        self.altoviz.add(Entity.CUSTOMER, customer(2, name="newer"))
        monkeypatch.setattr(reconciling, "record_difference", record_later)
        sync_one()
        assert Customer.objects.get(altoviz_id=2).name == "newest"
        event = WebhookEvent.objects.get(source=Source.SYNC)
        assert event.status == Status.IGNORED
        assert event.error == "Another event came in after the object had been read."

    def test_that_fail_between_a_difference_and_its_event_count_as_newer_too(self, monkeypatch):
        def record_later(run, action, data, as_of):
            deliver("CustomerUpdated", **customer(2, active="maybe"))
            monkeypatch.undo()
            return record_difference(run, action, data, as_of)

        record_difference = reconciling.record_difference
        self.altoviz.add(Entity.CUSTOMER, customer(2, name="newer"))
        monkeypatch.setattr(reconciling, "record_difference", record_later)
        sync_one()
        # The object was read again, with an event that is newer than the one that failed.
        of_sync = WebhookEvent.objects.filter(source=Source.SYNC).order_by("pk")
        assert [event.status for event in of_sync] == [Status.IGNORED, Status.PROCESSED]
        assert Customer.objects.get(altoviz_id=2).name == "newer"

    def test_that_come_after_the_page_are_looked_up_at_the_end(self):
        class Late(Watcher):
            def progressed(self, run):
                if not self.came:
                    self.came = deliver("CustomerUpdated", **customer(3, name="then"))

            came = None

        run = sync_one(watcher=Late())
        assert Customer.objects.get(altoviz_id=3).name == customer(3)["name"]
        assert counts(run) == {"seen": 3, "unchanged": 3, "changed": 1}

    def test_of_an_object_that_was_deleted_meanwhile(self):
        class Late(Watcher):
            came = None

            def progressed(watcher, run):
                if not watcher.came:
                    watcher.came = deliver("CustomerUpdated", **customer(3, name="last words"))
                    del self.altoviz.objects[Entity.CUSTOMER][3]

        assert counts(sync_one(watcher=Late()))["deleted"] == 1
        assert not Customer.objects.filter(altoviz_id=3).exists()

    def test_of_an_object_created_after_its_page_do_not_delete_it(self):
        def create():
            deliver("CustomerCreated", **customer(9))
            self.altoviz.add(Entity.CUSTOMER, customer(9))

        self.after_next_request(create)
        assert sync_one().is_in_step
        assert Customer.objects.filter(altoviz_id=9).exists()

    def test_of_an_object_too_new_to_be_read_do_not_delete_it(self, receiver_calls):
        self.after_next_request(lambda: deliver("CustomerCreated", **customer(9)))
        sync_one()
        assert self.altoviz.lookups == ["/v1/Customers/9"]
        assert Customer.objects.filter(altoviz_id=9).exists()
        assert [type for type, id, _ in receiver_calls if id == 9] == ["CustomerCreated"]
        # If it still can't be read, the next sync deletes it.
        assert counts(sync_one())["deleted"] == 1

    def test_that_are_pending_are_processed_before_the_comparison(self):
        event = WebhookEvent.from_delivery(
            body_of("CustomerUpdated", **customer(2, name="waiting")), "default", {}
        )
        WebhookEvent.objects.store(event)
        run = sync_one()
        # The page is newer than the event, so the sync sets the name back.
        assert Customer.objects.get(altoviz_id=2).name == customer(2)["name"]
        assert counts(run) == {"seen": 3, "unchanged": 2, "changed": 1}

    def test_that_failed_can_not_overwrite_a_newer_page_later(self):
        deliver("CustomerUpdated", **customer(2, active="maybe"))
        assert counts(sync_one())["changed"] == 1
        failed = WebhookEvent.objects.get(status=Status.FAILED)
        assert Customer.objects.get(altoviz_id=2).last_event_id > failed.pk
        assert sync_one().is_in_step

    def test_that_wait_for_a_retry_are_not_recorded_twice(self):
        newer = customer(2, name="newer")
        event = WebhookEvent.from_delivery(body_of("CustomerUpdated", **newer), "default", {})
        event.next_attempt_at = timezone.now() + datetime.timedelta(hours=1)
        WebhookEvent.objects.store(event)
        self.altoviz.add(Entity.CUSTOMER, newer)
        assert counts(sync_one()) == {"seen": 3, "unchanged": 2, "changed": 1}
        assert sync_events() == []

    def test_that_wait_are_not_recorded_twice_when_their_object_is_looked_up(self):
        def come():
            newer = customer(2, name="newer")
            event = WebhookEvent.from_delivery(body_of("CustomerUpdated", **newer), "default", {})
            event.next_attempt_at = timezone.now() + datetime.timedelta(hours=1)
            WebhookEvent.objects.store(event)
            self.altoviz.add(Entity.CUSTOMER, newer)

        self.after_next_request(come)
        assert counts(sync_one())["changed"] == 1
        assert sync_events() == []

    def test_that_failed_are_corrected_by_a_lookup(self):
        def come():
            deliver("CustomerCreated", **customer(9, active="maybe"))
            self.altoviz.add(Entity.CUSTOMER, customer(9))

        self.after_next_request(come)
        sync_one()
        assert Customer.objects.filter(altoviz_id=9).exists()
        assert sync_events() == [("CustomerCreated", 9)]

    def test_that_failed_are_counted_if_the_lookup_shows_the_same(self):
        def come():
            deliver("CustomerUpdated", **customer(2, active="maybe"))
            self.altoviz.add(Entity.CUSTOMER, customer(2, active="maybe"))

        self.after_next_request(come)
        assert counts(sync_one()) == {"seen": 3, "unchanged": 3, "failed": 1}

    def test_of_an_object_that_was_never_mirrored_do_not_delete_it(self, receiver_calls):
        self.after_next_request(lambda: deliver("CustomerUpdated", **customer(9, active="maybe")))
        assert sync_one().is_in_step
        assert self.altoviz.lookups == ["/v1/Customers/9"]
        assert (sync_events(), receiver_calls) == ([], [])

    def test_that_create_an_object_do_not_hide_the_deletion_of_another(self):
        def create():
            deliver("CustomerCreated", **customer(9))
            self.altoviz.add(Entity.CUSTOMER, customer(9))

        del self.altoviz.objects[Entity.CUSTOMER][2]
        self.after_next_request(create)
        assert counts(sync_one()) == {"seen": 2, "unchanged": 2, "deleted": 1}
        assert sync_events() == [("CustomerDeleted", 2)]

    def test_of_an_object_that_can_not_be_looked_up_do_not_stop_the_sync(self, caplog):
        self.altoviz.answers["/v1/Customers/3"] = Answer(400)
        self.after_next_request(lambda: deliver("CustomerUpdated", **customer(3, name="then")))
        assert counts(sync_one()) == {"seen": 3, "unchanged": 2, "failed": 2}
        assert "customer 3 could not be read: InvalidRequest" in caplog.text

    def test_that_keep_coming_win_over_every_page(self):
        names = iter("abcdefgh")

        def change():
            deliver("CustomerUpdated", **customer(2, name=next(names)))

        self.altoviz.after["each"] = change
        self.altoviz.add(Entity.CUSTOMER, customer(2, name="behind"))
        sync_one()
        assert Customer.objects.get(altoviz_id=2).name in "abcdefgh"

    def test_during_the_first_sync_are_not_overwritten(self, altoviz):
        """A webhook inserts one object of a page before the import does."""
        altoviz.add(Entity.QUOTE, quote(1), quote(2), quote(3))
        newer = quote(2, subject="newer")

        def change():
            deliver("QuoteUpdated", **newer)
            altoviz.add(Entity.QUOTE, newer)

        self.after_next_request(change)
        run = sync_one([Entity.QUOTE])
        assert Quote.objects.get(altoviz_id=2).subject == "newer"
        assert counts(run) == {"seen": 3, "new": 2, "unchanged": 1}

    def test_that_insert_a_row_first_make_the_import_look_it_up(self, altoviz, monkeypatch):
        altoviz.add(Entity.QUOTE, quote(1), quote(2), quote(3))
        newer = quote(2, subject="newer")
        build_rows = reconciling.build_rows

        def build_rows_and_change(*args):
            rows = build_rows(*args)
            monkeypatch.setattr(reconciling, "build_rows", build_rows)
            deliver("QuoteUpdated", **newer)
            altoviz.add(Entity.QUOTE, newer)
            return rows

        monkeypatch.setattr(reconciling, "build_rows", build_rows_and_change)
        run = sync_one([Entity.QUOTE])
        assert Quote.objects.get(altoviz_id=2).subject == "newer"
        assert Quote.objects.count() == 3
        assert counts(run) == {"seen": 3, "new": 2, "unchanged": 1}


class TestInterrupted:
    @pytest.fixture(autouse=True)
    def lists(self, altoviz):
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 1501)))

    def interrupt_at(self, altoviz, number, answer=None):
        def interrupt():
            if answer is None:
                raise KeyboardInterrupt
            return answer

        altoviz.before[len(altoviz.requests) + number] = interrupt

    def pages(self, altoviz, since=0):
        return [int(query["PageIndex"]) for _, query in altoviz.requests[since:] if query]

    def test_by_altoviz_is_resumed_where_it_stopped(self, altoviz):
        self.interrupt_at(altoviz, 12, Answer(401))
        with pytest.raises(NotAuthorized):
            sync_one()
        stopped = SyncRun.objects.get()
        assert counts(stopped) == {"seen": 1000, "new": 1000}
        assert stopped.error.startswith("GET v1/Customers was answered 401")
        assert Customer.objects.count() == 1000
        since = len(altoviz.requests)
        run = sync_one()
        assert run == stopped
        assert self.pages(altoviz, since) == [11, 12, 13, 14, 15]
        assert counts(run) == {"seen": 1500, "new": 1500}
        assert run.error == ""

    def test_by_hand_is_resumed_too(self, altoviz):
        class Impatient(Watcher):
            def progressed(self, run):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            sync_one(watcher=Impatient())
        assert SyncRun.objects.get().error == "KeyboardInterrupt"
        assert counts(sync_one()) == {"seen": 1500, "new": 1500}

    def test_marks_nothing_as_deleted(self, altoviz):
        sync_one()
        altoviz.objects[Entity.CUSTOMER].clear()
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 1001)))
        since = len(altoviz.requests)

        def break_down():
            return Answer(fault="reset") if len(altoviz.requests) > since + 7 else None

        altoviz.before["each"] = break_down
        with pytest.raises(ConnectionFailed):
            sync_one()
        assert Customer.objects.count() == 1500

    def test_while_it_looks_up_missing_objects_is_resumed_there(self, altoviz):
        sync_one()
        objects = altoviz.objects[Entity.CUSTOMER]
        altoviz.objects[Entity.CUSTOMER] = {id: objects[id] for id in range(1, 1491)}
        self.interrupt_at(altoviz, 15 + 4, Answer(401))
        with pytest.raises(NotAuthorized):
            sync_one()
        assert Customer.objects.count() == 1497
        since = len(altoviz.requests)
        run = sync_one()
        assert Customer.objects.count() == 1490
        assert counts(run) == {"seen": 1490, "unchanged": 1490, "deleted": 10}
        assert self.pages(altoviz, since) == []
        assert len(altoviz.requests) - since == 7

    def test_long_ago_starts_again(self, altoviz):
        self.interrupt_at(altoviz, 12, Answer(401))
        with pytest.raises(NotAuthorized):
            sync_one()
        long_ago = timezone.now() - datetime.timedelta(days=2)
        SyncRun.objects.update(active_at=long_ago)
        run = sync_one()
        assert run.is_import
        assert counts(run) == {"seen": 1500, "new": 500, "unchanged": 1000}
        assert SyncRun.objects.get() == run
        assert not SyncStep.objects.exists()

    def test_by_another_process_leaves_the_rest_to_that_process(self, altoviz):
        class Slow(Watcher):
            def progressed(self, run):
                if run.position["page"] == 5:
                    other.append(sync_one())

        other = []
        with pytest.raises(SyncTakenOver):
            sync_one(watcher=Slow())
        assert counts(other[0]) == {"seen": 1500, "new": 1500}
        assert SyncRun.objects.get().finished_at is not None
        assert Customer.objects.count() == 1500


@pytest.mark.django_db(transaction=True)
def test_one_of_two_syncs_that_start_together_wins(altoviz):
    """Neither sync finds the run of the other when it looks for a run to resume."""

    def meet(instance, **kwargs):
        both.wait()

    def run():
        try:
            outcomes.append(counts(sync_one()))
        except SyncTakenOver as error:
            outcomes.append(type(error))
        finally:
            connection.close()

    both = threading.Barrier(2, timeout=120)
    altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 1501)))
    outcomes = []
    threads = [threading.Thread(target=run) for _ in range(2)]
    for each in (pre_save, post_save):
        each.connect(meet, SyncRun)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in (pre_save, post_save):
        each.disconnect(meet, SyncRun)
    assert SyncTakenOver in outcomes
    assert {"seen": 1500, "new": 1500} in outcomes
    assert Customer.objects.count() == 1500
    assert SyncRun.objects.get().finished_at is not None


@pytest.mark.parametrize("name", ["claim", "finish", "delete"])
def test_a_run_that_another_process_has_changed_can_not_be_claimed(name):
    run = SyncRun.objects.create(account="default", entity="customer", is_import=True, as_of=0)
    getattr(SyncRun.objects.get(), name)()
    with pytest.raises(SyncTakenOver):
        run.claim()


class TestOldRuns:
    def sync_days_ago(self, days, entity=Entity.CUSTOMER, **options):
        run = sync_one([entity], **options)
        then = timezone.now() - datetime.timedelta(days=days)
        SyncRun.objects.filter(pk=run.pk).update(active_at=then, finished_at=then)
        return run

    @pytest.fixture(autouse=True)
    def retention(self, altoviz, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"RETENTION_DAYS": 30}

    def test_are_deleted_with_the_events_of_their_time(self):
        for days in (33, 32, 29):
            young = self.sync_days_ago(days)
        new = sync_one()
        assert [*SyncRun.objects.order_by("pk")] == [young, new]
        assert not new.is_import

    def test_are_kept_if_they_prove_that_the_import_is_done(self):
        imported = self.sync_days_ago(33)
        self.sync_days_ago(32, dry_run=True)
        other = self.sync_days_ago(31, Entity.QUOTE)
        new = sync_one()
        assert not new.is_import
        assert [*SyncRun.objects.order_by("pk")] == [imported, other, new]

    def test_are_deleted_even_if_they_never_finished(self, altoviz):
        altoviz.before[1] = lambda: Answer(401)
        with pytest.raises(NotAuthorized):
            sync_one(dry_run=True)
        SyncRun.objects.update(active_at=timezone.now() - datetime.timedelta(days=31))
        new = sync_one()
        assert SyncRun.objects.get() == new


@pytest.mark.django_db(transaction=True)
class TestKilled:
    """Kill a sync in a separate process with SIGKILL."""

    def kill_at(self, page, settings):
        arguments = [connection.settings_dict["NAME"], settings.ALTOVIZ["BASE_URL"], str(page)]
        ended = run([sys.executable, "-m", "tests.sync.killed", *arguments])
        assert ended.returncode == -signal.SIGKILL

    def test_first_sync_is_resumed_where_it_was(self, altoviz, settings):
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 1501)))
        for page in (5, 10):
            self.kill_at(page, settings)
            assert Customer.objects.count() == page * 100
        run = sync_one()
        assert counts(run) == {"seen": 1500, "new": 1500}
        pages = [int(query["PageIndex"]) for _, query in altoviz.requests]
        assert pages == [*range(1, 16)]

    def test_later_sync_deletes_nothing_before_the_end_of_the_list(self, altoviz, settings):
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 1501)))
        sync_one()
        objects = altoviz.objects[Entity.CUSTOMER]
        altoviz.objects[Entity.CUSTOMER] = {id: objects[id] for id in range(1, 1481)}
        altoviz.add(Entity.CUSTOMER, customer(3, name="renamed"))
        self.kill_at(5, settings)
        assert Customer.objects.count() == 1500
        run = sync_one()
        assert counts(run) == {"seen": 1480, "changed": 1, "unchanged": 1479, "deleted": 20}


class TestDryRun:
    @pytest.fixture(autouse=True)
    def first(self, altoviz):
        altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 6)))
        sync_one()

    def test_finds_the_same_and_changes_nothing(self, altoviz, receiver_calls):
        altoviz.add(Entity.CUSTOMER, customer(2, name="renamed"), customer(9))
        altoviz.add(Entity.CUSTOMER, customer(3, active="maybe"))
        del altoviz.objects[Entity.CUSTOMER][5]
        before = [*Customer.with_deleted.values_list("pk", "data", "deleted_at")]
        run = sync_one(dry_run=True)
        found = counts(run)
        assert found == {
            "seen": 5,
            "new": 1,
            "changed": 1,
            "unchanged": 2,
            "deleted": 1,
            "failed": 1,
        }
        assert [*Customer.with_deleted.values_list("pk", "data", "deleted_at")] == before
        assert not WebhookEvent.objects.exists()
        assert receiver_calls == []
        assert counts(sync_one()) == found

    def test_does_not_count_as_the_first_sync(self, altoviz):
        altoviz.add(Entity.QUOTE, quote(1))
        run = sync_one([Entity.QUOTE], dry_run=True)
        assert counts(run) == {"seen": 1, "new": 1}
        assert not Quote.objects.exists()
        assert sync_one([Entity.QUOTE]).is_import

    def test_does_not_process_pending_events(self, altoviz):
        event = WebhookEvent.from_delivery(
            body_of("CustomerUpdated", **customer(2, name="waiting")), "default", {}
        )
        WebhookEvent.objects.store(event)
        sync_one(dry_run=True)
        event.refresh_from_db()
        assert event.status == Status.PENDING

    def test_does_not_resume_a_real_sync(self, altoviz):
        altoviz.before[len(altoviz.requests) + 1] = lambda: Answer(401)
        with pytest.raises(NotAuthorized):
            sync_one()
        run = sync_one(dry_run=True)
        assert run.is_dry_run
        assert not sync_one().is_dry_run


def test_an_object_without_a_valid_id_is_stored_as_a_failed_event(altoviz):
    altoviz.add(Entity.CUSTOMER, customer(-5), customer(2**70), customer(1))
    assert counts(sync_one()) == {"seen": 3, "new": 1, "failed": 2}
    events = WebhookEvent.objects.all()
    assert all("id: expected a positive integer" in event.error for event in events)


@pytest.mark.parametrize("id", [None, "5", True, {}])
def test_an_object_without_a_valid_id_does_not_stop_the_others(altoviz, id):
    altoviz.objects[Entity.CUSTOMER] = {1: customer(1), 2: customer(id), 3: customer(3)}
    assert counts(sync_one()) == {"seen": 3, "new": 2, "failed": 1}
    assert "id: expected a positive integer" in WebhookEvent.objects.get().error


def test_an_id_may_be_written_as_a_decimal_number(altoviz):
    altoviz.objects[Entity.CUSTOMER] = {418206: customer(Decimal("418206.0"))}
    assert counts(sync_one()) == {"seen": 1, "new": 1}
    assert Customer.objects.get().altoviz_id == 418206
    assert counts(sync_one()) == {"seen": 1, "unchanged": 1}


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, InvalidRequest), (404, NoSuchRoute), (409, Conflict), (500, ServerError)],
)
def test_a_refused_list_does_not_stop_the_lists_after_it(altoviz, status, error):
    altoviz.add(Entity.QUOTE, quote(1))
    altoviz.answers["/v1/Customers"] = Answer(status)
    with pytest.raises(error):
        sync(entities=[Entity.CUSTOMER, Entity.QUOTE])
    assert Quote.objects.exists()
    assert f"v1/Customers was answered {status}" in SyncRun.objects.get(entity="customer").error


def test_the_watcher_is_told_about_pauses_for_the_rate_limit(altoviz, settings):
    class Waiting(Watcher):
        pauses = []

        def paused(self, seconds):
            self.pauses.append(seconds)
            settings.CACHES  # noqa: B018
            raise KeyboardInterrupt

    settings.ALTOVIZ = settings.ALTOVIZ | {"API_REQUESTS_PER_MINUTE": 2}
    altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 301)))
    with pytest.raises(KeyboardInterrupt):
        sync_one(watcher=Waiting())
    assert 0 < Waiting.pauses[0] <= 65


def test_a_client_of_the_caller_keeps_its_own_on_wait(altoviz):
    pauses = []
    with AltovizClient.for_account() as client:
        client.rate_limiter.on_wait = client.on_pause = pauses.append
        sync(entities=CUSTOMERS, client=client, watcher=Watcher())
        assert client.rate_limiter.on_wait == pauses.append
        altoviz.answers["/v1/Customers"] = Answer(401)
        with pytest.raises(NotAuthorized):
            sync(entities=CUSTOMERS, client=client)
        assert client.rate_limiter.on_wait == client.on_pause == pauses.append


def test_every_list_that_fails_is_reported(altoviz):
    altoviz.add(Entity.QUOTE, quote(1))
    altoviz.answers["/v1/Customers"] = Answer(500)
    altoviz.answers["/v1/Products"] = Answer(400)
    with pytest.raises(ListsFailed) as raised:
        sync()
    assert [type(error) for error in raised.value.failures] == [ServerError, InvalidRequest]
    customers, products = str(raised.value).splitlines()
    assert "v1/Customers was answered 500" in customers
    assert "v1/Products was answered 400" in products
    assert Quote.objects.exists()
