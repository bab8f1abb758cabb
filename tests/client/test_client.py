"""The client against a scripted server: requests, faults, secrets, lists and downloads."""

from __future__ import annotations

import datetime
import json
import logging
import random
import time
import traceback
from decimal import Decimal

import pytest
import requests
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given, settings
from hypothesis import strategies as st

from django_altoviz.client import AltovizClient, RateLimiter
from django_altoviz.client.retries import AltovizRetry
from django_altoviz.client.secrecy import redactor
from django_altoviz.event_types import Entity, EventType
from django_altoviz.exceptions import (
    APIFailure,
    ConnectionFailed,
    IncompleteList,
    InvalidRequest,
    NotAuthorized,
    NotFound,
    RateLimited,
    Redirected,
    ServerError,
    UnexpectedAnswer,
    UnknownAccount,
)
from tests.client.scripted import Answer, ScriptedServer, json_answer
from tests.conftest import examples

KEY = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    cache.clear()


def retry_at_once(**options):
    return AltovizRetry(backoff_factor=0, backoff_jitter=0, **options)


def connect(server, **options):
    return connect_to(server.url, **options)


def connect_to(url, **options):
    options = {
        "retry": retry_at_once(),
        "rate_limiter": RateLimiter("tests", requests=100_000),
        "timeout": (20, 20),
    } | options
    return AltovizClient(KEY, url, **options)


def one_answer(answer, ask, **options):
    """Return the result of ``ask`` and the last request that the server received."""
    with ScriptedServer(answer) as server, connect(server, **options) as client:
        return ask(client), server.received[-1]


