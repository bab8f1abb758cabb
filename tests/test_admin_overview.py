"""The overview in the admin: it shows what the reader may see, and never waits for Altoviz."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from django_altoviz.event_types import EventType
from django_altoviz.models import Invoice, Rejection, Status, SyncRun, WebhookEvent
from django_altoviz.testing import FakeAltoviz
from tests.conftest import SECRETS, body_of
from tests.test_admin import LOGIN_QUERIES, client_of, html, links, listed, store
from tests.test_remote import URL, altoviz, registered  # noqa: F401  a fixture

pytestmark = pytest.mark.django_db

PAGE = reverse("admin:django_altoviz_overview_changelist")
ACT = reverse("admin:django_altoviz_overview_act")
VIEW = ["view_overview", "view_webhookevent", "view_rejection", "view_syncrun", "view_invoice"]
OPERATE = ["ask_altoviz", "register_webhook", "start_sync", "process_webhookevent"]
#: What all accounts together take, and each account for itself: its last event and its last syncs.
QUERIES, OF_ACCOUNT = 9, 2


@pytest.fixture(autouse=True)
def nothing_asked():
    cache.clear()


@pytest.fixture
def viewer():
    return client_of("viewer", *VIEW)


@pytest.fixture
def operator():
    return client_of("operator", *VIEW, *OPERATE)


def asked(client):
    answer = client.post(ACT, {"action": "ask"})
    assert answer.status_code == 200
    return answer.content.decode()


def text_of(page):
    """Return the text of a page, with one space between words."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def invoice_of(**values):
    return Invoice.objects.create(
        altoviz_id=1,
        account="default",
        key="default:1",
        last_event_id=0,
        synced_at=timezone.now(),
        data={},
        date=timezone.localdate(),
        **values,
    )


class TestPage:
    def test_shows_each_account_without_asking_altoviz(self, altoviz, post, viewer):  # noqa: F811
        post(EventType.CUSTOMER_CREATED)
        altoviz.requests.clear()
        text = text_of(html(viewer, PAGE))
        assert altoviz.requests == []
        assert text.count("Not asked yet.") == 2
        default, acme = text.split("Account “acme”")
        assert "Last delivery never" not in default
        assert "Last delivery never" in acme
        assert "This account was never synced." in acme

    @pytest.mark.parametrize("language", ["en", "fr"])
    def test_loads_in_each_language(self, samples, operator, language):
        html(operator, PAGE, headers={"Accept-Language": language})

    def test_loads_without_time_zones(self, viewer, settings):
        settings.USE_TZ = False
        html(viewer, PAGE)

    def test_links_to_the_lists_of_what_it_counts(self, post, deferred, viewer):
        for number in range(3):
            post(body_of("CustomerUpdated", id=number + 1))
        post(body_of("CustomerUpdated", id=9), account="acme")
        store(b"1", status=Status.DEAD, conflicts_with=1, type="CustomerUpdated")
        Rejection.objects.create(
            account="default",
            day=timezone.now().date(),
            status_code=413,
            answer="too large",
            deliveries=7,
            last_at=timezone.now(),
        )
        page = html(viewer, PAGE)
        assert "of these, another body under a known id 1" in text_of(page)
        found = [link for link in links(page) if "status__exact=pending" in link]
        assert [len(listed(viewer, link)) for link in found] == [3, 1]
        Rejection.objects.create(
            account="default",
            day=timezone.now().date() - datetime.timedelta(days=7),
            status_code=413,
            answer="too large",
            deliveries=5,
            last_at=timezone.now(),
        )
        (rejected,) = [link for link in links(page) if "answer=" in link]
        assert [row.deliveries for row in listed(viewer, rejected)] == [7]

    @pytest.mark.parametrize("status", [Status.DEAD, Status.MALFORMED])
    def test_links_to_no_pruned_events_where_it_counts_none(self, viewer, status):
        kept = store(b"1", status=status)
        store(b"2", status=status, pruned_at=timezone.now())
        page = html(viewer, PAGE)
        (link, *_other_account) = [each for each in links(page) if f"={status.value}" in each]
        assert listed(viewer, link) == [kept]

    def test_counts_the_deliveries_for_accounts_that_do_not_exist(self, post, viewer):
        text = "Deliveries for unknown accounts in 7 days: 1"
        assert text not in html(viewer, PAGE)
        post(EventType.CUSTOMER_CREATED, path="/altoviz/webhook/nobody/")
        assert text in html(viewer, PAGE)
        assert text not in html(client_of("other", "view_overview"), PAGE)

    def test_shows_the_last_syncs_with_what_they_found(self, viewer):
        values = {"account": "default", "as_of": 0, "is_import": False}
        done = {"finished_at": timezone.now()}
        SyncRun.objects.create(entity="customer", changed=1200, failed=2, **values, **done)
        SyncRun.objects.create(entity="invoice", error="<b>Down</b>", **values)
        SyncRun.objects.create(entity="quote", new=5, **values | done | {"is_import": True})
        page = html(viewer, PAGE)
        text = text_of(page)
        assert re.search(r"customer done .* 1,?200, 2 failed", text)
        assert re.search(r"invoice stopped .* 0 <b>Down</b>", text)
        assert "first sync: 5" in text
        assert "<b>Down" not in page

    def test_shows_amounts_only_to_those_who_may_view_invoices(self, viewer):
        invoice_of(tax_included_amount=Decimal("1234.50"), balance=0)
        page = html(viewer, PAGE)
        assert "1,234.50" in page or "1234.50" in page
        cache.clear()
        page = html(client_of("other", "view_overview", "view_webhookevent"), PAGE)
        assert "1234.50" not in page.replace(",", "")
        assert "Last syncs" not in page
        assert "Rejected deliveries" not in page

    def test_needs_a_permission(self):
        client = client_of("reader", *set(VIEW) - {"view_overview"})
        assert client.get(PAGE).status_code == 403
        assert (
            client.get(reverse("admin:django_altoviz_overview_change", args=["x"])).status_code
            == 403
        )
        assert "overview" not in html(client, reverse("admin:index"))

    def test_without_the_permission_to_view_events_shows_none(self, post):
        post(EventType.CUSTOMER_CREATED)
        page = html(client_of("reader", "view_overview"), PAGE)
        assert "Last delivery" not in page
        assert "altoviz-hours" not in page

    def test_takes_a_fixed_number_of_queries(self, bring, viewer, django_assert_num_queries):
        with django_assert_num_queries(LOGIN_QUERIES + QUERIES + 2 * OF_ACCOUNT):
            html(viewer, PAGE)
        for event_type in EventType:
            bring(event_type)
        WebhookEvent.objects.update(status=Status.PENDING)
        cache.clear()
        with django_assert_num_queries(LOGIN_QUERIES + QUERIES + 2 * OF_ACCOUNT):
            html(viewer, PAGE)
        # The numbers of the charts are kept for a minute.
        with django_assert_num_queries(LOGIN_QUERIES + QUERIES - 2 + 2 * OF_ACCOUNT):
            html(viewer, PAGE)

    def test_an_account_that_is_gone_is_shown_without_buttons(self, post, deferred, operator):
        post(EventType.CUSTOMER_CREATED)
        WebhookEvent.objects.update(account="former")
        page = html(operator, PAGE)
        assert "Account “former”" in page
        assert 'name="account" value="acme"' in page
        assert 'name="account" value="former"' not in page

    def test_is_the_first_thing_in_the_index_of_the_app(self, viewer):
        for page in ("admin:index", "admin:app_list"):
            args = ["django_altoviz"] if page.endswith("list") else []
            assert PAGE in links(html(viewer, reverse(page, args=args)))
        index = html(viewer, reverse("admin:app_list", args=["django_altoviz"]))
        assert index.index("altoviz-lead") < index.index("<table")
        assert links(index[index.index("altoviz-lead") :])[0] == PAGE

    def test_has_no_script_and_no_style_in_it(self, post, operator):
        post(EventType.CUSTOMER_CREATED)
        page = html(operator, PAGE)
        content = page[page.index('id="content"') : page.index('id="footer"')]
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", content)


