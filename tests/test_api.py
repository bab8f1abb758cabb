"""The REST API shows the mirror exactly, in few queries, and to those only who may view it."""

from __future__ import annotations

import datetime
import json
import re
from decimal import Decimal
from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.test import APIClient, APIRequestFactory, force_authenticate

from django_altoviz.api.views import CustomerViewSet
from django_altoviz.masking import MASK
from django_altoviz.models import Contact, Customer, Invoice, Status, SyncRun, WebhookEvent
from django_altoviz.signals import customer_updated
from django_altoviz.testing import FakeAltoviz
from tests.conftest import SECRETS, body_of

pytestmark = pytest.mark.django_db
API = "/api/altoviz/v1/"


def client_with(*permissions):
    user = User.objects.create_user(f"user-{User.objects.count()}")
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    assert user.user_permissions.count() == len(permissions)
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture(autouse=True)
def empty_cache():
    """Forget the amounts, which are kept for a minute."""
    cache.clear()


@pytest.fixture
def api():
    """A client that may view everything."""
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("root"))
    return client


def read(client, path, code=200, **query):
    answer = client.get(f"{API}{path}", query)
    assert answer.status_code == code, answer.content
    return answer.json()


def read_all(client, path, **query):
    """Return the results of all pages."""
    page = read(client, path, **query)
    results = page["results"]
    while page["next"]:
        page = client.get(page["next"]).json()
        results += page["results"]
    return results


