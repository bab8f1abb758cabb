"""A sync heals all drift, after any loss, duplication and reordering of deliveries."""

from __future__ import annotations

import threading
import time
from collections import Counter
from random import Random

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from django_altoviz.client import AltovizClient
from django_altoviz.event_types import Entity
from django_altoviz.models import Credit, Invoice, Quote, Source, Status, WebhookEvent
from django_altoviz.signals import BY_BUSINESS_SIGNAL
from django_altoviz.sync import ENTITIES, sync
from django_altoviz.testing import Behaviour, FakeAltoviz, through_test_client
from tests.conftest import examples
from tests.settings import ALTOVIZ
from tests.sync.changes import change, drift

TROUBLE = {"drop": 0.3, "duplicate": 0.3, "reorder": 0.3}
EXAMPLE = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    # No shrinking: a shorter sequence with another seed is not a simpler one.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@pytest.fixture
def connect(settings):
    """Connect the project with a fake: its API settings, and its deliveries to the test client."""

    def connect(seed=0, **switches):
        altoviz = FakeAltoviz(
            seed=seed,
            behaviour=Behaviour(quota=None, **switches),
            transport=through_test_client,
        )
        altoviz.webhooks.register(
            "https://shop.example/altoviz/webhook/", ALTOVIZ["WEBHOOK_SECRET"]
        )
        settings.ALTOVIZ = ALTOVIZ | altoviz.settings | {"API_REQUESTS_PER_MINUTE": 10**6}
        return altoviz

    return connect


@pytest.fixture
def sent():
    """Count how often each business signal is sent for each document."""
    counts, receivers = Counter(), []
    for name, signal in BY_BUSINESS_SIGNAL.items():

        def count(instance, name=name, **kwargs):
            counts[name, instance.altoviz_id] += 1

        signal.connect(count)
        receivers.append((signal, count))
    yield counts
    for signal, count in receivers:
        signal.disconnect(count)


def proved():
    """Return the business signals that the state of the mirrored documents proves."""
    return {
        (name, row.altoviz_id)
        for model in (Invoice, Quote, Credit)
        for row in model.objects.all()
        for name, business_signal in model.BUSINESS_SIGNALS.items()
        if business_signal.is_reached(row)
    }


@settings(EXAMPLE, max_examples=examples(15))
@given(
    seed=st.integers(0, 2**32),
    bursts=st.lists(st.integers(0, 40), min_size=1, max_size=4),
    deleted_data=st.sampled_from(["full", "id", "null"]),
    lines_in_lists=st.booleans(),
    is_filled_first=st.booleans(),
    paging_headers=st.booleans(),
)
@pytest.mark.django_db
def test_one_sync_heals_all_drift(connect, sent, seed, bursts, is_filled_first, **switches):
    random = Random(seed)
    sent.clear()
    with transaction.atomic(), connect(seed, **switches) as altoviz:
        altoviz.populate(customers=5, products=5, invoices=5, quotes=5, credits=5)
        if is_filled_first:
            sync()
        imported = proved()
        altoviz.behave(**TROUBLE)
        for burst in bursts:
            for _ in range(burst):
                change(altoviz, random)
            altoviz.wait()
        sync(all_gone=True)
        assert drift(altoviz) == []
        assert all(number == 1 for number in sent.values())
        if is_filled_first:
            assert proved() - imported <= sent.keys()
        before = WebhookEvent.objects.count()
        assert all(run.is_in_step for run in sync())
        assert WebhookEvent.objects.count() == before
        transaction.set_rollback(True)


