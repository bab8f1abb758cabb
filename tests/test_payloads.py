from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.exceptions import InvalidPayload
from django_altoviz.models.mirrors.payloads import (
    amount,
    day,
    explain_refusal,
    flag,
    integer,
    objects,
    plain,
    refuse_unstorable,
    short_text,
    text,
    timestamp,
)

READERS = [amount, day, flag, integer, short_text, text, timestamp]
UTC = datetime.timezone.utc


def deep(levels, inmost=None):
    """Return a list nested ``levels`` deep, with ``inmost`` inside."""
    return [deep(levels - 1, inmost)] if levels > 1 else [] if inmost is None else [inmost]


@pytest.mark.parametrize("read", READERS)
def test_a_missing_field_is_null(read):
    assert read({}, "a", "b") is None
    assert read({"a": None}, "a", "b") is None
    assert read({"a": {}}, "a", "b") is None
    assert read({"a": {"b": None}}, "a", "b") is None


@pytest.mark.parametrize("read", READERS)
def test_an_error_names_the_path_and_not_the_value(read):
    with pytest.raises(InvalidPayload) as caught:
        read({"a": {"b": ["zoe@example.org"]}}, "a", "b")
    assert caught.value.path == "a.b"
    assert "zoe" not in str(caught.value)


def test_a_path_through_a_text_is_an_error():
    with pytest.raises(InvalidPayload, match=r"^a: expected an object, got a text"):
        text({"a": "b"}, "a", "b")


def test_texts_are_not_normalized():
    assert text({"a": ""}, "a") == ""
    assert text({"a": " Brûlé \n"}, "a") == " Brûlé \n"
    assert short_text({"a": "x" * 255}, "a") == "x" * 255
    with pytest.raises(InvalidPayload, match=r"^a: 256 characters, where at most 255 fit"):
        short_text({"a": "x" * 256}, "a")


def test_flags():
    assert flag({"a": True}, "a") is True
    assert flag({"a": False}, "a") is False
    with pytest.raises(InvalidPayload, match="expected true or false, got an integer"):
        flag({"a": 1}, "a")


@given(st.decimals(allow_nan=False, allow_infinity=False) | st.integers())
def test_an_amount_is_exact_or_refused(number):
    try:
        read = amount({"a": number}, "a")
    except InvalidPayload:
        digits = format(Decimal(number), "f").lstrip("-")
        whole, _, fraction = digits.partition(".")
        assert len(whole.lstrip("0")) > 35 or len(fraction.rstrip("0")) > 30
    else:
        assert read == number


@pytest.mark.parametrize(
    ("number", "said"), [("20.0", "20"), ("2E+1", "20"), ("184.90", "184.9"), ("-0.0", "0")]
)
def test_an_amount_has_no_trailing_zeros(number, said):
    assert str(amount({"a": Decimal(number)}, "a")) == said
    assert str(plain(Decimal(number))) == said


@pytest.mark.parametrize("value", [True, "1", Decimal("1e400"), Decimal("1e-31"), 10**35])
def test_invalid_amounts_are_refused(value):
    with pytest.raises(InvalidPayload, match=r"^a: "):
        amount({"a": value}, "a")


def test_integers_may_have_a_decimal_point():
    assert integer({"a": Decimal("105279.0")}, "a") == 105279
    assert integer({"a": -(2**63) + 1}, "a") == -(2**63) + 1
    for value in (Decimal("1.5"), 2**63, -(2**63)):
        with pytest.raises(InvalidPayload, match="64 bits"):
            integer({"a": value}, "a")


@pytest.mark.parametrize(
    "value",
    [
        "2026-10-15",
        "2026-10-15T00:00:00",
        "2026-10-15T00:00:00.000Z",
        "2026-10-15T00:00:00+02:00",
        "2026-10-15T00:00:00+00:00",
    ],
)
def test_valid_dates(value):
    assert day({"a": value}, "a") == datetime.date(2026, 10, 15)


