"""The webhook over HTTP."""

from __future__ import annotations

import io
import json

import pytest
from asgiref.sync import async_to_sync
from django.db import DatabaseError, connections
from django.db.models.signals import post_save, pre_save
from django.http import UnreadablePostError
from django.test import AsyncClient, Client
from django.urls import reverse

from django_altoviz.event_types import EventType
from django_altoviz.intake import bodies, signing
from django_altoviz.models import Customer, Status, WebhookEvent
from django_altoviz.samples import sample_body
from django_altoviz.signals import event_received, webhook_rejected
from django_altoviz.views import WebhookView
from tests.conftest import SECRETS, body_of

BODY = sample_body(EventType.CUSTOMER_CREATED)


@pytest.fixture
def altoviz(settings):
    def change(**changes):
        settings.ALTOVIZ = settings.ALTOVIZ | changes

    return change


@pytest.fixture
def rejections():
    heard = []

    def listen(sender, status_code, account, reason, **kwargs):
        heard.append((status_code, account, reason))

    webhook_rejected.connect(listen)
    yield heard
    webhook_rejected.disconnect(listen)


@pytest.fixture
def nothing_stored(db):
    yield
    assert not WebhookEvent.with_pruned.exists()
    assert not Customer.with_deleted.exists()


pytestmark = pytest.mark.django_db


class TestAccepted:
    def test_an_authentic_delivery_is_stored_and_answered_with_json(self, post):
        answer = post(BODY)
        assert answer.status_code == 200
        assert answer.json() == {"status": "stored", "id": "evt_7b6xmxd80iuymufhrr9e9f1ca"}
        event = WebhookEvent.objects.get()
        assert event.body.encode() == BODY
        assert (event.account, event.type, event.object_id, event.source) == (
            "default",
            "CustomerCreated",
            418206,
            "webhook",
        )
        assert event.arrival["signature"] == "hex"
        assert event.arrival["content_type"] == "text/plain; charset=utf-8"
        assert event.arrival["address"] == "127.0.0.1"

    @pytest.mark.parametrize(
        "content_type",
        ["text/plain", "application/json", "", "multipart/form-data", "x/y"],
    )
    def test_the_content_type_does_not_matter(self, post, content_type):
        assert post(BODY, content_type=content_type).status_code == 200
        assert WebhookEvent.objects.get().body.encode() == BODY

    @pytest.mark.parametrize(
        "accept", ["application/json", "text/html", "image/png", "", "rubbish"]
    )
    def test_the_accept_header_does_not_matter(self, post, accept):
        answer = post(BODY, HTTP_ACCEPT=accept)
        assert answer.status_code == 200
        assert answer["Content-Type"] == "application/json"

    @pytest.mark.parametrize("url", ["/altoviz/webhook/", "/altoviz/webhook"])
    def test_a_missing_slash_loses_no_delivery(self, post, url):
        assert post(BODY, path=url).status_code == 200

    @pytest.mark.parametrize("url", ["/altoviz/webhook/acme/", "/altoviz/webhook/acme"])
    def test_the_url_names_the_account(self, post, url):
        assert post(BODY, account="acme", path=url).status_code == 200
        assert WebhookEvent.objects.get().account == "acme"
        assert Customer.objects.get().account == "acme"

    def test_the_urls_can_be_reversed(self):
        assert reverse("altoviz:webhook") == "/altoviz/webhook/"
        assert reverse("altoviz:webhook", kwargs={"account": "acme"}) == "/altoviz/webhook/acme/"

    def test_a_redelivery_is_counted(self, post):
        post(BODY)
        answer = post(BODY)
        assert answer.status_code == 200
        assert answer.json()["status"] == "known"
        event = WebhookEvent.objects.get()
        assert event.deliveries == 2
        assert event.last_received_at > event.received_at

    def test_an_error_of_a_projects_post_save_receiver_is_answered_503(self, post):
        def fail(**kwargs):
            raise RuntimeError("an error of the project")

        post_save.connect(fail, sender=WebhookEvent)
        try:
            answer = post(BODY)
        finally:
            post_save.disconnect(fail, sender=WebhookEvent)
        assert (answer.status_code, answer.json()) == (503, {"error": "not stored"})
        # The sender retries, and nothing is stored twice.
        assert post(BODY).status_code == 200
        assert WebhookEvent.objects.get().status == Status.PROCESSED

    def test_an_event_of_an_unknown_type_is_stored_as_ignored(self, post):
        answer = post({"id": "evt_1", "type": "CreditCreated", "data": {"id": 77120}})
        assert answer.status_code == 200
        event = WebhookEvent.objects.get()
        assert (event.status, event.object_id) == (Status.IGNORED, 77120)
        assert "no such event type" in event.error

    def test_a_body_of_five_megabytes_is_accepted(self, post):
        body = body_of("CustomerCreated", internalNotes="é" * 2_600_000)
        assert 5_000_000 < len(body) <= 5 * 2**20
        assert post(body).status_code == 200
        assert WebhookEvent.objects.get().status == Status.PROCESSED

    def test_both_secrets_are_accepted_during_rotation(self, post, altoviz):
        altoviz(WEBHOOK_SECRET=["new-secret", SECRETS["default"]])
        assert post(BODY).status_code == 200

    def test_a_middleware_may_read_request_body(self, settings, post):
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_views.body_reading_middleware"]
        assert post(BODY).status_code == 200

    def test_white_space_around_a_secret_does_not_matter(self, post, altoviz):
        altoviz(WEBHOOK_SECRET=SECRETS["default"] + "\n")
        assert post(BODY).status_code == 200

    def test_event_received_is_sent_once_per_event(self, post):
        heard = []

        def listen(sender, event, **kwargs):
            heard.append((sender, event.pk))

        event_received.connect(listen)
        try:
            post(BODY)
            post(BODY)
        finally:
            event_received.disconnect(listen)
        assert heard == [(WebhookEvent, WebhookEvent.objects.get().pk)]

    @pytest.mark.parametrize(("ends", "status"), [(True, 200), (False, 411)])
    def test_a_body_in_chunks_is_read_if_the_server_says_where_it_ends(self, rf, ends, status):
        signature = signing.sign(BODY, SECRETS["default"])
        request = rf.post("/altoviz/webhook/", headers={"x-signature": signature})
        request.META |= {
            "CONTENT_LENGTH": "",
            "HTTP_TRANSFER_ENCODING": "chunked",
            "wsgi.input": io.BytesIO(BODY),
            "wsgi.input_terminated": ends,
        }
        assert WebhookView.as_view()(request).status_code == status
        assert WebhookEvent.objects.count() == (1 if ends else 0)