class TestRequests:
    @pytest.mark.parametrize(
        ("ask", "path", "query"),
        [
            (lambda c: c.hello(), "/Hello", {}),
            (lambda c: c.settings(), "/v1/Settings", {}),
            (lambda c: c.customers.get(5), "/v1/Customers/5", {}),
            (lambda c: c.customers.get_by_internal_id("a/b?é"),
             "/v1/Customers/GetByInternalId/a%2Fb%3F%C3%A9", {}),
            (lambda c: c.contacts.get(5), "/v1/Contacts/5", {}),
            (lambda c: c.products.get(5), "/v1/Products/5", {}),
            (lambda c: c.invoices.get(5), "/v1/SaleInvoices/5", {}),
            (lambda c: c.quotes.get(5), "/v1/SaleQuotes/5", {}),
        ],
    )  # fmt: skip
    def test_for_one_object(self, ask, path, query):
        answer, received = one_answer(json_answer({"id": 5}), ask)
        assert answer == {"id": 5}
        assert (received.method, received.path, received.query) == ("GET", path, query)

    @pytest.mark.parametrize(
        ("ask", "path", "query"),
        [
            (lambda c: c.customers.find(email="a@b.example"), "/v1/Customers/Find",
             {"email": "a@b.example"}),
            (lambda c: c.customers.find(number="C1", internal_id="x"), "/v1/Customers/Find",
             {"number": "C1", "internalId": "x"}),
            (lambda c: c.contacts.find(internal_id="x"), "/v1/Contacts/Find", {"internalId": "x"}),
            (lambda c: c.products.find(number="P1"), "/v1/Products/Find", {"number": "P1"}),
            (lambda c: c.invoices.find(internal_id="x"), "/v1/SaleInvoices/Find",
             {"internalId": "x"}),
            (lambda c: c.quotes.find(number="DE1"), "/v1/SaleQuotes/Find", {"number": "DE1"}),
            (lambda c: c.credits.find(internal_id="x"), "/v1/SaleCredits/Find", {"internalId": "x"}),
            (lambda c: c.customers.contacts(5), "/v1/Customers/5/contacts", {}),
            (lambda c: c.webhooks.all(), "/v1/Webhooks", {}),
        ],
    )  # fmt: skip
    def test_for_some_objects(self, ask, path, query):
        answer, received = one_answer(json_answer([{"id": 5}]), ask)
        assert answer == [{"id": 5}]
        assert (received.method, received.path, received.query) == ("GET", path, query)

    @pytest.mark.parametrize(
        ("ask", "path", "query"),
        [
            (lambda c: c.customers.all(query="brûlé"), "/v1/Customers", {"query": "brûlé"}),
            (lambda c: c.contacts.all(), "/v1/Contacts", {}),
            (lambda c: c.products.all(family_id=3), "/v1/Products", {"familyId": "3"}),
            (lambda c: c.invoices.all(), "/v1/SaleInvoices", {"IncludeCancelled": "true"}),
            (lambda c: c.invoices.all(start=datetime.date(2026, 1, 2), status="Paid",
                                      customer_id=7, include_cancelled=False),
             "/v1/SaleInvoices", {"From": "2026-01-02", "Status": "Paid", "CustomerId": "7"}),
            (lambda c: c.quotes.all(end=datetime.date(2026, 1, 2)), "/v1/SaleQuotes",
             {"To": "2026-01-02"}),
            (lambda c: c.credits.all(start=datetime.date(2026, 1, 2), customer_id=7),
             "/v1/SaleCredits", {"From": "2026-01-02", "CustomerId": "7"}),
        ],
    )  # fmt: skip
    def test_for_all_objects(self, ask, path, query):
        answer, received = one_answer(json_answer([{"id": 5}]), lambda c: list(ask(c)))
        assert answer == [{"id": 5}]
        assert (received.method, received.path) == ("GET", path)
        assert received.query == query | {"PageIndex": "1", "PageSize": "100"}

    def test_have_the_key_in_a_header(self):
        _, received = one_answer(json_answer({}), lambda c: c.hello())
        assert received.headers["X-API-KEY"] == KEY
        assert "Authorization" not in received.headers
        assert KEY not in received.path

    def test_share_one_connection(self):
        with ScriptedServer(json_answer({})) as server, connect(server) as client:
            for _ in range(3):
                client.hello()
            assert len({received.peer for received in server.received}) == 1

    @pytest.mark.parametrize("name", ["customers", "contacts", "products", "invoices", "quotes"])
    def test_without_criteria_are_not_sent(self, name):
        with ScriptedServer(json_answer([])) as server, connect(server) as client:
            with pytest.raises(ValueError, match="Give at least one of"):
                getattr(client, name).find()
            assert not server.received

    def test_numbers_are_exact(self):
        answer, _ = one_answer(
            Answer(body=b'{"id": 1, "balance": 0.30000000000000000001}'),
            lambda c: c.invoices.get(1),
        )
        assert answer == {"id": 1, "balance": Decimal("0.30000000000000000001")}

    @pytest.mark.parametrize(
        ("entity", "path"),
        [
            (Entity.CUSTOMER, "/v1/Customers/5"),
            (Entity.CONTACT, "/v1/Contacts/5"),
            (Entity.PRODUCT, "/v1/Products/5"),
            (Entity.INVOICE, "/v1/SaleInvoices/5"),
            (Entity.QUOTE, "/v1/SaleQuotes/5"),
            (Entity.CREDIT, "/v1/SaleCredits/5"),
        ],
    )
    def test_go_to_the_resource_of_the_entity(self, entity, path):
        _, received = one_answer(json_answer({"id": 5}), lambda c: c.resource(entity).get(5))
        assert received.path == path

    @pytest.mark.parametrize("answer", [{"id": 6}, {"id": "5"}, {"id": True}, {"id": None}, {}])
    def test_for_an_object_fail_if_another_object_is_answered(self, answer):
        with pytest.raises(UnexpectedAnswer, match="GET v1/SaleQuotes/5 was answered with another"):
            one_answer(json_answer(answer), lambda c: c.quotes.get(5))

    def test_for_an_object_accept_its_id_with_a_decimal_point(self):
        answer, _ = one_answer(Answer(body=b'{"id": 5.0}'), lambda c: c.quotes.get(5))
        assert answer == {"id": 5}


