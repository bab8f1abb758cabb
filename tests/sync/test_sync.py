"""A sync against lists that change, and events that come in, while it reads."""

from __future__ import annotations

import pytest

from django_altoviz.event_types import Entity, EventType
from django_altoviz.models import Customer, Invoice, SyncRun, SyncStep, WebhookEvent
from django_altoviz.samples import sample
from django_altoviz.sync import sync

pytestmark = pytest.mark.django_db


def customer(id, **data):
    return sample(EventType.CUSTOMER_UPDATED).data | {"id": id} | data


def invoice(id, **data):
    return sample(EventType.INVOICE_UPDATED).data | {"id": id} | data


def counts(run):
    return {name: n for name, n in run.counts.items() if n}


def sync_customers(**options):
    (run,) = sync(entities=[Entity.CUSTOMER], **options)
    return run


def test_the_first_one_fills_the_mirror(altoviz):
    altoviz.add(Entity.CUSTOMER, *(customer(id, name=f"no {id}") for id in range(1, 251)))
    altoviz.add(Entity.INVOICE, invoice(1), invoice(2, isCancelled=True))
    runs = sync()
    assert [counts(run) for run in runs] == [
        {"seen": 250, "new": 250}, {}, {}, {"seen": 2, "new": 2}, {},
    ]  # fmt: skip
    assert all(run.is_import and run.finished_at for run in runs)
    assert Customer.objects.count() == 250
    assert Customer.objects.get(altoviz_id=77).name == "no 77"
    assert Invoice.objects.get(altoviz_id=2).lines.count() == len(invoice(2)["lines"])
    assert not WebhookEvent.objects.exists()
    assert not SyncStep.objects.exists()


def test_the_second_one_finds_all_unchanged(altoviz):
    altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 251)))
    sync_customers()
    before = list(Customer.objects.values_list("synced_at", "last_event_id"))
    run = sync_customers()
    assert counts(run) == {"seen": 250, "unchanged": 250}
    assert run.is_in_step
    assert not WebhookEvent.objects.exists()
    assert list(Customer.objects.values_list("synced_at", "last_event_id")) == before
    assert SyncRun.objects.count() == 2
