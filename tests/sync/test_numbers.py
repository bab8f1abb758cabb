"""Mirrors whose events are gone: pruned, deleted, or not restored with them."""

from __future__ import annotations

import datetime

import pytest
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection
from django.utils import timezone

from django_altoviz.event_types import Entity
from django_altoviz.models import Customer, SyncRun, WebhookEvent
from django_altoviz.processing import process
from django_altoviz.sync import sync
from tests.conftest import body_of
from tests.sync.lists import customer

pytestmark = pytest.mark.django_db(transaction=True)


def deliver(id, event_type="CustomerUpdated", **data):
    event = WebhookEvent.from_delivery(body_of(event_type, id=id, **data), "default", {})
    WebhookEvent.objects.store(event)
    process(event)
    return event


def sync_customers(**options):
    (run,) = sync(entities=[Entity.CUSTOMER], **options)
    return {name: n for name, n in run.counts.items() if n}


def prune():
    """Remove all events, as after a quiet time that is longer than DEDUPE_DAYS."""
    past = timezone.now() - datetime.timedelta(days=400)
    WebhookEvent.with_pruned.update(received_at=past)
    call_command("altoviz_prune_events", "--dedupe-days", "90", verbosity=0)
    call_command("altoviz_prune_events", "--dedupe-days", "90", verbosity=0)
    assert not WebhookEvent.with_pruned.exists()


def restart_numbers():
    """Let the primary keys of events begin anew, as in a database restored without them."""
    WebhookEvent.with_pruned.all().delete()
    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_by_name_sql(
            no_style(), [{"table": WebhookEvent._meta.db_table, "column": "id"}]
        ):
            cursor.execute(sql)
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(%s, 'id'), 1, false)",
                [WebhookEvent._meta.db_table],
            )


LOSSES = pytest.mark.parametrize("lose_events", [prune, restart_numbers])


@pytest.fixture
def mirror(altoviz):
    """Two hundred and fifty customers, some of which had events."""
    altoviz.add(Entity.CUSTOMER, *(customer(id) for id in range(1, 251)))
    for id in range(1, 11):
        deliver(id, name=customer(id)["name"])
    sync_customers()
    sync_customers()


@LOSSES
class TestSyncs:
    def test_find_what_has_changed(self, altoviz, mirror, lose_events):
        lose_events()
        altoviz.add(Entity.CUSTOMER, customer(5, name="renamed"))
        del altoviz.objects[Entity.CUSTOMER][6]
        assert sync_customers() == {"seen": 249, "changed": 1, "unchanged": 248, "deleted": 1}
        assert Customer.objects.get(altoviz_id=5).name == "renamed"
        assert not Customer.objects.filter(altoviz_id=6).exists()
        assert sync_customers() == {"seen": 249, "unchanged": 249}

    def test_find_it_without_writing(self, altoviz, mirror, lose_events):
        lose_events()
        altoviz.add(Entity.CUSTOMER, customer(5, name="renamed"))
        assert sync_customers(dry_run=True) == {"seen": 250, "changed": 1, "unchanged": 249}
        assert sync_customers()["changed"] == 1

    def test_do_not_overwrite_an_event_of_the_new_numbering(self, altoviz, mirror, lose_events):
        lose_events()
        deliver(5, name="by webhook")
        altoviz.after[2] = lambda: deliver(5, name="newer") and None
        altoviz.add(Entity.CUSTOMER, customer(5, name="newer"))
        sync_customers()
        assert Customer.objects.get(altoviz_id=5).name == "newer"


@LOSSES
def test_a_webhook_is_shown(altoviz, mirror, lose_events):
    lose_events()
    for name in ("first", "second"):
        deliver(5, name=name)
        assert Customer.objects.get(altoviz_id=5).name == name
    deliver(5, "CustomerDeleted")
    assert not Customer.objects.filter(altoviz_id=5).exists()


def test_an_old_event_does_not_overwrite_what_a_deleted_one_had_shown(altoviz):
    late = WebhookEvent.from_delivery(body_of("CustomerUpdated", id=5, name="old"), "default", {})
    WebhookEvent.objects.store(late)
    newer = WebhookEvent.from_delivery(body_of("CustomerUpdated", id=5, name="new"), "default", {})
    WebhookEvent.objects.store(newer)
    WebhookEvent.objects.filter(pk=late.pk).update(status="failed", next_attempt_at=timezone.now())
    process(newer)
    WebhookEvent.objects.filter(pk=newer.pk).delete()
    process(WebhookEvent.objects.get(pk=late.pk))
    assert Customer.objects.get().name == "new"


def test_an_object_that_changes_with_each_look_is_not_called_unchanged(altoviz, mirror, caplog):
    altoviz.add(Entity.CUSTOMER, customer(5, name="other"))
    numbers = iter(range(100))

    def change():
        if altoviz.requests[-1][0].endswith("/5") or len(altoviz.requests) < 3:
            deliver(5, name=f"name {next(numbers)}")

    altoviz.requests.clear()
    altoviz.after["each"] = change
    assert sync_customers()["failed"] >= 1
    assert not SyncRun.objects.last().is_in_step
    assert "customer 5 changes too often to be compared" in caplog.text