class TestMalformed:
    @pytest.mark.parametrize(
        "body", [b"", b"ping", b"\xff\x00\x1b", b"[]", b"{}", b'{"id": "evt_1"}', b"\xef\xbb\xbf"]
    )
    def test_an_authentic_body_that_is_not_an_event_is_stored(self, post, body):
        answer = post(body)
        assert (answer.status_code, answer.json()) == (400, {"error": "malformed"})
        event = WebhookEvent.objects.get()
        assert event.status == Status.MALFORMED
        assert event.error
        assert post(body).status_code == 400
        assert WebhookEvent.objects.get().deliveries == 2

    def test_an_empty_body_whose_length_the_server_tells_is_stored_too(self, post):
        """No middleware has consumed it."""
        assert post(b"", CONTENT_LENGTH="0").json() == {"error": "malformed"}
        assert WebhookEvent.objects.get().body == ""


@pytest.mark.usefixtures("nothing_stored")
class TestRejected:
    @pytest.mark.parametrize(
        "signature", ["", " ", "0" * 64, "sha256=", "é", "\x00", "rubbish", "a" * 10_000]
    )
    def test_a_missing_or_wrong_signature_is_rejected(self, post, signature, rejections):
        answer = post(BODY, signature=signature)
        assert (answer.status_code, answer.json()) == (401, {"error": "invalid signature"})
        assert [code for code, *_ in rejections] == [401]

    def test_a_missing_header_is_rejected(self, client):
        answer = client.post("/altoviz/webhook/", BODY, content_type="text/plain")
        assert answer.status_code == 401

    def test_a_modified_body_is_rejected(self, post):
        signature = signing.sign(BODY, SECRETS["default"])
        assert post(BODY.replace(b"Zo", b"Lo"), signature=signature).status_code == 401

    def test_the_secret_of_another_account_is_rejected(self, post):
        signature = signing.sign(BODY, SECRETS["acme"])
        assert post(BODY, signature=signature).status_code == 401

    def test_an_empty_secret_does_not_count_as_a_secret(self, post, altoviz):
        altoviz(WEBHOOK_SECRET=["", " "])
        assert post(BODY, signature=signing.sign(BODY, "")).status_code == 503

    def test_an_unknown_account_is_answered_404(self, post, rejections):
        answer = post(BODY, path="/altoviz/webhook/nobody/")
        assert (answer.status_code, answer.json()) == (404, {"error": "unknown account"})
        assert rejections == [
            (404, "nobody", 'There is no account "nobody" in ALTOVIZ["ACCOUNTS"].')
        ]

    def test_an_account_without_a_secret_is_answered_503(self, post, altoviz):
        altoviz(WEBHOOK_SECRET="")
        assert post(BODY).status_code == 503

    @pytest.mark.parametrize(
        "setting",
        [
            None,
            {"WEBHOOK_SECRET": 5},
            {"WEBHOOK_SECRET": [5]},
            {"WEBHOOK_SECRET": "read from latin-1: \udce9"},
            {"ALLOWED_IPS": ["rubbish"]},
            {"ALLOWED_IPS": [5]},
            {"WEBHOOK_SECRET": SECRETS["default"], "MAX_BODY_BYTES": "5"},
            {"ALLOWED_IPS": ["127.0.0.1"], "TRUSTED_PROXIES": 5},
            {"ALLOWED_IPS": ["127.0.0.1"], "TRUSTED_PROXIES": ["rubbish"]},
        ],
    )
    def test_invalid_settings_are_answered_503(self, post, settings, setting):
        settings.ALTOVIZ = setting
        answer = post(BODY)
        assert (answer.status_code, answer.json()) == (503, {"error": "not configured"})

    @pytest.mark.parametrize(
        "method", ["get", "head", "put", "patch", "delete", "options", "trace"]
    )
    def test_other_methods_are_answered_405(self, client, method):
        answer = getattr(client, method)("/altoviz/webhook/")
        assert answer.status_code == 405
        assert answer["Allow"] == "POST"
        if method != "head":
            assert answer.json() == {"error": "method not allowed"}

    def test_a_body_over_the_limit_is_answered_413(self, post, altoviz, rejections):
        altoviz(MAX_BODY_BYTES=len(BODY) - 1)
        answer = post(BODY)
        assert (answer.status_code, answer.json()) == (413, {"error": "too large"})

    def test_a_body_in_small_pieces_is_read_no_further_than_the_limit(self, rf):
        class Pieces(io.BytesIO):
            def read(self, most):
                return super().read(min(most, 4))

        stream = Pieces(b"0123456789")
        request = rf.post("/altoviz/webhook/")
        request.META |= {
            "CONTENT_LENGTH": "",
            "wsgi.input": stream,
            "wsgi.input_terminated": True,
        }
        assert bodies.read_raw(request, 6) == b"012345"
        assert stream.tell() == 6

    def test_a_body_that_breaks_off_is_answered_400(self, rf, rejections):
        class BrokenRequest:
            def read(self, size):
                raise UnreadablePostError("connection reset")

        request = rf.post("/altoviz/webhook/", BODY, content_type="text/plain")
        request.read = BrokenRequest().read
        answer = WebhookView.as_view()(request)
        assert answer.status_code == 400
        assert json.loads(answer.content) == {"error": "unreadable body"}

    def test_a_body_consumed_by_a_middleware_is_answered_400(self, settings, post, rejections):
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_views.reading_middleware"]
        answer = post(b"--b\r\n\r\n--b--\r\n", content_type="multipart/form-data; boundary=b")
        assert answer.status_code == 400
        assert "middleware" in rejections[0][2]

    def test_a_middleware_that_reads_request_body_does_not_change_the_answer(
        self, settings, post, rejections
    ):
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_views.body_reading_middleware"]
        assert post(BODY, signature="0" * 64).status_code == 401
        assert rejections[0][2] == "wrong signature"

    def test_a_database_error_is_answered_503(self, post, caplog):
        def refuse(sender, **kwargs):
            raise DatabaseError("disk full")

        pre_save.connect(refuse, sender=WebhookEvent)
        try:
            answer = post(BODY)
        finally:
            pre_save.disconnect(refuse, sender=WebhookEvent)
        assert (answer.status_code, answer.json()) == (503, {"error": "not stored"})
        assert "disk full" in caplog.text

    def test_webhook_rejected_is_sent_with_the_request(self, post):
        requests = []

        def receive(sender, request, **kwargs):
            requests.append(request)

        webhook_rejected.connect(receive)
        try:
            post(BODY, signature="", HTTP_USER_AGENT="curl")
        finally:
            webhook_rejected.disconnect(receive)
        assert [request.META["HTTP_USER_AGENT"] for request in requests] == ["curl"]

    def test_a_failing_receiver_of_webhook_rejected_changes_nothing(self, post):
        def fail(sender, **kwargs):
            raise RuntimeError

        webhook_rejected.connect(fail)
        try:
            assert post(BODY, signature="").status_code == 401
        finally:
            webhook_rejected.disconnect(fail)

    def test_the_log_has_no_secret_and_no_personal_data(self, post, caplog):
        post(BODY, signature="0" * 64)
        post(BODY, path="/altoviz/webhook/nobody/")
        for secret in SECRETS.values():
            assert secret not in caplog.text
        assert "Zoé" not in caplog.text


