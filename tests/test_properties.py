"""Invariants that Hypothesis tries to break with arbitrary input."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from django_altoviz import exact_json
from django_altoviz.dispatchers import inline
from django_altoviz.event_types import SENT_TYPES, Entity, EventType
from django_altoviz.intake import signing
from django_altoviz.intake.envelopes import Envelope, text_to_body
from django_altoviz.models import (
    MIRRORS,
    Customer,
    Invoice,
    InvoiceLine,
    Quote,
    QuoteLine,
    Status,
    WebhookEvent,
)
from django_altoviz.models.mirrors.personal_data import (
    KEPT,
    as_erased,
    without_personal_data,
)
from django_altoviz.samples import sample, sample_body, to_body
from tests.conftest import SECRETS, examples

pytestmark = pytest.mark.django_db

PROPERTY = settings(
    max_examples=examples(60),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

NUMBERS = (
    st.integers()
    | st.integers(min_value=-(10**400), max_value=10**400)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        [
            Decimal("1e400"),
            Decimal("-1e-400"),
            Decimal("1e200000"),
            Decimal("1e-20000"),
            Decimal("8.3333333333333333333333333333"),
        ]
    )
)
# Including lone surrogates and NUL, which JSON can express.
TEXTS = st.text(st.characters()) | st.sampled_from(["\x00", "\ud800", "a\x00b", "😀", "x" * 300])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(TEXTS, children, max_size=4),
    max_leaves=12,
)
DEPTHS = st.sampled_from([10, 31, 32, 100, 400, 600, 900, 1100])


@contextmanager
def rolled_back():
    """Roll back, so that each example begins with an empty database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def deliver(body, signature=None):
    if signature is None:
        signature = signing.sign(body, SECRETS["default"])
    return Client(raise_request_exception=False).post(
        "/altoviz/webhook/", body, content_type="text/plain", HTTP_X_SIGNATURE=signature
    )


def escaped(value):
    """Return JSON in ASCII, because a lone surrogate can only be sent as an escape."""
    text = exact_json.dumps(value)
    return "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in text).encode()


@PROPERTY
@given(st.binary(), st.text())
def test_nothing_is_stored_without_the_right_signature(body, signature):
    with rolled_back():
        answer = deliver(body, signature.encode("utf-8", "replace").decode("latin-1"))
        assert answer.status_code == 401
        assert not WebhookEvent.with_pruned.exists()


@PROPERTY
@given(st.binary() | JSON.map(escaped))
@example(b"\x00\xff\x1b")
@example(b"[" * 100_000)
@example(b'{"id": "evt_1", "type": "CustomerCreated", "data": NaN}')
@example(b'{"id": "evt_1", "type": "CustomerCreated", "data": {"id": 1e99999999}}')
def test_any_authentic_body_is_stored(body):
    with rolled_back():
        answer = deliver(body)
        assert answer.status_code in (200, 400)
        event = WebhookEvent.with_pruned.get()
        assert text_to_body(event.body) == body
        assert (answer.status_code == 400) == (event.status == Status.MALFORMED)


@PROPERTY
@given(
    st.fixed_dictionaries(
        {}, optional={"id": JSON, "type": JSON | st.sampled_from(EventType.values), "data": JSON}
    )
)
def test_any_envelope_is_stored(envelope):
    body = escaped(envelope)
    with rolled_back():
        assert deliver(body).status_code in (200, 400)
        assert text_to_body(WebhookEvent.with_pruned.get().body) == body


