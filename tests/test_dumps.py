"""Rows that go through dumpdata and loaddata come back exactly, whatever the format."""

from __future__ import annotations

import datetime
import io
import json
import os
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from django.apps import apps
from django.core import serializers
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.event_types import Entity
from django_altoviz.models import (
    Customer,
    Invoice,
    ReceiverRun,
    Status,
    SyncRun,
    SyncStep,
    Watch,
    WebhookEvent,
)
from django_altoviz.privacy.erasure import erase
from django_altoviz.retention import prune
from django_altoviz.signals import customer_updated
from django_altoviz.sync import sync
from tests.conftest import body_of, find_difference
from tests.processes import run
from tests.sync.conftest import altoviz  # noqa: F401
from tests.sync.lists import customer, invoice

pytestmark = pytest.mark.django_db

FORMATS = ["json", "jsonl", "yaml", "xml"]
#: As many digits as PostgreSQL and MariaDB promise, and more than a binary fraction has.
LONG = Decimal("12345678901234567890123456789012345.123456789012345678901234567890")
ODD = " \r\n a name\twith\x1f spaces and more \x85 "


def models():
    return list(apps.get_app_config("django_altoviz").get_models())


def rows():
    """Return every column of every row, with the types of its values."""
    return {
        model.__name__: [
            {name: typed(value) for name, value in row.items()}
            for row in model._base_manager.order_by("pk").values()
        ]
        for model in models()
    }