class TestWebhooks:
    def test_are_registered(self):
        answer, received = one_answer(
            json_answer({"id": 0}, 201),
            lambda c: c.webhooks.register(
                name="n", url="https://a.example/", types=[EventType.QUOTE_CREATED], secret_key="s"
            ),
        )
        assert answer == {"id": 0}
        assert received.method == "POST"
        assert received.headers["Content-Type"] == "application/json"
        assert json.loads(received.body) == {
            "name": "n",
            "url": "https://a.example/",
            "types": ["QuoteCreated"],
            "secretKey": "s",
        }

    @pytest.mark.parametrize("missing", ["name", "url", "secret_key"])
    def test_need_a_name_a_url_and_a_secret(self, missing):
        given = {"name": "n", "url": "u", "secret_key": "s", "types": []} | {missing: ""}
        with ScriptedServer(json_answer({})) as server, connect(server) as client:
            with pytest.raises(ValueError, match="needs a name"):
                client.webhooks.register(**given)
            for type in ("Nonsense", "CreditCreated"):
                with pytest.raises(ValueError, match=type):
                    client.webhooks.register(name="n", url="u", secret_key="s", types=[type])
            assert not server.received

    @pytest.mark.parametrize(
        ("given", "query"),
        [
            ({"id": 5}, {"id": "5"}),
            ({"url": "https://a.example/?b=é&c"}, {"url": "https://a.example/?b=é&c"}),
        ],
    )
    def test_are_unregistered(self, given, query):
        _, received = one_answer(json_answer({}), lambda c: c.webhooks.unregister(**given))
        assert (received.method, received.path) == ("DELETE", "/v1/Webhooks")
        assert received.query == query

    @pytest.mark.parametrize(
        "given", [{}, {"id": 0}, {"id": -1}, {"url": ""}, {"id": 1, "url": "https://a.example"}]
    )
    def test_are_never_all_unregistered(self, given):
        with ScriptedServer(json_answer({})) as server, connect(server) as client:
            with pytest.raises(ValueError, match="Give either"):
                client.webhooks.unregister(**given)
            assert not server.received

    def test_that_do_not_exist_are_not_found(self):
        with pytest.raises(NotFound):
            one_answer(Answer(404), lambda c: c.webhooks.unregister(id=5))


class TestFaults:
    @pytest.mark.parametrize(
        "fault",
        [
            Answer(fault="reset"),
            Answer(500),
            Answer(502, b"<html>bad gateway</html>"),
            Answer(503),
            Answer(504),
            Answer(429, b"slow down", {"Retry-After": "1"}),
            Answer(429, b"slow down", {"Retry-After": "rubbish"}),
            Answer(429),
            Answer(body=b'{"id": 5}' * 10, fault="break off"),
            Answer(body=b'{"id": '),
            Answer(body=b"<html>maintenance</html>"),
        ],
    )
    def test_a_get_is_repeated_until_it_succeeds(self, fault, monkeypatch):
        monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda seconds: None)
        with (
            ScriptedServer(fault, fault, json_answer({"id": 5})) as server,
            connect(server) as client,
        ):
            assert client.customers.get(5) == {"id": 5}
            assert len(server.received) == 3

    @pytest.mark.parametrize("fault", [Answer(500), Answer(fault="reset"), Answer(429)])
    def test_repeated_requests_count_in_the_rate_limit(self, fault):
        now, pauses = [1_000_000.0], []

        def sleep(seconds):
            pauses.append(seconds)
            now[0] += seconds

        rate_limiter = RateLimiter("again", 10, clock=lambda: now[0], sleep=sleep)
        with (
            ScriptedServer(fault) as server,
            connect(server, rate_limiter=rate_limiter, read_attempts=1) as client,
        ):
            for _ in range(2):
                with pytest.raises(APIFailure):
                    client.hello()
            assert len(server.received) == 14
        assert len(pauses) == 1

    def test_the_retry_object_of_the_caller_is_not_modified(self):
        retry = retry_at_once()
        with AltovizClient(KEY, retry=retry), AltovizClient(KEY, retry=retry):
            assert retry.before_retry is object

    def test_a_slow_answer_is_read_to_its_end(self):
        body = json.dumps({"id": 5, "name": "x" * 200}).encode()
        answer, _ = one_answer(Answer(body=body, fault="drip"), lambda c: c.customers.get(5))
        assert answer["id"] == 5

    @pytest.mark.parametrize("before", [[], [Answer(500)]])
    def test_the_client_obeys_retry_after(self, before, monkeypatch):
        pauses = []
        monkeypatch.setattr("urllib3.util.retry.time.sleep", pauses.append)
        answers = [
            *before,
            Answer(429, headers={"Retry-After": "13000"}),
            Answer(429, headers={"Retry-After": "20"}),
            json_answer({}),
        ]
        with ScriptedServer(*answers) as server, connect(server) as client:
            client.hello()
        assert pauses[-2:] == [13, 20]

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (Answer(fault="reset"), ConnectionFailed),
            (Answer(body=b"{}" * 50, fault="break off"), ConnectionFailed),
            (Answer(500, b'{"errors":[],"message":"An error occured"}'), ServerError),
            (Answer(429, headers={"Retry-After": "1"}), RateLimited),
            (Answer(body=b"<html>"), UnexpectedAnswer),
            (Answer(401), NotAuthorized),
            (Answer(302, headers={"Location": "https://elsewhere.example/"}), Redirected),
        ],
    )
    def test_a_lasting_fault_is_raised(self, answer, error, monkeypatch):
        monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda seconds: None)
        with pytest.raises(error):
            one_answer(answer, lambda c: c.hello(), retry=retry_at_once(total=2))

    def test_a_host_that_is_down_is_a_failed_connection(self):
        with ScriptedServer(json_answer({})) as server:
            pass
        with connect(server, retry=retry_at_once(total=0)) as client:
            with pytest.raises(ConnectionFailed, match=r"can't be reached.*Check the network"):
                client.hello()

    def test_a_post_that_may_have_succeeded_is_not_repeated(self):
        """A POST with the answer 500, or without an answer, may have registered a webhook."""
        given = {"name": "n", "url": "u", "secret_key": "s", "types": []}
        for fault, error in ((Answer(500), ServerError), (Answer(fault="reset"), ConnectionFailed)):
            with (
                ScriptedServer(fault, json_answer({"id": 0}, 201)) as server,
                connect(server) as client,
            ):
                with pytest.raises(error):
                    client.webhooks.register(**given)
                assert len(server.received) == 1

    def test_a_post_that_was_refused_with_429_is_repeated(self):
        given = {"name": "n", "url": "u", "secret_key": "s", "types": []}
        refusal = Answer(429, headers={"Retry-After": "1"})
        with (
            ScriptedServer(refusal, json_answer({"id": 0}, 201)) as server,
            connect(server) as client,
        ):
            assert client.webhooks.register(**given) == {"id": 0}


