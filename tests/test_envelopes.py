from __future__ import annotations

import contextlib
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.event_types import EventType
from django_altoviz.exceptions import MalformedBody
from django_altoviz.intake.envelopes import (
    body_to_text,
    object_id_of,
    parse_envelope,
    storable,
    text_to_body,
)
from django_altoviz.samples import sample_body

EVENT = {"id": "evt_1", "type": "CustomerCreated", "data": {"id": 1}}


@given(st.binary())
def test_every_body_survives_the_round_trip_byte_for_byte(body):
    assert text_to_body(body_to_text(body)) == body


@given(st.binary() | st.text().map(str.encode))
def test_the_text_can_be_stored_in_every_database(body):
    text = body_to_text(body)
    assert "\x00" not in text
    text.encode("utf-8")


@pytest.mark.parametrize("event_type", EventType)
def test_a_json_body_is_not_escaped(event_type):
    body = sample_body(event_type)
    assert body_to_text(body) == body.decode()


@pytest.mark.parametrize("body", [b"\x00", b"\x1b", b"\x1b00", b"\xff\xfe", "é\x1b".encode()])
def test_escapes_are_unambiguous(body):
    assert text_to_body(body_to_text(body)) == body


def test_storable_escapes_nul_and_lone_surrogates():
    assert storable("a\x00b\ud800") == "a\\x00b\\ud800"
    assert storable("Brûlé") == "Brûlé"


def test_parses_a_delivery():
    envelope = parse_envelope(json.dumps(EVENT).encode())
    assert (envelope.event_id, envelope.type, envelope.object_id) == ("evt_1", "CustomerCreated", 1)
    assert envelope.data == {"id": 1}
    assert envelope.has_event_id


def test_accepts_a_byte_order_mark_and_escaped_accents():
    body = b'\xef\xbb\xbf{"id": "evt_1", "type": "CustomerCreated", "data": {"name": "\\u00e9"}}'
    assert parse_envelope(body).data == {"name": "é"}


@pytest.mark.parametrize("event_id", ["1233", 1233, 1233.0, None, ""])
def test_an_id_without_the_prefix_does_not_identify_the_event(event_id):
    envelope = parse_envelope(json.dumps(EVENT | {"id": event_id}).encode())
    assert envelope.event_id == ("1233" if event_id else "")
    assert not envelope.has_event_id


def test_data_may_be_missing():
    envelope = parse_envelope(b'{"id": "evt_1", "type": "QuoteDeleted"}')
    assert envelope.data is None
    assert envelope.object_id is None


@pytest.mark.parametrize(
    ("value", "object_id"),
    [
        (1, 1),
        (Decimal("105279.0"), 105279),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (0, None),
        (-1, None),
        (True, None),
        ("12", None),
        (None, None),
        ([1], None),
        (Decimal("1.5"), None),
        (Decimal("1e999999"), None),
        (Decimal("1e-999999"), None),
    ],
)
def test_an_object_id_is_a_positive_64_bit_integer(value, object_id):
    assert object_id_of({"id": value}) == object_id


@pytest.mark.parametrize("data", [None, [], "text", 5, {}])
def test_data_without_an_id_have_no_object_id(data):
    assert object_id_of(data) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ping",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        b'{"id": "evt_1"}',
        b'{"id": "evt_1", "type": null}',
        b'{"id": "evt_1", "type": ""}',
        b'{"id": "evt_1", "type": 3}',
        b'{"id": "evt_1", "type": "a\\u0000b"}',
        b'{"id": "evt_1", "type": "\\ud800"}',
        b'{"id": true, "type": "CustomerCreated"}',
        b'{"id": 1.5, "type": "CustomerCreated"}',
        b'{"id": {}, "type": "CustomerCreated"}',
        b'{"id": "evt_1", "type": "CustomerCreated", "data": NaN}',
        json.dumps(EVENT | {"id": "e" * 256}).encode(),
        json.dumps(EVENT | {"type": "T" * 101}).encode(),
    ],
)
def test_a_body_that_is_not_an_event_is_malformed(body):
    with pytest.raises(MalformedBody):
        parse_envelope(body)


@given(st.binary())
def test_no_body_raises_another_error(body):
    with contextlib.suppress(MalformedBody):
        parse_envelope(body)
