from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.client.responses import (
    Page,
    api_error,
    parse,
    parse_items,
    parse_list,
    parse_object,
    parse_page,
    retry_after,
)
from django_altoviz.exceptions import (
    APIError,
    Conflict,
    InvalidRequest,
    NoSuchRoute,
    NotAuthorized,
    NotFound,
    RateLimited,
    Redirected,
    ServerError,
    UnexpectedAnswer,
)

GET = "GET v1/Customers"


@pytest.mark.parametrize(
    ("header", "first", "then"),
    [
        ("13000", 13, 13),
        ("36000", 36, 36),
        ("301", 1, 1),
        ("300", 1, 120),
        ("250", 1, 120),
        ("30", 1, 30),
        ("0", 1, 0),
        ("1.5", 1, 1.5),
        ("600000", 120, 120),
        ("", None, None),
        ("-1", None, None),
        ("soon", None, None),
        ("nan", None, None),
        ("inf", None, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None, None),
    ],
)
def test_a_small_retry_after_is_in_seconds_only_if_milliseconds_did_not_help(header, first, then):
    assert retry_after(header) == first
    assert retry_after(header, in_seconds=True) == then


@given(st.text())
def test_no_header_causes_a_long_pause(header):
    assert 0 <= (retry_after(header) or 0) <= 120


@pytest.mark.parametrize(
    ("status", "body", "error_class", "text"),
    [
        (400, b'{"errors":["Page Index"],"message":"Validation failed"}', InvalidRequest,
         "(Validation failed: Page Index)"),
        (400, b'{"errors":[],"message":"Number"}', InvalidRequest, "(Number)"),
        (400, b'{"errors":null,"message":"La TVA n\'existe pas."}', InvalidRequest,
         "(La TVA n'existe pas.)"),
        (400, b"", InvalidRequest, "was answered 400. Correct"),
        (401, b"", NotAuthorized, 'Check the account\'s "API_KEY"'),
        (403, b"<html>", NotAuthorized, "(<html>)"),
        (404, b'{"errors":[],"message":"Customer with ID 1 not found."}', NotFound, "ID 1"),
        (404, b'{"type":"x","title":"Not Found","status":404,"detail":"No hook"}', NotFound,
         "(No hook)"),
        (404, b'{"title":"Not Found"}', NotFound, "(Not Found)"),
        (404, b'{"errors":null,"message":"Introuvable."}', NotFound, "(Introuvable.)"),
        (404, b"", NoSuchRoute, '404. Check the account\'s "BASE_URL"'),
        (404, b"<html>nginx", NoSuchRoute, "(<html>nginx)"),
        (404, b'{"message":"no Route matched with those values"}', NoSuchRoute, "no Route"),
        (404, b"[]", NoSuchRoute, "404"),
        (405, b"", APIError, "405"),
        (409, '{"message":"utilisé"}'.encode(), Conflict, "utilisé"),
        (429, b"Too many", RateLimited, "(Too many)"),
        (500, b'{"errors":["Une erreur est survenue."],"message":"Internal error"}', ServerError,
         "Internal error: Une erreur"),
        (503, b"\xff\xfe", ServerError, "503"),
        (400, b"[1, 2]", InvalidRequest, "400"),
        (400, b'{"errors":{"a": 1},"message":5}', InvalidRequest, "(5)"),
    ],
)  # fmt: skip
def test_each_refusal_has_its_exception(status, body, error_class, text):
    error = api_error(GET, status, body)
    assert type(error) is error_class
    assert error.status_code == status
    assert text in str(error)
    assert str(error).startswith(f"{GET} was answered {status}")


def test_a_redirect_is_an_error():
    error = api_error(GET, 302, b"")
    assert type(error) is Redirected
    assert "BASE_URL" in str(error)


def test_secrets_are_redacted_before_the_message_is_cut():
    body = b"x" * 498 + b"secret"
    error = api_error(GET, 500, body, lambda text: text.replace("secret", "[...]"))
    assert error.message == "x" * 498 + "[."


def test_numbers_are_decimals():
    assert parse(GET, b'{"balance": 184.90}') == {"balance": Decimal("184.90")}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1, 2", b"\xff", b"NaN"])
def test_a_success_that_is_not_json_is_an_error(body):
    with pytest.raises(UnexpectedAnswer, match="not JSON"):
        parse(GET, body)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1, 2", b"\xff", b'{"id": 1}'])
def test_a_page_that_is_not_a_list_is_an_error(body):
    with pytest.raises(UnexpectedAnswer, match="not answered with a list"):
        parse_items(GET, body)


@pytest.mark.parametrize("read", [parse, parse_items])
@given(status=st.integers(100, 599), body=st.binary())
def test_no_answer_crashes_the_parser(read, status, body):
    assert len(str(api_error(GET, status, body))) < 1000
    with suppress(UnexpectedAnswer):
        read(GET, body)


def test_a_value_of_the_wrong_type_is_an_error():
    assert parse_object(GET, {"id": 1}) == {"id": 1}
    assert parse_list(GET, [{"id": 1}]) == [{"id": 1}]
    for wrong in (None, 5, "x"):
        with pytest.raises(UnexpectedAnswer, match="with an object"):
            parse_object(GET, wrong)
        with pytest.raises(UnexpectedAnswer, match="list of objects"):
            parse_list(GET, wrong)
    with pytest.raises(UnexpectedAnswer, match="list of objects"):
        parse_list(GET, [1])


@pytest.mark.parametrize(
    ("headers", "counts"),
    [
        ({"x-page-count": "3", "x-record-count": "250"}, (3, 250)),
        ({}, (None, None)),
        ({"x-page-count": "", "x-record-count": "-1"}, (None, None)),
        ({"x-page-count": "9" * 5000, "x-record-count": "many"}, (None, None)),
    ],
)
def test_a_page_has_the_counts_of_its_headers(headers, counts):
    items = [({"id": 1}, '{"id":1}')]
    assert parse_page(GET, items, headers) == Page([{"id": 1}], ['{"id":1}'], *counts)


def test_a_row_without_an_id_does_not_spoil_its_page():
    rows = [{}, {"id": None}, {"id": "1"}, {"id": 1}]
    assert parse_page(GET, [(row, "") for row in rows], {}).rows == rows