class TestAsk:
    def test_shows_the_key_the_company_and_the_webhooks(self, altoviz, operator):  # noqa: F811
        registered(altoviz)
        altoviz.webhooks.register(
            "https://user:s3cret@n8n.example/<script>alert(1)</script>?token=t0ken",
            "theirs",
            name="<script>alert('x')</script>",
        )
        for page in (asked(operator), html(operator, PAGE)):
            text = text_of(page)
            assert "API key valid" in text
            assert "Webhook right" in text
            assert "not this app's" in text
            assert "<script>alert" not in page
            assert not [
                each
                for each in ("s3cret", "t0ken", altoviz.api_key, SECRETS["default"])
                if each in page
            ]
        assert "API key missing" in text
        assert LogEntry.objects.filter(change_message="Ask Altoviz now: valid").count() == 1

    def test_shows_what_differs(self, altoviz, operator):  # noqa: F811
        registered(altoviz, types=["InvoiceCreated"], secret="another")
        assert "differs in types, secretKey" in text_of(asked(operator))

    def test_a_secret_that_altoviz_shows_elsewhere_is_masked(self, altoviz, operator):  # noqa: F811
        altoviz.webhooks.register(URL, "s", name=f"my {SECRETS['default']}")
        assert SECRETS["default"] not in asked(operator)

    @pytest.mark.parametrize(
        ("fault", "text"),
        [
            ("reset", "can&#x27;t be reached"),
            (401, "does not accept the API key of account “default”"),
            (500, "failed"),
        ],
    )
    def test_a_fault_is_explained(self, altoviz, operator, fault, text):  # noqa: F811
        altoviz.fail_next(*[fault] * 3)
        assert text in asked(operator)
        assert text in html(operator, PAGE)

    def test_two_companies_are_told_apart(self, altoviz, operator, settings):  # noqa: F811
        with FakeAltoviz(api_key="1f4e0000-fa4e-4000-8000-000000000000") as other:
            acme = settings.ALTOVIZ["ACCOUNTS"]["acme"] | other.settings | {"API_KEY": "wrong"}
            settings.ALTOVIZ = settings.ALTOVIZ | {"ACCOUNTS": {"acme": acme}}
            default, acme = text_of(asked(operator)).split("Account “acme”", 1)
        assert "API key valid" in default
        assert "API key refused" in acme

    def test_an_unknown_action_is_not_found(self, operator):
        assert operator.post(ACT, {"action": "explode"}).status_code == 404


def test_an_event_of_a_status_that_is_not_known_is_left_out(viewer):
    event = store(b"1")
    WebhookEvent.objects.filter(pk=event.pk).update(status="archived")
    html(viewer, PAGE)