class TestObjects:
    def test_amounts_are_texts_with_all_digits(self, api, post):
        post(body_of("InvoiceUpdated", id=7, balance=Decimal("1234567890123456789.01")))
        invoice = read(api, "invoices/default:7/")
        assert invoice["balance"] == "1234567890123456789.01"
        assert invoice["key"] == "default:7"
        assert (invoice["number"], invoice["is_draft"]) == (Invoice.objects.get().number, False)
        assert not {"data", "lines", "customer", "id", "search_text"} & invoice.keys()

    def test_what_is_asked_for_comes_with_it(self, api, post):
        post(body_of("CustomerUpdated", id=5, name="Fonderie"))
        post(body_of("InvoiceUpdated", id=7, customerId=5, balance=Decimal("20.50")))
        post(body_of("InvoiceUpdated", id=8, customerId=6))
        invoice = read(api, "invoices/default:7/", expand="customer,lines, data")
        assert invoice["customer"]["name"] == "Fonderie"
        assert [line["position"] for line in invoice["lines"]] == [
            *range(Invoice.objects.get(altoviz_id=7).lines.count())
        ]
        assert invoice["customer"]["data"]["name"] == "Fonderie"
        assert invoice["lines"][0]["description"]
        other = read(api, "invoices/default:8/", expand="customer")
        assert (other["customer"], other["customer_key"]) == (None, "default:6")

    def test_the_object_has_the_numbers_that_altoviz_wrote(self, api, post):
        post(body_of("ProductUpdated", id=7, unitPrice=Decimal("0.10"), odd=Decimal("1E+5")))
        text = api.get(f"{API}products/default:7/?expand=data").content.decode()
        assert '"unitPrice":0.10' in text
        assert json.loads(text, parse_float=Decimal)["data"]["odd"] == Decimal("1E+5")

    def test_an_unknown_expansion_is_refused(self, api, post):
        for path in ("invoices/", "customers/", "events/", "syncs/"):
            assert "Unknown: x." in read(api, path, 400, expand="x")["expand"][0]

    def test_deleted_objects_are_shown_only_when_asked_for(self, api, post):
        post(body_of("CustomerUpdated", id=5))
        post(body_of("CustomerDeleted", id=5))
        assert read(api, "customers/")["results"] == []
        read(api, "customers/default:5/", 404)
        (found,) = read(api, "customers/", deleted="true")["results"]
        assert found["deleted_at"] == read(api, "customers/default:5/", deleted="1")["deleted_at"]
        assert "deleted" in read(api, "customers/", 400, deleted="perhaps")

    def test_the_same_id_of_two_accounts_is_two_objects(self, api, post):
        post(body_of("ProductUpdated", id=5, name="Ours"))
        post(body_of("ProductUpdated", id=5, name="Theirs"), account="acme")
        assert read(api, "products/acme:5/")["name"] == "Theirs"
        assert [each["name"] for each in read(api, "products/", account="acme")["results"]] == [
            "Theirs"
        ]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({}, [3, 2, 1]),
            ({"ordering": "altoviz_id"}, [1, 2, 3]),
            ({"ordering": "-synced_at"}, [3, 2, 1]),
            ({"is_paid": "true"}, [2]),
            ({"is_paid": "false"}, [3, 1]),
            ({"customer": "default:9"}, [3]),
            ({"date_from": "2026-03-02", "date_to": "2026-03-02"}, [2]),
            ({"number": "F-3"}, [3]),
            ({"search": "brule zwei"}, [2]),
            ({"search": "BRÛLÉ"}, [3, 2, 1]),
            ({"search": "a\0b"}, []),
            ({"synced_after": "2000-01-01T00:00:00Z"}, [3, 2, 1]),
            ({"synced_after": "2100-01-01T00:00:00Z"}, []),
            ({"altoviz_id": "2"}, [2]),
        ],
    )
    def test_lists_are_filtered_searched_and_ordered(self, api, post, query, found):
        for id in (1, 2, 3):
            customer = 9 if id == 3 else 8
            post(
                body_of(
                    "InvoiceUpdated",
                    id=id,
                    number=f"F-{id}",
                    customerName=f"Fonderie Brûlé {['', 'eins', 'zwei', 'drei'][id]}",
                    customerId=customer,
                    date=f"2026-03-0{id}",
                    isPaid=id == 2,
                )
            )
        invoices = read(api, "invoices/", **query)["results"]
        assert [invoice["altoviz_id"] for invoice in invoices] == found

    @pytest.mark.parametrize(
        ("path", "query"),
        [
            ("invoices/", {"is_payed": "true"}),
            ("invoices/", {"is_paid": "perhaps"}),
            ("invoices/", {"date_from": "yesterday"}),
            ("invoices/", {"ordering": "date"}),
            ("invoices/", {"altoviz_id": "9" * 30}),
            ("invoices/", {"number": "a\0b"}),
            ("customers/", {"status": "sent"}),
            ("events/", {"after": "-1"}),
            ("events/", {"status": "nonsense"}),
            ("events/", {"ordering": "--id"}),
            ("events/", {"received_from": "0001-01-01T00:00:00"}),
            ("events/", {"received_to": "9999-12-31T23:59:59"}),
            ("customers/", {"ordering": "last_event_id"}),
            ("events/", {"search": "x", "received_from": "x"}),
            ("events/", {"search": "x"}),
            ("events/", {"deleted": "true"}),
            ("syncs/", {"search": "x"}),
            ("syncs/", {"entity": "payment"}),
            ("invoices/", {"customer": ""}),
            ("events/", {"after": ""}),
        ],
    )
    def test_a_wrong_parameter_is_named(self, api, path, query):
        """A filter that is ignored would find too much."""
        assert read(api, path, 400, **query).keys() & query.keys()

    def test_a_parameter_is_left_to_the_filters_of_the_project(self, post):
        post(body_of("CustomerUpdated", id=5, billingAddress={"city": "Lyon"}))
        post(body_of("CustomerUpdated", id=6, billingAddress={"city": "Brest"}))

        class Customers(CustomerViewSet):
            filter_backends = [*CustomerViewSet.filter_backends, DjangoFilterBackend]
            filterset_fields = ["billing_city"]

        request = APIRequestFactory().get("/", {"billing_city": "Brest", "account": "default"})
        force_authenticate(request, User.objects.create_superuser("root"))
        found = Customers.as_view({"get": "list"})(request).data["results"]
        assert [customer["altoviz_id"] for customer in found] == [6]

    @pytest.mark.parametrize("cursor", ["cD1hYmM=", "cD0xAA==", "!", "bz0x", "cD05OTk5LTk5"])
    @pytest.mark.parametrize("ordering", [{}, {"ordering": "synced_at"}])
    def test_a_made_up_cursor_leads_nowhere(self, api, cursor, ordering):
        for path in ("invoices/", "customers/"):
            code = api.get(f"{API}{path}", {"cursor": cursor, **ordering}).status_code
            assert code in (200, 404)
        assert api.get(f"{API}events/", {"cursor": cursor}).status_code in (200, 404)
        assert api.get(f"{API}events/", {"after": "5.0"}).status_code == 200

    def test_rows_with_an_equal_value_are_all_listed(self, api, post):
        """An import may give the same time to all rows of a batch."""
        post(body_of("ContactCreated", id=1))
        contact = Contact.objects.get()
        values = {
            field.attname: getattr(contact, field.attname)
            for field in Contact._meta.concrete_fields
            if field.name not in ("id", "key", "altoviz_id")
        }
        rows = [Contact(altoviz_id=id, key=f"default:{id}", **values) for id in range(2, 1252)]
        Contact.objects.bulk_create(rows)
        Contact.objects.update(synced_at=timezone.now())
        found = read_all(api, "contacts/", ordering="synced_at", page_size=500)
        assert len(found) == len({row["key"] for row in found}) == 1251

    def test_whole_objects_come_in_small_pages(self, api, post):
        for id in range(1, 53):
            post(body_of("ProductUpdated", id=id))
        page = read(api, "products/", expand="data", page_size=500)
        assert len(page["results"]) == 50 and page["next"]
        assert len(read_all(api, "products/", expand="data", page_size=500)) == 52

    @pytest.mark.parametrize("key", ["default:9", "default", "9", "a\0b", "x" * 5000, "default:é"])
    def test_an_unknown_key_is_not_found(self, api, key):
        assert api.get(f"{API}invoices/{key}/").status_code == 404

    def test_pages_are_stable_while_rows_come_in(self, api, post):
        for id in range(1, 8):
            post(body_of("ProductUpdated", id=id))
        page = read(api, "products/", page_size=3)
        post(body_of("ProductUpdated", id=99))
        post(body_of("ProductDeleted", id=1))
        seen = [product["altoviz_id"] for product in page["results"]]
        while page["next"]:
            page = api.get(page["next"]).json()
            seen += [product["altoviz_id"] for product in page["results"]]
        assert seen == [7, 6, 5, 4, 3, 2]

    def test_a_page_of_invoices_takes_few_queries(self, post, django_assert_num_queries):
        for id in range(1, 21):
            post(body_of("InvoiceUpdated", id=id, customerId=id))
            post(body_of("CustomerUpdated", id=id))
        client = client_with("view_invoice", "view_customer")
        with django_assert_num_queries(5):  # two for the permissions
            page = read(client, "invoices/", expand="customer,lines,data")
        assert all(invoice["customer"] and invoice["lines"] for invoice in page["results"])
        assert len(page["results"]) == 20

    @pytest.mark.parametrize("expand", ["customer,lines", "customer,lines,data"])
    def test_no_column_is_read_that_is_not_shown(self, post, expand):
        post(body_of("InvoiceUpdated", id=1, customerId=2))
        post(body_of("CustomerUpdated", id=2))
        client = client_with("view_invoice", "view_customer")
        with CaptureQueriesContext(connection) as captured:
            read(client, "invoices/", expand=expand)
        hidden = {"search_text", "fingerprint"} | ({"data"} if "data" not in expand else set())
        read_columns = {*re.findall(r"[\"`](\w+)[\"`]", " ".join(q["sql"] for q in captured))}
        assert not hidden & read_columns
        assert "tax_included_amount" in read_columns

    def test_a_page_with_lines_is_not_as_long_as_one_without(self, api, post):
        for id in range(1, 103):
            post(body_of("QuoteUpdated", id=id, lines=[]))
        lengths = [
            len(read(api, "quotes/", page_size=500, **options)["results"])
            for options in ({}, {"expand": "lines"}, {"expand": "lines,data"})
        ]
        assert lengths == [102, 100, 50]


