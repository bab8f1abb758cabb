"""The number of statements of each path through the app, because round trips dominate its speed."""

from __future__ import annotations

import copy
import datetime
import re
import uuid

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_altoviz.event_types import EventType
from django_altoviz.models import Invoice, ReceiverRun, Status, WebhookEvent
from django_altoviz.processing import process, ready_keys
from django_altoviz.signals import customer_created
from tests.conftest import body_of

# In autocommit mode as in production, so that only the app begins transactions.
pytestmark = pytest.mark.django_db(transaction=True)

TRANSACTIONS = ("BEGIN", "COMMIT", "ROLLBACK")
# MariaDB needs one more statement to see if it is the event's turn. SQLite needs one more to take
# the write lock, because its transactions do not begin with it.
# MariaDB can't return the row of an UPDATE.
REDELIVERY = 3 if connection.vendor == "mysql" else 2
INLINE = 4 if connection.vendor == "postgresql" else 5


class Statements:
    """The statements executed in a block, without those that begin and end transactions."""

    def __init__(self):
        self.capture = CaptureQueriesContext(connection)

    def __enter__(self):
        self.capture.__enter__()
        return self

    def __exit__(self, *exc_info):
        self.capture.__exit__(*exc_info)
        captured = [query["sql"] for query in self.capture.captured_queries]
        self.sql = [sql for sql in captured if not sql.startswith(TRANSACTIONS)]
        # Outside BEGIN and COMMIT each statement is a transaction of its own.
        self.transactions, is_open = 0, False
        for sql in captured:
            if sql.startswith("BEGIN"):
                self.transactions, is_open = self.transactions + 1, True
            elif sql.startswith(("COMMIT", "ROLLBACK")):
                is_open = False
            elif not is_open:
                self.transactions += 1


@pytest.fixture(autouse=True)
def connected(db):
    connection.ensure_connection()


def count(post, body, **options):
    with Statements() as statements:
        post(body, **options)
    return len(statements.sql), statements.transactions


@pytest.mark.parametrize("options", [{"signature": "0" * 64}, {"path": "/altoviz/webhook/no/"}])
def test_most_rejected_deliveries_take_no_statement(post, options):
    statements, transactions = count(post, EventType.CUSTOMER_CREATED, **options)
    assert (statements <= 5, transactions) == (True, 1)  # to count it; once a second
    assert count(post, EventType.CUSTOMER_CREATED, **options) == (0, 0)
    assert count(post, EventType.CUSTOMER_CREATED, **options) == (0, 0)


def test_a_new_event_is_stored_in_one_statement(post, deferred):
    assert count(post, EventType.CUSTOMER_CREATED) == (1, 1)
    assert WebhookEvent.objects.get().status == Status.PENDING


def test_a_malformed_or_unknown_event_is_stored_in_one_statement(post):
    assert count(post, b"ping") == (1, 1)
    assert count(post, {"id": "evt_1", "type": "CreditCreated", "data": {}}) == (1, 1)


def test_a_redelivery_takes_two_statements(post):
    post(EventType.CUSTOMER_CREATED)
    statements, _ = count(post, EventType.CUSTOMER_CREATED)
    assert statements == REDELIVERY


@pytest.mark.parametrize("fails", [False, True])
def test_a_redelivery_of_an_event_that_waits_takes_two_statements(post, settings, fails):
    dispatcher = "inline" if fails else "deferred"
    settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": f"django_altoviz.dispatchers.{dispatcher}"}
    body = body_of("CustomerCreated", active="maybe" if fails else True)
    post(body)
    statements, _ = count(post, body)
    assert statements == REDELIVERY
    event = WebhookEvent.objects.get()
    assert (event.status, event.deliveries) == ("failed" if fails else "pending", 2)


@pytest.mark.parametrize(
    "event_type",
    [t for t in EventType if t.entity in ("customer", "contact", "product")],
)
def test_an_inline_event_takes_at_most_five_statements_in_two_transactions(post, event_type):
    assert count(post, event_type) == (INLINE, 2)
    assert WebhookEvent.objects.get().status == Status.PROCESSED


def test_an_update_takes_as_many_statements_as_a_creation(post):
    post(EventType.CUSTOMER_CREATED)
    assert count(post, EventType.CUSTOMER_UPDATED) == (INLINE, 2)


