"""The SQL statements written by hand, including the branches for other databases."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection, connections, transaction
from django.db.models import F
from django.db.models.signals import post_save, pre_save

from django_altoviz.models import Customer, Status, WebhookEvent
from django_altoviz.models.statements import insert, lock_at_once, locked, update, updated
from django_altoviz.processing import claims, process
from tests.conftest import body_of


def store():
    event = WebhookEvent.from_delivery(body_of("CustomerUpdated", id=1), "default", {})
    return WebhookEvent.objects.store(event)


@pytest.mark.django_db
class TestInsertAndUpdate:
    @pytest.mark.skipif(connection.vendor == "postgresql", reason="PostgreSQL always returns it")
    def test_insert_sets_the_primary_key_if_the_database_does_not_return_it(self, monkeypatch):
        monkeypatch.setattr(connection.features, "can_return_columns_from_insert", False)
        row = Customer(altoviz_id=1, account="default", data={"id": 1}, last_event_id=1)
        insert(row, "default")
        assert Customer.objects.get() == row

    @pytest.mark.parametrize(
        "values",
        [
            {},
            {"data": {}, "email": "", "number": "0", "active": False},
            {"data": [], "email": None, "active": True},
            {"data": {"id": 1, "": "'"}, "email": "'; --", "number": "{}", "name": "%s"},
            {"initial_commitment_amount": Decimal("0"), "internal_id": "[]"},
        ],
    )
    def test_insert_and_update_keep_every_value_exactly(self, values):
        row = Customer(altoviz_id=1, account="default", data={"id": 1}, last_event_id=1)
        other = Customer(altoviz_id=2, account="other", data={"id": 2}, last_event_id=2)
        insert(other, "default")
        for name, value in values.items():
            setattr(row, name, value)
        insert(row, "default")
        if values:
            assert update(other, values)
        for stored in Customer.objects.all():
            assert {name: getattr(stored, name) for name in values} == values
        assert Customer.objects.get(altoviz_id=1).__dict__ | {"_state": 0} == row.__dict__ | {
            "_state": 0
        }

    def test_insert_and_update_send_the_model_signals(self):
        sent = []

        def receive(sender, signal, **kwargs):
            sent.append((signal is post_save, kwargs.get("created"), kwargs["update_fields"]))

        for signal in (pre_save, post_save):
            signal.connect(receive, sender=Customer)
        try:
            process(store())
            process(store())
        finally:
            for signal in (pre_save, post_save):
                signal.disconnect(receive, sender=Customer)
        fields = frozenset({"data", "fingerprint", "last_event_id", "synced_at"})
        assert sent == [
            (False, None, None),
            (True, True, None),
            (False, None, fields),
            (True, False, fields),
        ]


@pytest.mark.django_db
def test_the_mirror_row_is_locked_if_the_database_has_row_locks(monkeypatch):
    process(store())
    options = []
    monkeypatch.setattr(connection.features, "has_select_for_update", True)
    monkeypatch.setattr(connection.ops, "for_update_sql", lambda **kw: options.append(kw) or "")
    assert locked(Customer, "key", "default:1", "default", {}) == Customer.objects.get()
    assert options


@pytest.mark.django_db
def test_a_deleted_row_cannot_be_locked(monkeypatch):
    monkeypatch.setattr(connection.features, "has_select_for_update_skip_locked", True)
    monkeypatch.setattr(connection.ops, "for_update_sql", lambda **options: "")
    event = store()
    assert lock_at_once(event)
    WebhookEvent.objects.all().delete()
    assert not lock_at_once(event)


@pytest.mark.django_db
@pytest.mark.parametrize("vendor", sorted({connection.vendor, "mysql"}))
def test_an_updated_row_is_returned_as_it_is_now(monkeypatch, vendor):
    event = store()
    monkeypatch.setattr(connections["default"], "vendor", vendor)
    rows = WebhookEvent.objects.filter(pk=event.pk)
    assert updated(rows, deliveries=F("deliveries") + 1).deliveries == 2
    assert updated(rows.filter(type="another"), deliveries=9) is None
    assert WebhookEvent.objects.get().deliveries == 2


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the test imitates PostgreSQL on SQLite")
@pytest.mark.django_db(transaction=True)
def test_the_state_of_an_event_is_committed_asynchronously(monkeypatch):
    set_values = []

    def set_config(name, value, is_local):
        set_values.append((name, value, is_local))
        return value

    event = store()
    connection.connection.create_function("set_config", 3, set_config)
    monkeypatch.setattr(connection, "vendor", "postgresql")
    with transaction.atomic():
        assert claims.claim(event, {})
    claims.settle(event, Status.PROCESSED)
    assert set_values == [("synchronous_commit", "off", True)] * 2