def reading_middleware(get_response):
    def middleware(request):
        request.POST  # noqa: B018
        return get_response(request)

    return middleware


def body_reading_middleware(get_response):
    def middleware(request):
        request.body  # noqa: B018
        return get_response(request)

    return middleware


class TestAddresses:
    def test_only_allowed_addresses_get_in(self, post, altoviz):
        altoviz(ALLOWED_IPS=["20.23.10.180", "20.23.10.181"])
        assert post(BODY, REMOTE_ADDR="20.23.10.180").status_code == 200
        answer = post(BODY, REMOTE_ADDR="203.0.113.9")
        assert (answer.status_code, answer.json()) == (403, {"error": "forbidden"})
        assert WebhookEvent.objects.get().deliveries == 1

    def test_a_forged_header_does_not_admit_a_client(self, post, altoviz):
        altoviz(ALLOWED_IPS=["20.23.10.180"])
        answer = post(BODY, REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR="20.23.10.180")
        assert answer.status_code == 403

    def test_behind_a_trusted_proxy_the_forwarded_address_counts(self, post, altoviz):
        altoviz(ALLOWED_IPS=["20.23.10.180"], TRUSTED_PROXIES=["10.0.0.0/8"])
        hops = "6.6.6.6, 20.23.10.180"
        assert post(BODY, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=hops).status_code == 200
        assert post(BODY, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="6.6.6.6").status_code == 403
        assert post(BODY, REMOTE_ADDR="", HTTP_X_FORWARDED_FOR=hops).status_code == 403

    @pytest.mark.parametrize("allowed_ips", [[], ["20.23.10.180"]])
    def test_the_clients_address_is_stored_and_not_the_proxys(self, post, altoviz, allowed_ips):
        altoviz(ALLOWED_IPS=allowed_ips, TRUSTED_PROXIES=["10.0.0.0/8"])
        post(BODY, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="6.6.6.6, 20.23.10.180")
        assert WebhookEvent.objects.get().arrival["address"] == "20.23.10.180"

    @pytest.mark.parametrize("trusted_proxies", [["rubbish"], 5])
    def test_an_invalid_proxy_loses_no_delivery_if_any_address_may_deliver(
        self, post, altoviz, trusted_proxies
    ):
        altoviz(TRUSTED_PROXIES=trusted_proxies)
        assert post(BODY, REMOTE_ADDR="203.0.113.9").status_code == 200
        assert WebhookEvent.objects.get().arrival["address"] == "203.0.113.9"

    def test_a_forged_header_does_not_change_the_stored_address(self, post):
        post(BODY, REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR="20.23.10.180")
        assert WebhookEvent.objects.get().arrival["address"] == "203.0.113.9"

    def test_each_account_has_its_own_list(self, post, altoviz):
        acme = {"WEBHOOK_SECRET": SECRETS["acme"], "ALLOWED_IPS": ["20.23.10.181"]}
        altoviz(ACCOUNTS={"acme": acme})
        assert post(BODY, REMOTE_ADDR="203.0.113.9").status_code == 200
        assert post(BODY, account="acme", REMOTE_ADDR="203.0.113.9").status_code == 403

    @pytest.mark.parametrize("address", ["", "unknown", "203.0.113.9:80", "::1%lo", "\x00"])
    def test_an_unreadable_address_does_not_reject_a_delivery(self, post, address):
        assert post(BODY, REMOTE_ADDR=address).status_code == 200

    def test_unstorable_headers_are_escaped(self, post):
        assert post(BODY, HTTP_USER_AGENT="a\x00b\udcff", CONTENT_TYPE="\x00").status_code == 200
        assert WebhookEvent.objects.get().arrival["user_agent"] == "a\\x00b\\udcff"