@pytest.mark.parametrize("value", ["", "15/10/2026", "2026-02-30", "2026-10-15T08:00:00Z", "2026"])
def test_invalid_dates_are_refused(value):
    with pytest.raises(InvalidPayload, match=r"^a: expected a date"):
        day({"a": value}, "a")


@pytest.mark.parametrize(
    "value",
    [
        "2026-10-15T09:30:00Z",
        "2026-10-15T09:30:00",
        "2026-10-15T11:30:00+02:00",
        "2026-10-15T09:30:00.0000000Z",
        "2026-10-15 09:30:00Z",
    ],
)
def test_valid_timestamps(value):
    assert timestamp({"a": value}, "a") == datetime.datetime(2026, 10, 15, 9, 30, tzinfo=UTC)


def test_a_timestamp_is_cut_to_microseconds():
    read = timestamp({"a": "2026-10-15T09:30:00.1234567Z"}, "a")
    assert read == datetime.datetime(2026, 10, 15, 9, 30, 0, 123456, tzinfo=UTC)


def test_without_use_tz_a_timestamp_is_naive_local_time(settings):
    settings.USE_TZ = False
    settings.TIME_ZONE = "Europe/Paris"
    timezone.get_default_timezone.cache_clear()
    read = timestamp({"a": "2026-10-15T09:30:00Z"}, "a")
    assert read == datetime.datetime(2026, 10, 15, 11, 30)


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00", "9999-12-31T23:59:59.9999999Z"])
def test_a_time_that_dotnet_never_set_is_none(value):
    assert timestamp({"a": value}, "a") is None


@pytest.mark.parametrize(
    "value", ["", "2026-10-15", "yesterday", "2026-13-01T00:00:00Z", "2026-10-15T25:00:00Z"]
)
def test_invalid_timestamps_are_refused(value):
    with pytest.raises(InvalidPayload, match=r"^a: expected a time"):
        timestamp({"a": value}, "a")


def test_lists_of_objects():
    assert objects({}, "a") == []
    assert objects({"a": None}, "a") == []
    assert objects({"a": [{"b": 1}]}, "a") == [{"b": 1}]
    with pytest.raises(InvalidPayload, match=r"^a: expected a list, got an object"):
        objects({"a": {}}, "a")
    with pytest.raises(InvalidPayload, match=r"^a\.1: expected an object, got null"):
        objects({"a": [{}, None]}, "a")


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"name": "a\x00b"}, "name: a text with U[+]0000"),
        ({"lines": [{}, {"text": "\ud800"}]}, r"lines\.1\.text: a text with U[+]D800"),
        ({"metadata": {"\x00": 1}}, r"metadata\.\(a key\): a text with U[+]0000"),
    ],
)
def test_unstorable_text_is_refused_by_path(data, path):
    with pytest.raises(InvalidPayload, match=f"^{path}"):
        refuse_unstorable(data, r"... \u0000 ... \uD800 ...")


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"x": [{"y": Decimal("1e200000")}]}, r"x\.0\.y: a number of more than"),
        ({"x": Decimal("-1e-200000")}, r"x: a number of more than"),
        ({"x": deep(31)}, r"x(\.0){30}: nested deeper than 31 levels"),
        ({"x": deep(30, {"y": 1})}, r"x(\.0){30}\.(y|\(a key\)): nested deeper"),
    ],
)
def test_json_that_a_database_refuses_is_explained_by_path(data, path):
    with pytest.raises(InvalidPayload, match=f"^{path}"):
        explain_refusal(data)


def test_json_that_every_database_accepts_raises_nothing():
    explain_refusal({"x": deep(30), "y": deep(29, {"z": 1}), "n": [Decimal("1e9000"), 0, ""]})


def test_an_escaped_surrogate_pair_is_accepted():
    refuse_unstorable({"name": "😀"}, r"\ud83d\ude00")
