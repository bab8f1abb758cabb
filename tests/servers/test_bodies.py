"""Deliveries without a ``Content-Length``, as .NET and some proxies send them."""

from __future__ import annotations

import pytest

from django_altoviz.intake import signing
from django_altoviz.models import WebhookEvent
from tests.conftest import SECRETS, body_of
from tests.servers.serving import ask, chunks, head, served

pytestmark = pytest.mark.django_db(transaction=True)
READS_CHUNKS = ["gunicorn", "gunicorn with threads", "waitress", "uvicorn", "daphne"]


def delivery(body, **headers):
    signature = signing.sign(body, SECRETS["default"])
    return head(Content_Type="text/plain", X_SIGNATURE=signature, **headers)


@pytest.mark.parametrize("server", READS_CHUNKS)
def test_a_delivery_in_chunks_is_stored_byte_for_byte(server, tmp_path):
    bodies = [body_of("CustomerCreated", id=number, notes="é" * 4000) for number in (1, 2)]
    with served(server, tmp_path) as port:
        for body in bodies:
            start = delivery(body, Transfer_Encoding="chunked")
            assert ask(port, start, *chunks(body))[0] == 200
        forged = delivery(b"{}", Transfer_Encoding="chunked")
        assert ask(port, forged, *chunks(bodies[0]))[0] == 401
        empty = delivery(b"", Transfer_Encoding="chunked")
        assert ask(port, empty, *chunks(b""))[0] == 400
        with_length = body_of("CustomerCreated", id=3)
        start = delivery(with_length, Content_Length=len(with_length))
        assert ask(port, start, with_length)[0] == 200
    stored = [event.body.encode() for event in WebhookEvent.objects.order_by("pk")]
    assert stored == [*bodies, b"", with_length]


def test_chunks_that_exceed_the_limit_are_not_read_to_their_end(tmp_path):
    body = b"x" * (6 * 2**20)
    with served("gunicorn", tmp_path) as port:
        start = delivery(body, Transfer_Encoding="chunked")
        assert ask(port, start, *chunks(body, 2**20)[:-1])[0] == 413
    assert not WebhookEvent.with_pruned.exists()


def test_malformed_chunks_are_an_unreadable_body(tmp_path):
    with served("gunicorn", tmp_path) as port:
        start = delivery(b"{}", Transfer_Encoding="chunked")
        assert ask(port, start, b"2\r\n{}\r\nrubbish\r\n")[0] == 400


def test_a_server_that_does_not_pass_chunks_on_says_so(tmp_path):
    body = body_of("CustomerCreated")
    with served("runserver", tmp_path) as port:
        answer = ask(port, delivery(body, Transfer_Encoding="chunked"), *chunks(body))
    assert answer == (411, '{"error": "length required"}')
    assert "Transfer-Encoding: chunked" in (tmp_path / "worker.log").read_text()