class TestUnsigned:
    def test_an_unsigned_delivery_is_accepted_with_allow_unsigned(self, post, altoviz):
        altoviz(WEBHOOK_SECRET="", ALLOW_UNSIGNED=True)
        assert post(BODY, signature="").status_code == 200
        assert WebhookEvent.objects.get().arrival["signature"] == "unsigned"

    def test_an_account_with_a_secret_still_requires_a_signature(self, post, altoviz):
        altoviz(ALLOW_UNSIGNED=True)
        assert post(BODY, signature="").status_code == 401


class TestInAnyProject:
    def test_works_with_the_login_required_middleware(self, post, settings):
        settings.MIDDLEWARE = [
            *settings.MIDDLEWARE,
            "django.contrib.auth.middleware.LoginRequiredMiddleware",
        ]
        assert post(BODY).status_code == 200

    @pytest.mark.parametrize("client", [Client(enforce_csrf_checks=True)])
    def test_works_with_csrf_checks(self, post, client):
        assert post(BODY, client=client).status_code == 200

    def test_the_view_is_exempt_from_atomic_requests(self):
        view = WebhookView.as_view()
        assert view._non_atomic_requests == set(connections)
        assert view.csrf_exempt
        assert view.login_required is False

    def test_works_under_asgi(self):
        body = body_of("ProductCreated")
        signature = signing.sign(body, SECRETS["default"])

        async def post():
            return await AsyncClient().post(
                "/altoviz/webhook/",
                body,
                content_type="text/plain",
                headers={"x-signature": signature},
            )

        answer = async_to_sync(post)()
        assert answer.status_code == 200


@pytest.mark.django_db(transaction=True)
class TestAtomicRequests:
    @pytest.fixture(autouse=True)
    def atomic_requests(self, monkeypatch):
        monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)

    def test_a_failing_event_stays_stored(self, post):
        assert post(body_of("CustomerCreated", active="maybe")).status_code == 200
        event = WebhookEvent.objects.get()
        assert event.status == Status.FAILED
        assert "active: expected true or false" in event.error

    def test_a_dispatcher_that_raises_does_not_lose_the_event(self, post, altoviz, caplog):
        altoviz(DISPATCHER="tests.broken_dispatcher")
        assert post(BODY).status_code == 200
        assert WebhookEvent.objects.get().status == Status.PENDING
        assert "could not be dispatched" in caplog.text
