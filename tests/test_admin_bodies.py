"""Bodies of events: shown exactly as received, in a tree that folds, and in bounded size."""

from __future__ import annotations

import json
import re
import time
from html import unescape

import pytest

from django_altoviz.admin.display import json_tree
from django_altoviz.admin.display.json_tree import folding_body
from django_altoviz.admin.display.rendering import Renderer
from django_altoviz.event_types import EventType
from django_altoviz.intake.envelopes import body_to_text
from django_altoviz.masking import MASK
from django_altoviz.samples import sample_body
from tests.conftest import SECRETS
from tests.test_admin import VIEW, body_page_of, client_of, html, page_of, store

pytestmark = pytest.mark.django_db


def tree(body):
    return folding_body(body_to_text(body), Renderer())


def text_of(page):
    return unescape(re.sub(r"<[^>]*>", "", page))


def squeezed(text):
    """Return JSON without the spaces between its values."""
    strings = re.compile(r'("(?:[^"\\]|\\.)*")')
    parts = strings.split(text)
    return "".join(p if strings.fullmatch(p) else re.sub(r"\s", "", p) for p in parts)


@pytest.mark.parametrize("event_type", EventType)
def test_a_sample_is_shown_as_it_was_received(event_type):
    body = sample_body(event_type)
    assert squeezed(text_of(tree(body))) == squeezed(body.decode())


@pytest.mark.parametrize(
    "body",
    [
        '{"numbers":[-0,1e5,1E+2,0.100,12345678901234567890.000,1E9999999]}',
        '{"twice":1,"twice":2,"z":{},"a":[],"":""}',
        '{"a":[[],[[]],{"b":{}}],"c":true,"d":false,"e":null}',
        '["a \\"quoted\\" text","é"]',
        "[" + "7" * 5000 + "]",
        '"a text"',
        "1.10",
        "{}",
    ],
)
def test_no_digit_order_or_repeated_name_is_lost(body):
    assert squeezed(text_of(tree(body.encode()))) == body


def test_the_envelope_and_its_object_are_unfolded_and_what_is_in_it_folds():
    page = tree(b'{"id": 1, "data": {"lines": [{"a": {"b": 2}}]}}')
    assert re.findall(r'<details class="altoviz-(\w+)"( open)?>', page) == [
        ("object", " open"),
        ("object", " open"),
        ("list", ""),
        ("object", ""),
        ("object", ""),
    ]


def test_nothing_of_a_body_becomes_html():
    evil = "<script>alert(1)</script>"
    for body in ({evil: evil}, [evil], evil):
        assert "<script" not in tree(json.dumps(body).encode())


@pytest.mark.parametrize("body", [[SECRETS["acme"]], {SECRETS["acme"]: 1}, {"a": SECRETS["acme"]}])
def test_secrets_are_masked_in_names_and_values(body):
    page = tree(json.dumps(body).encode())
    assert MASK in page
    assert SECRETS["acme"] not in page


def test_a_secret_is_masked_before_it_is_cut(monkeypatch):
    monkeypatch.setattr(json_tree, "MAX_CHARACTERS", 12)
    page = text_of(tree(json.dumps([f"abcd{SECRETS['acme']}"]).encode()))
    assert SECRETS["acme"][:4] not in page
    assert "more character" in page


def test_more_values_than_a_browser_folds_at_once_are_counted():
    page = text_of(tree(json.dumps([[*range(9)], *range(json_tree.MAX_VALUES)]).encode()))
    assert "… and 11 more values." in page
    assert squeezed(page).endswith("]")


def test_one_more_value_is_counted_in_the_singular(monkeypatch):
    monkeypatch.setattr(json_tree, "MAX_VALUES", 3)
    assert "… and 1 more value." in text_of(tree(b"[1,2,3]"))


def test_long_texts_are_cut_with_a_sign():
    page = text_of(tree(json.dumps(["x" * 200_000, "y"]).encode()))
    assert "x… and 100002 more characters." in page
    assert "… and 1 more value." in page
    assert 'y"' not in page


def test_what_is_nested_deeper_than_anybody_unfolds_is_left_out_with_a_sign():
    page = text_of(tree(b"[" * 500 + b"]" * 500))
    assert page.count("[") == json_tree.MAX_SHOWN_DEPTH + 1
    assert "Too deeply nested" in page


@pytest.mark.parametrize("item", [b"1,", b'{"a":[]},', b'"",'])
def test_the_tree_of_a_body_of_five_megabytes_is_quick_and_small(item):
    body = b"[" + item * (5_000_000 // len(item)) + b"0]"
    start = time.process_time()
    assert len(tree(body)) < 500_000
    assert time.process_time() - start < 10


def test_the_copy_button_takes_what_the_download_has():
    """The script shows the button, so that nobody presses it in vain."""
    event = store(b'{"a": 1}')
    page = html(client_of("viewer", *VIEW), page_of(event))
    [button] = re.findall(r"<button[^>]*altoviz-copy[^>]*>", page)
    assert f'data-from="{body_page_of(event)}"' in button
    assert "hidden" in button
    assert "django_altoviz/copy.js" in page


def test_who_may_not_view_the_content_can_not_copy_it():
    event = store(b'{"a": 1}')
    page = html(client_of("operator", "view_webhookevent"), page_of(event))
    assert "altoviz-copy" not in page
    assert "altoviz-json" not in page