def test_the_statements_for_an_invoice_do_not_grow_with_its_lines(post):
    lines = [{"id": n, "description": f"Line {n}", "quantity": n} for n in range(10)]
    assert count(post, body_of("InvoiceCreated", id=1, lines=lines)) == (INLINE + 1, 2)
    changed = [line | {"quantity": 1} for line in lines]
    assert count(post, body_of("InvoiceUpdated", id=1, lines=changed)) == (INLINE + 2, 2)
    assert count(post, body_of("InvoiceUpdated", id=1, lines=changed, subject="New")) == (INLINE, 2)
    assert Invoice.objects.get().lines.count() == 10


def test_a_receiver_adds_at_most_four_statements(post):
    def receive(**kwargs):
        pass

    customer_created.connect(receive)
    try:
        statements, transactions = count(post, EventType.CUSTOMER_CREATED)
    finally:
        customer_created.disconnect(receive)
    assert ReceiverRun.objects.count() == 1
    # Before the call: the renewal of the lease. After it: the run, the outcome, and the query for
    # later events.
    assert statements == INLINE + 4
    assert transactions <= 2 + 4


def test_a_backlog_adds_no_statements(post, deferred):
    for _ in range(20):
        post(body_of("CustomerUpdated"))
    assert count(post, EventType.CUSTOMER_CREATED) == (1, 1)


@pytest.fixture
def misjudged(post, deferred):
    """Many events that wait, and statistics by which each of them might be due."""
    post(EventType.CUSTOMER_CREATED)
    event = WebhookEvent.objects.get()
    copies = [copy.copy(event) for _ in range(3000)]
    for number, each in enumerate(copies):
        each.pk, each.dedupe_key, each.object_id = None, uuid.uuid4(), number
    WebhookEvent.objects.bulk_create(copies)
    with connection.cursor() as cursor:
        of_table = " TABLE " if connection.vendor == "mysql" else " "
        cursor.execute(f"ANALYZE{of_table}{WebhookEvent._meta.db_table}")
    later = timezone.now() + datetime.timedelta(hours=5)
    WebhookEvent.objects.update(status=Status.FAILED, next_attempt_at=later)


def test_a_look_with_nothing_due_is_one_look_into_the_index_per_range(misjudged):
    with Statements() as statements:
        assert not [*ready_keys(WebhookEvent.objects.all())]
    assert len(statements.sql) == 5
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    for sql in statements.sql:
        with connection.cursor() as cursor:
            cursor.execute(f"{explain} {sql}")
            plan = str(cursor.fetchall())
        assert "altoviz_event_queue" in plan
        assert not re.search("Sort|TEMP B-TREE|Seq Scan|ALL", plan), plan


@pytest.mark.skipif(
    connection.vendor != "postgresql", reason="only PostgreSQL has synchronous_commit"
)
class TestCommits:
    """Commits of the event and of receivers wait for the disk.

    Commits of the event's state do not, because processing the event again restores it.
    """

    @staticmethod
    def synchronous_commit():
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            return cursor.fetchone()[0]

    def test_only_the_claim_and_the_outcome_are_committed_asynchronously(self, post):
        seen = []

        def receive(**kwargs):
            seen.append(self.synchronous_commit())

        customer_created.connect(receive)
        try:
            with CaptureQueriesContext(connection) as captured:
                post(EventType.CUSTOMER_CREATED)
        finally:
            customer_created.disconnect(receive)
        assert WebhookEvent.objects.get().status == Status.PROCESSED
        assert (seen, self.synchronous_commit()) == (["on"], "on")
        asynchronous = [
            q["sql"][:40] for q in captured.captured_queries if "set_config" in q["sql"]
        ]
        claim = outcome = 'UPDATE "django_altoviz_webhookevent" SET'
        assert asynchronous == [claim, outcome]

    @pytest.mark.parametrize(
        "body", [body_of("CustomerCreated"), body_of("CustomerCreated", name=5)]
    )
    def test_an_outer_transaction_is_committed_as_usual(self, post, deferred, body):
        def receive(**kwargs):
            pass

        customer_created.connect(receive)
        try:
            post(body)
            with transaction.atomic():
                process(WebhookEvent.objects.get())
                assert self.synchronous_commit() == "on"
        finally:
            customer_created.disconnect(receive)
        assert WebhookEvent.objects.get().attempts == 1