@settings(EXAMPLE, max_examples=1)
@given(seed=st.integers(0, 2**32))
@pytest.mark.django_db
def test_many_changes_are_healed_by_one_sync(connect, sent, seed):
    random = Random(seed)
    sent.clear()
    with transaction.atomic(), connect(seed, **TROUBLE) as altoviz:
        altoviz.populate(customers=20, products=20, invoices=20, quotes=20, credits=20)
        sync()
        imported = proved()
        assert not sent
        for n in range(max(1000, examples(2000))):
            change(altoviz, random)
            if n % 50 == 0:
                altoviz.wait()
        altoviz.wait()
        before = drift(altoviz)
        sync(all_gone=True)
        assert before
        assert drift(altoviz) == []
        assert not WebhookEvent.objects.filter(status=Status.FAILED).exists()
        # Each business signal that the final state proves was sent exactly once, by a delivery or the sync.
        assert proved() - imported <= sent.keys()
        assert not imported & sent.keys()
        assert {*sent.values()} == {1}
        # No due date passes meanwhile.
        assert {name for name, _id in sent} == {*BY_BUSINESS_SIGNAL} - {"invoice_overdue"}
        transaction.set_rollback(True)


def in_thread(work):
    """Run ``work`` in a thread, and return the function that joins it."""
    errors = []

    def run():
        try:
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()

    def join():
        thread.join()
        assert errors == []

    return join


@pytest.mark.django_db(transaction=True)
class TestWhileDeliveriesComeIn:
    @pytest.fixture(autouse=True)
    def slow_answers(self, monkeypatch):
        """Delay each answer, so that objects change between the answer and its use."""

        def send(*args, **options):
            answer = answered(*args, **options)
            time.sleep(0.01)
            return answer

        answered = AltovizClient._send
        monkeypatch.setattr(AltovizClient, "_send", send)

    def run(self, act, entities=ENTITIES, syncs=3):
        """Run some syncs while ``act`` is called again and again."""
        is_over = threading.Event()

        def work():
            while not is_over.is_set():
                act()
                time.sleep(0.01)  # the sync looks each change up, so changes must not come faster

        join = in_thread(work)
        try:
            for _ in range(syncs):
                sync(entities=entities)
        finally:
            is_over.set()
            join()

    def sync_during_changes(self, altoviz, seed):
        random = Random(seed)

        def act():
            change(altoviz, random)
            altoviz.wait()

        self.run(act)

    @pytest.mark.parametrize("seed", range(2))
    def test_no_event_is_overwritten_by_an_older_page(self, connect, seed):
        """Every delivery arrives at once and in order, so the mirror needs no further sync."""
        with connect(seed, payment_event=True) as altoviz:
            altoviz.populate(customers=110, products=5, invoices=40, quotes=5)
            self.sync_during_changes(altoviz, seed)
            assert {delivery.status for delivery in altoviz.wait()} == {200}
            # No delivery tells of a credit that has changed since it was read.
            assert {kind for kind, _id in drift(altoviz)} <= {"credit"}

    @pytest.mark.parametrize("seed", range(2))
    def test_lost_and_reordered_deliveries_are_healed_by_one_more_sync(self, connect, sent, seed):
        with connect(seed, **TROUBLE) as altoviz:
            altoviz.populate(customers=110, products=5, invoices=40, quotes=5)
            self.sync_during_changes(altoviz, seed)
            sync()
            assert drift(altoviz) == []
            assert WebhookEvent.objects.filter(source=Source.SYNC).exists()
            assert all(number == 1 for number in sent.values())

    @pytest.mark.parametrize("seed", range(2))
    def test_each_step_of_a_document_is_signalled_once(self, connect, sent, seed):
        """A sync may see the next step before the delivery of this step arrives."""
        random, documents = Random(seed), [Entity.INVOICE, Entity.QUOTE]
        with connect(seed, payment_event=True) as altoviz:
            invoices, quotes = altoviz.invoices, altoviz.quotes

            def live():
                lives = (
                    (invoices, ["finalize", "send", "pay", "", "cancel"]),
                    (quotes, ["send", "", "accept", "", "invoice"]),
                )
                for records, steps in lives:
                    id = records.create()["id"]
                    for step in steps:
                        getattr(records, step)(id) if step else records.change(id, subject="A")
                        time.sleep(0.01)
                        if random.random() < 0.5:
                            altoviz.wait()

            altoviz.populate(customers=1, products=1, invoices=2, quotes=2)
            sync()
            imported = proved()
            self.run(live, documents, syncs=15)
            altoviz.wait()
            sync()
            assert drift(altoviz) == []
            assert proved() - imported <= sent.keys()
            assert {*sent.values()} == {1}
