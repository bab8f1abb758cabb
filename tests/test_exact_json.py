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
def test_what_is_written_is_read_back_the_same(value):
    assert exact_json.loads(exact_json.dumps(value)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_is_a_number_with_its_own_digits(number):
    text = exact_json.dumps([number])
    assert json.loads(text, parse_float=str, parse_int=str) == [str(number)]


@given(VALUES)
def test_others_can_read_it(value):
    json.loads(exact_json.dumps(value))


def test_amounts_are_not_binary_fractions():
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
        "1" * 5000,
        '"\x00"',
    ],
)
def test_what_cannot_be_read_is_a_value_error(text):
    with pytest.raises(ValueError):
        exact_json.loads(text)


def binary(value):
    """The same with each number as the one that is equal to it, if there is another."""
    if isinstance(value, dict):
        return {key: binary(item) for key, item in value.items()}
    if isinstance(value, list):
        return [binary(item) for item in value]
    return Decimal(value) if type(value) is int else value


def truthful(value):
    """The same with 1 and 0 for true and false."""
    if isinstance(value, dict):
        return {key: truthful(item) for key, item in value.items()}
    if isinstance(value, list):
        return [truthful(item) for item in value]
    return int(value) if isinstance(value, bool) else value


@given(VALUES, VALUES)
def test_what_says_the_same_is_the_same(one, other):
    assert exact_json.same(one, one)
    assert exact_json.same(one, binary(one))
    assert not (one != other and exact_json.same(one, other))
    has_flags = "True" in repr(one) or "False" in repr(one)
    assert exact_json.same(one, truthful(one)) or has_flags


def test_true_is_not_one():
    for one, other in ((True, 1), ([0], [False]), ({"x": [{"y": True}]}, {"x": [{"y": 1}]})):
        assert one == other
        assert not exact_json.same(one, other)
        assert not exact_json.same(other, one)


SPACE = st.text(" \t\n\r", max_size=2)


@given(st.lists(st.tuples(VALUES, SPACE, SPACE)), SPACE)
def test_the_items_of_a_list_come_with_their_texts(values, space):
    texts = [exact_json.dumps(value) for value, *_ in values]
    inside = ",".join(
        f"{before}{text}{after}" for text, (_, before, after) in zip(texts, values, strict=True)
    )
    whole = f"{space}[{inside or space}]{space}"
    items = [*exact_json.loads_items(whole)]
    assert items == [(value, text) for text, (value, *_) in zip(texts, values, strict=True)]
    assert [item for item, _ in items] == exact_json.loads(whole)


@given(st.text('[]{},:"1a \n\t\x0b') | VALUES.map(exact_json.dumps))
def test_what_is_no_list_has_no_items(text):
    try:
        expected = exact_json.loads(text)
    except ValueError:
        expected = None
    if isinstance(expected, list):
        assert [item for item, _ in exact_json.loads_items(text)] == expected
    else:
        with pytest.raises(ValueError):
            list(exact_json.loads_items(text))


@pytest.mark.parametrize("item", ["[" * 100_000, "1e99999999999999999999", "NaN"])
def test_what_cannot_be_read_is_no_item(item):
    with pytest.raises(ValueError):
        list(exact_json.loads_items(f"[1, {item}]"))


def test_what_is_no_json_is_not_written():
    with pytest.raises(TypeError):
        exact_json.dumps({1, 2})