def typed(value):
    """Return the value with its type, and those inside of it: 20 is not 20.0, nor 1 True."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value).__name__, str(value)


def empty():
    for model in reversed(models()):
        model._base_manager.all().delete()


def dump(format, *options):
    output = io.StringIO()
    call_command("dumpdata", "django_altoviz", *options, format=format, stdout=output)
    return output.getvalue()


def load(text, format, path):
    file = path / f"dump.{format}"
    file.write_text(text, newline="")
    call_command("loaddata", str(file), verbosity=0)


@pytest.fixture
def everything(post, altoviz):  # noqa: F811
    """Fill each table with all kinds of rows."""

    def receive(**kwargs):
        pass

    customer_updated.connect(receive)
    try:
        altoviz.add(Entity.CUSTOMER, customer(1), customer(2, name=ODD, internalId=" x "))
        altoviz.add(Entity.INVOICE, invoice(1, taxIncludedAmount=LONG, balance=Decimal("20.0")))
        sync(entities=[Entity.CUSTOMER, Entity.INVOICE])
        SyncRun.objects.create(account="default", entity="quote", is_import=True, as_of=0)
        SyncStep.of(SyncRun.objects.last(), 1, [5, 7, 1000]).save()
        Watch.objects.create(account="default", memory={"invoice": {"seen": [1, None, "then"]}})
        for kind in ("Contact", "Product", "Quote"):
            post(body_of(f"{kind}Updated"))
        find_difference("CreditUpdated", id=7, cancelledInvoicetId=6)
        post(body_of("CustomerUpdated", id=3, name=ODD))
        post(body_of("CustomerUpdated", id=3), signature="wrong")
        post(body_of("CustomerDeleted", id=4))
        post(body_of("InvoiceUpdated", "evt_1", id=5, customerId=None))
        post(body_of("InvoiceUpdated", "evt_1", id=5, customerId=77))
        post(body_of("InvoiceUpdated", id=6, customerId=77, cancellationCreditId=7))
        post(body_of("CustomerUpdated", id=8, active="maybe"))
        post(b"ping \r\n\xff\x00\x1b ")
        post(b"text as JSON: " + json.dumps("a").encode())
        post(body_of("CustomerUpdated"), account="acme")
        post(body_of("CustomerUpdated", "evt_2", id=9))
        WebhookEvent.objects.filter(event_id="evt_2").update(
            received_at=datetime.datetime(2020, 1, 2, 3, 4, 5, 678901, datetime.timezone.utc)
        )
        prune(30, None)
        erase(Entity.CUSTOMER, 1, "default")
    finally:
        customer_updated.disconnect(receive)
    assert ReceiverRun.objects.exists()
    assert WebhookEvent.with_pruned.exclude(pruned_at=None).exists()
    assert {*WebhookEvent.objects.values_list("status", flat=True)} >= {
        Status.PROCESSED,
        Status.FAILED,
        Status.DEAD,
        Status.MALFORMED,
    }
    return altoviz


@pytest.mark.parametrize("options", [[], ["--all"], ["--natural-foreign", "--natural-primary"]])
@pytest.mark.parametrize("format", FORMATS)
def test_a_dump_gives_back_the_same_rows(format, options, everything, tmp_path):
    before = rows()
    assert all(before.values()), "each table has rows"
    text = dump(format, *options)
    empty()
    load(text, format, tmp_path)
    assert rows() == before


_THROUGH_SQLITE = """
import sys
import django
from django.core.management import call_command
django.setup()
call_command("migrate", verbosity=0)
call_command("loaddata", sys.argv[1], verbosity=0)
call_command("dumpdata", "django_altoviz", output=sys.argv[2])
"""


@pytest.mark.skipif(
    connection.vendor == "sqlite",
    reason="on SQLite the rows would only move to another SQLite file",
)
def test_a_move_to_sqlite_and_back_changes_nothing(everything, tmp_path):
    before = rows()
    (tmp_path / "there.json").write_text(dump("json"))
    done = run(
        [sys.executable, "-c", _THROUGH_SQLITE, "there.json", "back.json"],
        cwd=tmp_path,
        env=os.environ
        | {
            "DATABASE": "sqlite",
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": str(Path(__file__).parent.parent),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    empty()
    load((tmp_path / "back.json").read_text(), "json", tmp_path)
    assert rows() == before


def test_a_sync_after_a_dump_finds_nothing_to_do(everything, tmp_path):
    """The objects themselves are compared: nothing is believed because of a fingerprint."""
    sync(entities=[Entity.CUSTOMER, Entity.INVOICE])
    text = dump("json")
    empty()
    load(text, "json", tmp_path)
    for model in (Customer, Invoice):
        model.with_deleted.update(fingerprint="")
    for synced in sync(entities=[Entity.CUSTOMER, Entity.INVOICE]):
        assert synced.is_in_step, synced.counts


def test_a_late_event_does_not_revive_what_was_loaded_as_deleted(post, tmp_path):
    post(body_of("CustomerDeleted", id=4))
    text = dump("json")
    empty()
    load(text, "json", tmp_path)
    post(body_of("CustomerUpdated", id=4))
    assert not Customer.objects.exists()


def test_a_redelivery_is_known_after_a_load(post, tmp_path):
    body = body_of("CustomerUpdated", "evt_1")
    post(body)
    WebhookEvent.objects.update(received_at="2020-01-01T00:00:00Z")
    prune(30, None)
    text = dump("json")
    empty()
    load(text, "json", tmp_path)
    post(body)
    assert WebhookEvent.with_pruned.get().deliveries == 2


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@given(st.one_of(texts, texts.map(lambda text: f"text as JSON: {text}")), st.sampled_from(FORMATS))
def test_every_text_survives_every_format(text, format):
    try:
        row = Customer.objects.create(
            altoviz_id=1, account="default", last_event_id=1, data={text: text}, name=text
        )
        row.refresh_from_db()
        # As a file, as loaddata reads it: of a text, Django ends a line also at U+0085 or U+2028.
        dumped = io.BytesIO(serializers.serialize(format, [row]).encode())
        row.delete()
        for loaded in serializers.deserialize(format, dumped):
            loaded.save()
        again = Customer.objects.get(name=text)
        assert (again.name, again.data) == (text, {text: text})
    finally:
        Customer.objects.all().delete()


numbers = st.one_of(
    st.integers(-(10**20), 10**20),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15),
)


@given(numbers, st.sampled_from(FORMATS))
def test_every_number_survives_every_format(number, format):
    try:
        row = Customer.objects.create(
            altoviz_id=1, account="default", last_event_id=1, data={"numbers": [number]}
        )
        row.refresh_from_db()
        before = typed(row.data)
        dumped = serializers.serialize(format, [row])
        for loaded in serializers.deserialize(format, dumped):
            loaded.save()
        row.refresh_from_db()
        assert typed(row.data) == before
    finally:
        Customer.objects.all().delete()


@given(st.datetimes(min_value=datetime.datetime(1970, 1, 2)), st.sampled_from(FORMATS))
def test_every_time_survives_every_format(moment, format):
    aware = moment.replace(tzinfo=datetime.timezone.utc)
    row = Customer(altoviz_id=1, account="default", last_event_id=1, data={}, deleted_at=aware)
    dumped = serializers.serialize(format, [row])
    [loaded] = serializers.deserialize(format, dumped)
    assert loaded.object.deleted_at == aware
    assert loaded.object.synced_at is None


def test_a_value_that_is_no_json_is_refused():
    field = Customer._meta.get_field("data")
    with pytest.raises(ValidationError, match="valid JSON"):
        field.to_python("{")
    assert field.to_python('{"a": 1.10}') == {"a": Decimal("1.10")}


def test_a_text_that_only_begins_like_one_of_a_dump_is_left_alone():
    field = Customer._meta.get_field("name")
    assert field.to_python("text as JSON: {") == "text as JSON: {"
    assert field.get_prep_value('text as JSON: "a"') == 'text as JSON: "a"'


@pytest.mark.django_db(transaction=True)
def test_what_is_serialized_for_a_rollback_comes_back(post):
    post(body_of("InvoiceUpdated", taxIncludedAmount=Decimal("0.1000")))
    before = rows()
    text = connection.creation.serialize_db_to_string()
    empty()
    connection.creation.deserialize_db_from_string(text)
    assert rows() == before