class TestSecrets:
    def test_the_key_is_sent_to_no_other_host(self):
        with ScriptedServer(json_answer({})) as other:
            redirect = Answer(307, headers={"Location": f"{other.url}/Hello"})
            with pytest.raises(Redirected):
                one_answer(redirect, lambda c: c.hello())
            assert not other.received
            with ScriptedServer(json_answer({})) as server, connect(server) as client:
                client._session.get(other.url, timeout=20)
            assert "X-API-KEY" not in other.received[0].headers

    def test_the_key_is_in_no_error_and_no_log(self, caplog, monkeypatch):
        monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda seconds: None)
        caplog.set_level(logging.DEBUG)
        for answer in (Answer(401), Answer(fault="reset"), Answer(500)):
            with pytest.raises(APIFailure) as caught:
                one_answer(answer, lambda c: c.hello(), retry=retry_at_once(total=1))
            assert KEY not in repr(caught.value)
            assert KEY not in str(caught.getrepr(chain=True, showlocals=False))
        assert KEY not in caplog.text
        assert caplog.records

    def test_the_repr_of_the_client_does_not_show_the_key(self):
        with AltovizClient(KEY) as client:
            assert KEY not in repr(client)

    def test_a_line_break_at_the_end_of_the_key_is_stripped(self):
        with (
            ScriptedServer(json_answer({})) as server,
            AltovizClient(f"{KEY}\n", server.url) as client,
        ):
            client.hello()
            assert server.received[0].headers["X-API-KEY"] == KEY

    @pytest.mark.parametrize("key", ["clé", "11111111\n2222", "a\x00b", "a…"])
    def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(self, key, settings):
        settings.ALTOVIZ = {"API_KEY": key}
        with pytest.raises(ImproperlyConfigured, match="printable ASCII") as caught:
            AltovizClient.for_account()
        assert key not in "".join(traceback.format_exception(caught.value))

    def test_an_error_of_the_network_code_is_redacted(self, monkeypatch, caplog):
        def fail(*args, **options):
            raise ValueError(f"Invalid header value b'{KEY}'")

        with connect_to("http://127.0.0.1:1") as client:
            monkeypatch.setattr(client._session, "request", fail)
            with pytest.raises(
                ConnectionFailed, match=r"ValueError: Invalid header value"
            ) as caught:
                client.hello()
        assert KEY not in str(caught.getrepr(chain=True, showlocals=False))

    @pytest.mark.parametrize("spell", [str, str.upper, str.lower])
    def test_a_key_that_altoviz_quotes_is_redacted(self, spell):
        said = {"message": f"{spell(KEY)} is unknown", "errors": [f"key: {spell(KEY)}"]}
        with pytest.raises(NotAuthorized) as caught:
            one_answer(json_answer(said, 401), lambda c: c.hello())
        assert caught.value.message == "[…] is unknown"
        assert caught.value.errors == ("key: […]",)
        assert spell(KEY) not in str(caught.getrepr(chain=True, showlocals=False))

    def test_a_webhook_secret_that_altoviz_quotes_is_redacted(self):
        given = {"name": "n", "url": "u", "types": [], "secret_key": "a+b/secret"}
        refused = Answer(400, b'{"errors": ["\'a\\u002Bb/secret\' is too short."]}')
        with pytest.raises(InvalidRequest) as caught:
            one_answer(refused, lambda c: c.webhooks.register(**given))
        assert caught.value.errors == ("'[…]' is too short.",)

    def test_all_secrets_of_the_account_are_redacted(self, settings):
        with ScriptedServer(json_answer({"message": "of old: former"}, 400)) as server:
            settings.ALTOVIZ = {
                "API_KEY": KEY, "BASE_URL": server.url, "WEBHOOK_SECRET": ["now", "former"]
            }  # fmt: skip
            with AltovizClient.for_account() as client, pytest.raises(InvalidRequest) as caught:
                client.webhooks.all()
        assert caught.value.message == "of old: […]"

    def test_without_secrets_texts_stay_as_they_are(self):
        assert redactor(["", ""])("any text") == "any text"

    def test_a_host_in_capital_letters_receives_the_key(self):
        with ScriptedServer(json_answer({})) as server:
            url = server.url.replace("127.0.0.1", "LOCALHOST")
            with connect_to(url) as client:
                client.hello()
            assert server.received[0].headers["X-API-KEY"] == KEY