def paths_of(value, prefix=()):
    """Yield the path of each field of a sample, at any depth."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*prefix, key)
        if isinstance(item, dict | list):
            yield from paths_of(item, (*prefix, key))


FIELDS = [
    (event_type, path)
    for event_type in SENT_TYPES
    for path in paths_of(sample(event_type).data)
    if "product" not in path or len(path) < 4
]


@settings(PROPERTY, max_examples=examples(250))
@given(st.sampled_from(FIELDS), JSON)
def test_any_value_in_any_field_is_mirrored_exactly_or_its_error_names_the_field(field, value):
    event_type, path = field
    envelope = sample(event_type)
    target = envelope.data
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with rolled_back():
        assert (
            deliver(escaped({"id": "evt_1", "type": event_type, "data": envelope.data})).status_code
            == 200
        )
        event = WebhookEvent.objects.get()
        if event.status == Status.FAILED:
            named = [str(key) for key in path]
            assert any(key in event.history[-1]["error"] for key in named), event.error
        else:
            assert event.status == Status.PROCESSED
            assert MIRRORS[event_type.entity].with_deleted.get().data == envelope.data


@PROPERTY
@given(DEPTHS)
def test_deep_nesting_is_stored(depth):
    body = b'{"id": "evt_1", "type": "CustomerCreated", "data": {"id": 1, "x": ' + b"[" * depth
    body += b"]" * depth + b"}}"
    with rolled_back():
        answer = deliver(body)
        assert answer.status_code in (200, 400)
        event = WebhookEvent.objects.get()
        assert text_to_body(event.body) == body
        assert event.status in (Status.PROCESSED, Status.FAILED, Status.MALFORMED)
        if event.status == Status.FAILED:  # on a database that accepts fewer levels
            assert re.search(r"x(\.0)+: nested deeper", event.history[-1]["error"]), event.error
        if event.status == Status.PROCESSED:
            nested = Customer.objects.get().data["x"]
            for _ in range(depth - 1):
                (nested,) = nested
            assert nested == []


def story(entity, number):
    """Return the deliveries about one object, in order. An object with an even number is deleted."""
    data = {"id": number}
    if entity in (Entity.INVOICE, Entity.QUOTE):
        data |= {"customerId": 1, "lines": [{"id": 1, "productId": 2, "quantity": Decimal("1.5")}]}
    name = entity.value.title()
    deliveries = []
    for step, action in enumerate(["Created", "Updated", "Updated", "Deleted"]):
        if action == "Deleted" and number % 2:
            continue
        changed = data | {
            "subject": f"step {step}",
            "name": f"step {step}",
            "internalId": str(step),
        }
        event_id = f"evt_{name}{number}{step}"
        deliveries.append(to_body(Envelope(event_id, f"{name}{action}", changed)))
    return deliveries


STORIES = [story(Entity.CUSTOMER, 1), story(Entity.PRODUCT, 2), story(Entity.PRODUCT, 3)]
STORIES += [story(Entity.INVOICE, 5), story(Entity.INVOICE, 6), story(Entity.QUOTE, 7)]
STORIES += [story(Entity.CONTACT, 9)]


def mirror_content():
    """Return all rows of the mirror, without what depends on the order or time of the events."""
    rows = []
    for model in (*MIRRORS.values(), InvoiceLine, QuoteLine):
        manager = getattr(model, "with_deleted", model.objects)
        for row in manager.all():
            values = {
                field.attname: getattr(row, field.attname)
                for field in model._meta.concrete_fields
                if field.attname not in ("id", "last_event_id", "synced_at", "deleted_at", "data")
            }
            if model in (Invoice, Quote):
                values["customer"] = row.customer and row.customer.altoviz_id
            if model in (InvoiceLine, QuoteLine):
                values["product"] = row.product and row.product.altoviz_id
            values["deleted"] = getattr(row, "deleted_at", None) is not None
            rows.append(
                (model.__name__, sorted(values.items(), key=str), exact_json.dumps(row.data))
            )
    return sorted(rows, key=str)


@st.composite
def interleavings(draw):
    """Draw an order of all deliveries that keeps each object's own order, with duplicates anywhere."""
    order = draw(st.permutations([n for n, story in enumerate(STORIES) for _ in story]))
    seen = Counter()
    deliveries = []
    for number in order:
        deliveries.append(STORIES[number][seen[number]])
        seen[number] += 1
        for _ in range(draw(st.integers(0, 1))):
            deliveries.append(draw(st.sampled_from(deliveries)))
    return deliveries


@pytest.fixture(scope="module")
def expected():
    return {}


@settings(PROPERTY, max_examples=examples(30))
@given(interleavings(), st.booleans())
def test_any_order_and_duplication_gives_the_same_mirror(expected, deliveries, receive_first):
    with rolled_back():
        events = []
        for body in deliveries:
            event = WebhookEvent.objects.store(WebhookEvent.from_delivery(body, "default", {}))
            if event is None:
                continue
            if receive_first:
                events.append(event)
            else:
                inline.dispatch(event)
        for event in events:
            inline.dispatch(event)
        mirror = mirror_content()
    assert WebhookEvent.objects.count() == 0
    assert expected.setdefault("mirror", mirror) == mirror
    assert [name for name, *_ in mirror].count("Invoice") == 2


@settings(PROPERTY, max_examples=examples(30))
@given(st.data())
def test_workers_that_process_in_any_order_leave_the_same_mirror(expected, data):
    """Store all events in order of arrival, then process them in any order."""
    with rolled_back():
        events = [
            WebhookEvent.objects.store(WebhookEvent.from_delivery(body, "default", {}))
            for story in STORIES
            for body in story
        ]
        for event in data.draw(st.permutations(events)):
            inline.dispatch(event)
        assert expected.setdefault("mirror", mirror_content()) == mirror_content()


@settings(PROPERTY, max_examples=examples(30))
@given(st.permutations(["Created", "Updated", "Deleted"]))
def test_a_deleted_object_stays_deleted_in_any_order(actions):
    with rolled_back():
        for action in actions:
            deliver(sample_body(EventType(f"Customer{action}")).replace(b"418206", b"418311"))
        customer = Customer.with_deleted.get()
        assert customer.deleted_at is not None
        assert not Customer.objects.exists()


@PROPERTY
@given(
    entity=st.sampled_from([Entity.CUSTOMER, Entity.CONTACT, Entity.INVOICE, Entity.QUOTE]),
    field=st.sampled_from(
        [*KEPT[Entity.INVOICE], *KEPT[Entity.CUSTOMER], "customerName", "id", "name", "newField"]
    ),
    values=st.tuples(JSON, JSON),
)
def test_no_event_restores_erased_data(entity, field, values):
    """Compare with what a sync sees: it must not take the erased row for a difference."""
    erased = without_personal_data(entity, {field: values[0]})
    assert without_personal_data(entity, erased) == erased
    updated = as_erased(entity, {field: values[1]}, erased)
    assert updated == without_personal_data(entity, {field: values[1]})
    assert as_erased(entity, {field: values[1]}, updated) == updated