class TestConditionalRequests:
    @pytest.mark.parametrize("path", ["products/", "products/default:5/"])
    def test_what_has_not_changed_is_not_sent_again(self, api, post, path):
        post(body_of("ProductUpdated", id=5))
        etag = api.get(f"{API}{path}")["ETag"]
        again = api.get(f"{API}{path}", headers={"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
        post(body_of("ProductUpdated", id=5, name="New"))
        assert api.get(f"{API}{path}", headers={"If-None-Match": etag}).status_code == 200


class TestPermissions:
    PATHS = ["customers", "contacts", "products", "invoices", "quotes", "events", "syncs"]

    @pytest.mark.parametrize("path", PATHS)
    def test_of_the_model_are_needed(self, path, post):
        post(body_of("CustomerUpdated"))
        assert APIClient().get(f"{API}{path}/").status_code in (401, 403)
        name = {"events": "webhookevent", "syncs": "syncrun"}.get(path, path[:-1])
        read(
            client_with("view_webhookevent" if path != "events" else "view_customer"),
            f"{path}/",
            403,
        )
        read(client_with(f"view_{name}"), f"{path}/")

    def test_an_invoice_does_not_show_its_customer_to_everybody(self, post):
        post(body_of("InvoiceUpdated"))
        client = client_with("view_invoice")
        assert "lines" in read(client, "invoices/", expand="lines")["results"][0]
        read(client, "invoices/", 403, expand="customer")

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    def test_nothing_can_be_written(self, api, post, method):
        post(body_of("CustomerUpdated", id=5))
        for path in ("customers/", "customers/default:5/", "events/"):
            assert getattr(api, method)(f"{API}{path}", {}).status_code == 405
        assert Customer.objects.count() == 1


class TestEvents:
    def test_are_listed_in_order_without_their_content(self, api, post):
        post(body_of("CustomerUpdated", "evt_1", id=5, name="Zoé"))
        post(b"nonsense")
        first, second = read(api, "events/")["results"]
        assert (first["event_id"], first["object_key"], first["status"]) == (
            "evt_1",
            "default:5",
            "processed",
        )
        assert (second["status"], second["object_key"]) == ("malformed", None)
        assert not {"body", "error", "changes", "content"} & first.keys()

    @pytest.mark.parametrize(
        ("permissions", "is_shown"),
        [
            (["view_webhookevent"], False),
            (["view_webhookevent", "view_customer"], True),
            (["view_webhookevent", "view_invoice"], False),
            (["view_webhookevent", "view_webhookevent_content"], True),
        ],
    )
    def test_show_their_content_to_those_who_may_view_the_object(self, post, permissions, is_shown):
        post(body_of("CustomerUpdated", id=5, name="Zoé"))
        post(b"nonsense")
        first, second = read(client_with(*permissions), "events/", expand="content")["results"]
        assert (first["content"] is not None) == is_shown
        assert (first["business_signals"] is not None) == is_shown
        if is_shown:
            assert "Zoé" in first["content"]["body"]
        sees_all = "view_webhookevent_content" in permissions
        assert (second["content"] is not None) == sees_all

    def test_mask_our_secrets_on_every_path(self, api, post):
        secret = SECRETS["default"]
        post(body_of("InvoiceUpdated", id=7, subject="old"))
        post(body_of("InvoiceUpdated", id=7, subject=secret, odd={secret: [secret]}))
        event = WebhookEvent.objects.latest("pk")
        event.error, event.history = secret, [{"error": f"no {secret}"}]
        event.save()
        SyncRun.objects.create(
            account="default", entity="invoice", as_of=0, is_import=False, error=secret
        )
        for path in (
            "events/?expand=content",
            f"events/{event.pk}/?expand=content",
            "invoices/?expand=data,lines",
            "invoices/default:7/?expand=data",
            "syncs/",
            "status/",
        ):
            text = api.get(f"{API}{path}").content.decode()
            assert MASK in text, path
            assert secret not in text, path

    def test_take_few_queries(self, post, django_assert_num_queries):
        for id in range(1, 21):
            post(body_of("CustomerUpdated", id=id))
        client = client_with("view_webhookevent", "view_webhookevent_content")
        with django_assert_num_queries(5):  # two for the permissions, two for where to go on
            assert len(read(client, "events/", expand="content")["results"]) == 20

    def test_can_be_followed_without_a_gap(self, api, post):
        """Events that are not settled, and events of the last minute, come again."""
        for id in range(1, 6):
            post(body_of("CustomerUpdated", id=id))
        numbers = list(WebhookEvent.objects.order_by("pk").values_list("pk", flat=True))
        page = read(api, "events/", page_size=3)
        assert page["next_after"] is None
        page = api.get(page["next"]).json()
        assert (page["next"], page["next_after"]) == (None, numbers[0] - 1)
        long_ago = timezone.now() - datetime.timedelta(hours=1)
        WebhookEvent.objects.update(received_at=long_ago)
        assert read(api, "events/")["next_after"] == numbers[-1]
        assert read(api, "events/", after=numbers[-1])["next_after"] == numbers[-1]
        WebhookEvent.objects.filter(pk=numbers[2]).update(status=Status.FAILED)
        page = read(api, "events/", after=numbers[3])
        assert page["next_after"] == numbers[2] - 1
        assert [event["id"] for event in page["results"]] == numbers[4:]
        assert "next_after" not in read(api, "events/", ordering="-id")

    def test_an_event_that_settles_between_two_pages_comes_again(self, api, post):
        for id in range(1, 4):
            post(body_of("CustomerUpdated", id=id))
        long_ago = timezone.now() - datetime.timedelta(hours=1)
        WebhookEvent.objects.update(received_at=long_ago)
        first, *_rest = WebhookEvent.objects.order_by("pk")
        WebhookEvent.objects.filter(pk=first.pk).update(status=Status.FAILED)
        page = read(api, "events/", page_size=1)
        WebhookEvent.objects.filter(pk=first.pk).update(status=Status.DEAD)
        while page["next"]:
            page = api.get(page["next"]).json()
        assert page["next_after"] == first.pk - 1
        assert read(api, "events/", after=first.pk - 1)["results"][0]["status"] == "dead"

    def test_are_processed_again_by_those_who_may(self, post, deferred):
        post(body_of("CustomerUpdated", id=5))
        path = f"{API}events/{WebhookEvent.objects.get().pk}/process/"
        assert client_with("view_webhookevent").post(path).status_code == 403
        assert client_with("process_webhookevent").post(path).status_code == 403
        may_process = client_with("view_webhookevent", "process_webhookevent")
        answer = may_process.post(path)
        assert (answer.status_code, answer.json()["outcome"]) == (200, "processed")
        assert Customer.objects.get().altoviz_id == 5
        assert may_process.post(path, {"from_scratch": True}).status_code == 403
        may_replay = client_with("view_webhookevent", "replay_webhookevent")
        assert may_replay.post(path, {"from_scratch": True}).json()["outcome"] == "processed"
        assert may_process.post(path, {"from_scratch": "perhaps"}).status_code == 400
        assert may_process.get(path).status_code == 405

    def test_that_can_not_be_processed_are_refused_with_the_reason(self, api, post):
        post(b"nonsense")
        answer = api.post(f"{API}events/{WebhookEvent.objects.get().pk}/process/")
        assert answer.status_code == 409
        assert answer.json()["description"] == "malformed body"
        assert api.post(f"{API}events/999999/process/").status_code == 404


def test_the_status_is_what_the_command_gives(api, post, django_assert_max_num_queries):
    post(body_of("InvoiceUpdated", taxIncludedAmount=120, date=f"{timezone.localdate():%Y-%m-01}"))
    out = StringIO()
    call_command("altoviz_status", "--format", "json", stdout=out)
    with django_assert_max_num_queries(25):
        found = read(api, "status/")["accounts"]
    assert found == json.loads(out.getvalue())["accounts"]
    reader = client_with("view_overview")
    assert [[*account] for account in read(reader, "status/")["accounts"]] == [
        ["account", "altoviz"],
        ["account", "altoviz"],
    ]
    reader = client_with("view_overview", "view_rejection", "view_syncrun", "view_invoice")
    shown = read(reader, "status/")["accounts"][0]
    assert [*shown] == ["account", "rejected", "syncs", "months", "altoviz"]
    read(client_with("view_webhookevent"), "status/", 403)


class TestSyncs:
    @pytest.fixture
    def fake(self, settings):
        with FakeAltoviz() as fake:
            settings.ALTOVIZ = settings.ALTOVIZ | fake.settings
            yield fake

    def test_are_started_by_those_who_may(self, fake):
        fake.customers.create(name="Fonderie")
        path = f"{API}syncs/"
        assert client_with("view_syncrun").post(path).status_code == 403
        client = client_with("view_syncrun", "start_sync")
        answer = client.post(path)
        assert (answer.status_code, answer.json()) == (
            200,
            {"account": "default", "outcome": "done"},
        )
        assert Customer.objects.get().name == "Fonderie"
        assert client.post(path, {"account": "nobody"}).json()["account"]

    def test_that_are_taken_over_say_so(self, fake):
        customer = fake.customers.create(name="Fonderie")
        client = client_with("view_syncrun", "start_sync")
        assert client.post(f"{API}syncs/").json()["outcome"] == "done"
        fake.customers.change(customer["id"], name="Fonderie Brûlé")

        def take_over(**kwargs):
            SyncRun.objects.filter(finished_at=None).update(claims=F("claims") + 1)

        customer_updated.connect(take_over, dispatch_uid="takes over")
        try:
            answer = client.post(f"{API}syncs/")
        finally:
            customer_updated.disconnect(dispatch_uid="takes over")
        assert answer.status_code == 409
        assert answer.json()["detail"].startswith("Another process has taken over sync")

    def test_that_can_not_start_say_why(self, api, fake, settings):
        SyncRun.objects.create(account="default", entity="invoice", as_of=0, is_import=False)
        assert api.post(f"{API}syncs/").status_code == 409
        SyncRun.objects.all().delete()
        settings.ALTOVIZ = settings.ALTOVIZ | {"ACCOUNTS": {"acme": None}}
        assert api.post(f"{API}syncs/", {"account": "acme"}).status_code == 503
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": ""}
        answer = api.post(f"{API}syncs/")
        assert answer.status_code == 503
        assert "API_KEY" in answer.json()["detail"]


def test_syncs_are_listed_with_their_state(api):
    SyncRun.objects.create(
        account="default", entity="invoice", as_of=0, is_import=False, error="no network"
    )
    (run,) = read(api, "syncs/")["results"]
    assert (run["state"], run["error"], run["entity"]) == ("stopped", "no network", "invoice")
    assert read(api, f"syncs/{run['id']}/") == run