def pages(total, size=100, headers=True):
    """Return a function that answers with pages of a list of ``total`` objects, as Altoviz does."""

    def answer(received):
        number = int(received.query["PageIndex"])
        rows = [{"id": n} for n in range(1, total + 1)][(number - 1) * size : number * size]
        counts = {"x_page_count": -(-total // size), "x_record_count": total} if headers else {}
        return json_answer(rows, **counts)

    return answer


class TestLists:
    @pytest.mark.parametrize("total", [0, 1, 99, 100, 101, 250])
    @pytest.mark.parametrize("headers", [True, False])
    def test_are_read_to_their_end(self, total, headers):
        with ScriptedServer(pages(total, headers=headers)) as server, connect(server) as client:
            assert [row["id"] for row in client.customers.all()] == list(range(1, total + 1))
            asked = [int(received.query["PageIndex"]) for received in server.received]
        most = max(-(-total // 100), 1) if headers else total // 100 + 1
        assert asked == list(range(1, most + 1))

    def test_are_read_lazily(self):
        with ScriptedServer(pages(1000)) as server, connect(server) as client:
            rows = client.customers.all()
            assert not server.received
            next(rows)
            assert len(server.received) == 1

    def test_a_row_that_moves_to_another_page_is_neither_lost_nor_doubled(self):
        """A deletion on page 1 moves a row of page 2 to page 1, which the client has read already."""
        rows = list(range(1, 252))
        asked = []

        def answer(received):
            number = int(received.query["PageIndex"])
            asked.append(number)
            if len(asked) == 2:
                rows.remove(1)
                rows.insert(0, 999)
                rows.remove(2)
            page = rows[(number - 1) * 100 : number * 100]
            return json_answer(
                [{"id": n} for n in page],
                x_page_count=-(-len(rows) // 100),
                x_record_count=len(rows),
            )

        with ScriptedServer(answer) as server, connect(server) as client:
            read = [row["id"] for row in client.customers.all()]
        assert len(read) == len(set(read))
        assert set(read) >= set(rows)

    def test_that_repeat_the_same_page_for_ever_are_incomplete(self):
        same = json_answer([{"id": n} for n in range(1, 101)])
        with ScriptedServer(same) as server, connect(server) as client:
            with pytest.raises(IncompleteList, match=r"100 objects were read, .* counts more"):
                list(client.customers.all())
            assert len(server.received) == 6

    @pytest.mark.parametrize("headers", [{1}, {2}, {1, 3}])
    def test_with_counts_on_some_pages_only_are_incomplete(self, headers):
        with_headers, without = pages(250), pages(250, headers=False)

        def answer(received):
            return (with_headers if int(received.query["PageIndex"]) in headers else without)(
                received
            )

        with ScriptedServer(answer) as server, connect(server) as client:
            rows = []
            with pytest.raises(IncompleteList):
                rows.extend(client.customers.all())
            assert len(server.received) == 9

    @pytest.mark.parametrize("counted", [{}, {"x_page_count": 1, "x_record_count": 5}])
    def test_yield_an_object_without_a_proper_id_once(self, counted):
        body = (
            b'[{"id": 5}, {"id": null}, {"id": null, "name": "x"}, {"id": 418206.0}, {"id": "a"}]'
        )
        answer = Answer(200, body, json_answer(None, **counted).headers)
        rows, _ = one_answer(answer, lambda c: list(c.customers.all()))
        assert [row["id"] for row in rows] == [5, None, None, 418206, "a"]
        twice = Answer(200, body, json_answer(None, x_page_count=2, x_record_count=5).headers)
        with ScriptedServer(twice) as server, connect(server) as client:
            assert list(client.customers.all()) == rows

    def test_that_never_have_as_many_rows_as_counted_are_incomplete(self):
        def answer(received):
            return json_answer([{"id": 1}], x_page_count=1, x_record_count=2)

        with ScriptedServer(answer) as server, connect(server) as client:
            with pytest.raises(IncompleteList, match="1 objects were read, but Altoviz counts 2"):
                list(client.customers.all())

    def test_that_break_off_between_pages_are_an_error(self):
        with ScriptedServer(pages(250)) as server, connect(server) as client:
            rows = client.customers.all()
            for _ in range(100):
                next(rows)
            server.answers[:] = [Answer(500)]
            client._session.mount(
                "http://", requests.adapters.HTTPAdapter(max_retries=retry_at_once(total=0))
            )
            with pytest.raises(ServerError):
                next(rows)

    @settings(max_examples=examples(25))
    @given(st.integers(0, 450), st.integers(0, 2**32))
    def test_yield_each_object_once_or_fail_under_faults(self, total, seed):
        chance = random.Random(seed)
        listing = pages(total, headers=chance.random() < 0.7)

        def answer(received):
            fault = chance.choice(["", "", "", "reset", "500", "429", "break off", "cut"])
            good = listing(received)
            if fault in ("500", "429"):
                return Answer(int(fault))
            if fault == "cut":
                return Answer(body=good.body[:-1], headers=good.headers)
            return Answer(200, good.body, good.headers, fault)

        with ScriptedServer(answer) as server, connect(server) as client:
            try:
                read = [row["id"] for row in client.invoices.all()]
            except APIFailure:
                return
        assert read == list(range(1, total + 1))


class TestDownloads:
    PDF = b"%PDF-1.4" + bytes(range(256)) * 1000

    def test_are_streamed_or_saved(self, tmp_path):
        headers = {"content-disposition": 'attachment; filename="FA001043.pdf"'}
        with ScriptedServer(Answer(body=self.PDF, headers=headers)) as server:
            with connect(server) as client, client.invoices.download(5) as pdf:
                assert pdf.filename == "FA001043.pdf"
                assert b"".join(pdf) == self.PDF
            with connect(server) as client:
                client.quotes.download(6).save(tmp_path / "a.pdf")
            assert [r.path for r in server.received] == [
                "/v1/SaleInvoices/Download/5",
                "/v1/SaleQuotes/Download/6",
            ]
        assert (tmp_path / "a.pdf").read_bytes() == self.PDF
        assert list(tmp_path.iterdir()) == [tmp_path / "a.pdf"]

    @pytest.mark.parametrize(
        ("header", "filename"),
        [
            ("attachment; filename=../../etc/passwd", "passwd"),
            ('attachment; filename="..\\\\..\\\\a.pdf"', "a.pdf"),
            ("inline", ""),
            ("attachment; filename=..", ""),
            ("attachment; filename=.", ""),
            ("attachment; filename=.bashrc", ""),
            ("attachment; filename=a.pdf.", ""),
            ("attachment; filename=CON", ""),
            ("attachment; filename=com1.pdf", ""),
            ("attachment; filename=a:b.pdf", ""),
            ("attachment; filename=a\x1b[31m.pdf", ""),
            ("attachment; filename=" + "a" * 300, ""),
            ("attachment; filename=Facture FA-1.pdf", "Facture FA-1.pdf"),
        ],
    )
    def test_have_a_safe_file_name_without_folders(self, header, filename):
        answer = Answer(body=self.PDF, headers={"content-disposition": header})
        with ScriptedServer(answer) as server, connect(server) as client:
            with client.invoices.download(5) as pdf:
                assert pdf.filename == filename

    def test_that_break_off_leave_no_file(self, tmp_path):
        with ScriptedServer(Answer(body=self.PDF, fault="break off")) as server:
            with connect(server) as client, pytest.raises(ConnectionFailed, match="broke off"):
                client.invoices.download(5).save(tmp_path / "a.pdf")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("body", [b"", b"<html>maintenance</html>", b" " * 1024 + b"%PDF-1.4"])
    def test_that_are_not_pdf_leave_no_file(self, body, tmp_path):
        with ScriptedServer(Answer(body=body)) as server, connect(server) as client:
            with pytest.raises(UnexpectedAnswer, match="not a PDF"):
                client.invoices.download(5).save(tmp_path / "a.pdf")
        assert not list(tmp_path.iterdir())

    def test_a_refusal_that_breaks_off_is_a_failed_connection(self):
        with pytest.raises(ConnectionFailed):
            one_answer(Answer(400, b"x" * 100, fault="break off"), lambda c: c.invoices.download(5))

    def test_that_do_not_exist_are_not_found(self):
        with pytest.raises(NotFound, match="not found"):
            one_answer(
                json_answer({"errors": [], "message": "not found"}, 404),
                lambda c: c.invoices.download(5),
            )


class TestAccounts:
    def test_a_client_is_made_from_the_settings(self, settings):
        with ScriptedServer(json_answer({"companyName": "Acme"})) as server:
            settings.ALTOVIZ = {
                "ACCOUNTS": {"acme": {"API_KEY": KEY, "BASE_URL": f"{server.url}/"}},
            }
            with AltovizClient.for_account("acme") as client:
                assert client.hello() == {"companyName": "Acme"}
            assert server.received[0].headers["X-API-KEY"] == KEY

    def test_an_account_without_a_key_has_no_client(self, settings):
        settings.ALTOVIZ = {}
        with pytest.raises(ImproperlyConfigured, match='Account "default" has no API_KEY'):
            AltovizClient.for_account()
        with pytest.raises(UnknownAccount):
            AltovizClient.for_account("nobody")

    def test_all_clients_of_an_account_share_its_rate_limit(self, settings, monkeypatch, caplog):
        caplog.set_level(logging.INFO, "django_altoviz")
        acquired = []

        def acquire(rate_limiter):
            acquired.append((rate_limiter.name, rate_limiter.requests))
            return 1.5

        monkeypatch.setattr(RateLimiter, "acquire", acquire)
        with ScriptedServer(json_answer({})) as server:
            settings.ALTOVIZ = {
                "API_KEY": KEY,
                "BASE_URL": server.url,
                "API_REQUESTS_PER_MINUTE": 40,
            }
            for _ in range(2):
                with AltovizClient.for_account() as client:
                    client.hello()
            with AltovizClient(KEY, server.url) as client:
                client.hello()
        assert len({name for name, _ in acquired}) == 1
        assert [requests for _, requests in acquired] == [40, 40, 80]
        assert KEY not in acquired[0][0]
        assert "Waited 1.5 s to stay within Altoviz's rate limit." in caplog.text
