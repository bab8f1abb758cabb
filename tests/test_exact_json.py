from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz import exact_json

NUMBERS = st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


@given(VALUES)
def test_a_value_survives_the_round_trip(value):
    assert exact_json.loads(exact_json.dumps(value)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_is_written_digit_for_digit(number):
    text = exact_json.dumps([number])
    assert json.loads(text, parse_float=str, parse_int=str) == [str(number)]


@given(VALUES)
def test_the_standard_library_can_read_it(value):
    json.loads(exact_json.dumps(value))


def test_amounts_are_decimals_and_not_binary_fractions():
    assert exact_json.loads("[0.1, 184.90, 20.0, 1e2]") == [
        Decimal("0.1"),
        Decimal("184.90"),
        Decimal("20.0"),
        Decimal("1e2"),
    ]
    assert exact_json.dumps(exact_json.loads("[0.30000000000000000001]")) == (
        "[0.30000000000000000001]"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "{",
        "[" * 100_000,
        "1e99999999999999999999",
        '"\x00"',
    ],
)
def test_invalid_json_is_a_value_error(text):
    with pytest.raises(ValueError):
        exact_json.loads(text)


def with_decimals(value):
    """Return the value with each integer as an equal ``Decimal``."""
    if isinstance(value, dict):
        return {key: with_decimals(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_decimals(item) for item in value]
    return Decimal(value) if type(value) is int else value


def with_integers(value):
    """Return the value with 1 and 0 in place of true and false."""
    if isinstance(value, dict):
        return {key: with_integers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_integers(item) for item in value]
    return int(value) if isinstance(value, bool) else value


@given(VALUES, VALUES)
def test_same_ignores_the_type_of_numbers_but_not_of_booleans(one, other):
    assert exact_json.same(one, one)
    assert exact_json.same(one, with_decimals(one))
    assert not (one != other and exact_json.same(one, other))
    has_flags = "True" in repr(one) or "False" in repr(one)
    assert exact_json.same(one, with_integers(one)) or has_flags


def test_true_is_not_the_same_as_one():
    for one, other in ((True, 1), ([0], [False]), ({"x": [{"y": True}]}, {"x": [{"y": 1}]})):
        assert one == other
        assert not exact_json.same(one, other)
        assert not exact_json.same(other, one)


SPACE = st.text(" \t\n\r", max_size=2)


@given(st.lists(st.tuples(VALUES, SPACE, SPACE)), SPACE)
def test_the_items_of_a_list_come_with_their_json_text(values, space):
    texts = [exact_json.dumps(value) for value, *_ in values]
    inside = ",".join(
        f"{before}{text}{after}" for text, (_, before, after) in zip(texts, values, strict=True)
    )
    whole = f"{space}[{inside or space}]{space}"
    items = [*exact_json.loads_items(whole)]
    assert items == [(value, text) for text, (value, *_) in zip(texts, values, strict=True)]
    assert [item for item, _ in items] == exact_json.loads(whole)


@given(st.text('[]{},:"1a \n\t\x0b') | VALUES.map(exact_json.dumps))
def test_loads_items_refuses_anything_but_a_list(text):
    try:
        expected = exact_json.loads(text)
    except ValueError:
        expected = None
    if isinstance(expected, list):
        assert [item for item, _ in exact_json.loads_items(text)] == expected
    else:
        with pytest.raises(ValueError):
            list(exact_json.loads_items(text))


@pytest.mark.parametrize("digits", [4000, 4301, 100_000])
def test_an_integer_of_any_length_is_read(digits):
    """PostgreSQL writes 1E+5000 as an integer, which Python by itself refuses to read."""
    text = f'{{"a": [1{"0" * digits}, 2, 1.50], "b": "x"}}'
    value = exact_json.loads(text)
    assert value["a"][0] == Decimal(f"1E+{digits}")
    assert value["a"][1:] == [2, Decimal("1.50")]
    assert [item for item, _raw in exact_json.loads_items(f"[{text}]")] == [value]
    with pytest.raises(ValueError, match="Expecting"):
        exact_json.loads(text[:-1])


@pytest.mark.parametrize(
    ("number", "digits"),
    [("0", 1), ("12.50", 4), ("1E+3", 4), ("1E-3", 4), ("1E+999999999", 10**9)],
)
def test_digits_of_a_number(number, digits):
    assert exact_json.digits_of(Decimal(number)) == digits


@pytest.mark.parametrize("item", ["[" * 100_000, "1e99999999999999999999", "NaN"])
def test_an_invalid_item_is_a_value_error(item):
    with pytest.raises(ValueError):
        list(exact_json.loads_items(f"[1, {item}]"))


def test_a_set_can_not_be_written():
    with pytest.raises(TypeError):
        exact_json.dumps({1, 2})


def test_lone_surrogates_are_escaped_for_storage():
    assert exact_json.dumps_storable(["a\ud800", "é😀"]) == '["a\\ud800", "é😀"]'
    assert exact_json.dumps_utf8("\udfff") == b'"\\udfff"'


@given(VALUES)
def test_json_for_storage_is_utf8_and_survives_the_round_trip(value):
    text = exact_json.dumps_storable(value)
    assert text.encode() == exact_json.dumps_utf8(value)
    assert exact_json.loads(text) == value
