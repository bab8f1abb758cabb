"""The admin pages show everything and change nothing, whatever Altoviz has sent."""

from __future__ import annotations

import datetime
import json
import re
import struct
import urllib.parse
from collections import Counter
from html import escape, unescape

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.admin import InvoiceAdmin, base
from django_altoviz.admin.display import details, rendering, values
from django_altoviz.admin.display.rendering import Renderer
from django_altoviz.admin.filters import DeletedFilter
from django_altoviz.event_types import Entity, EventType
from django_altoviz.exceptions import GiveUp
from django_altoviz.intake.envelopes import body_to_text
from django_altoviz.masking import MASK, SecretMask
from django_altoviz.models import (
    MIRRORS,
    Credit,
    Customer,
    Document,
    Invoice,
    InvoiceLine,
    Product,
    Quote,
    ReceiverRun,
    Status,
    WebhookEvent,
)
from django_altoviz.models.mirrors.base import dump_changes
from django_altoviz.processing import process
from django_altoviz.samples import sample
from django_altoviz.signals import customer_created, customer_updated, invoice_updated
from tests.conftest import SECRETS, body_of, find_difference

pytestmark = pytest.mark.django_db

ADMINS = [WebhookEvent, *MIRRORS.values()]
EVENTS = reverse("admin:django_altoviz_webhookevent_changelist")
LOGIN_QUERIES = 4  # the session, the user, the user's and the groups' permissions
EVIL = "<script>alert('x')</script>"


def client_of(name, *codenames):
    """Log in a new user who has only these permissions."""
    user = User.objects.create(username=name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


VIEW = [f"view_{model._meta.model_name}" for model in ADMINS]


@pytest.fixture
def viewer():
    """A client whose user may view all pages and do nothing else."""
    return client_of("viewer", *VIEW)


@pytest.fixture
def operator():
    return client_of("operator", *VIEW, "process_webhookevent")


def list_of(model, **query):
    return reverse(f"admin:django_altoviz_{model._meta.model_name}_changelist", query=query)


def page_of(row):
    return reverse(f"admin:django_altoviz_{row._meta.model_name}_change", args=[row.pk])


def body_page_of(event):
    return reverse("admin:django_altoviz_webhookevent_body", args=[event.pk])


def html(client, url, **extra):
    response = client.get(url, **extra)
    assert response.status_code == 200, (response.status_code, url, response.get("Location"))
    page = response.content.decode()
    # A browser ignores a form within a form, and its button then submits the outer one.
    assert re.fullmatch(r"(<form\b</form>)*", "".join(re.findall(r"<form\b|</form>", page)))
    return page


def listed(client, url):
    """Return the rows on a list page."""
    response = client.get(url)
    assert response.status_code == 200, response.get("Location")
    return list(response.context["cl"].result_list)


def links(page):
    return [link.replace("&amp;", "&") for link in re.findall(r'<a href="([^"]*)"', page)]


def store(body=b"{}", **values):
    """Save an event with these values, without processing it."""
    event = WebhookEvent.from_delivery(body, values.pop("account", "default"), {})
    for name, value in values.items():
        setattr(event, name, value)
    event.save()
    return event


def post_invoice(post, number_of_lines=1, **data):
    """Post an InvoiceUpdated and return the newest invoice."""
    line = sample(EventType.INVOICE_UPDATED).data["lines"][1]
    lines = [line | {"productId": 100 + number} for number in range(number_of_lines)]
    post(body_of("InvoiceUpdated", **{"lines": lines, **data}))
    return Invoice.with_deleted.order_by("pk").last()


# Every page loads


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_page_of_every_sample_loads_for_a_viewer(samples, viewer, language):
    rows = [*WebhookEvent.objects.all()]
    rows += [row for model in MIRRORS.values() for row in model.with_deleted.all()]
    assert {type(row) for row in rows} == set(ADMINS)
    for row in rows:
        html(viewer, page_of(row), headers={"Accept-Language": language})
    for model in ADMINS:
        html(viewer, list_of(model), headers={"Accept-Language": language})


def test_an_empty_event_is_shown(viewer):
    page = html(viewer, page_of(store(b"", arrival={})))
    assert "malformed" in page


def test_the_page_of_an_event_shows_all_of_it(post, viewer):
    customer_created.connect(handles, Customer)
    try:
        post(body_of("CustomerCreated", name="Zoé Brûlé"), headers={"User-Agent": "Altoviz/1"})
    finally:
        customer_created.disconnect(handles, Customer)
    event = WebhookEvent.objects.get()
    page = html(viewer, page_of(event))
    for expected in [
        event.event_id,
        str(event.dedupe_key),
        ReceiverRun.objects.get().receiver,
        '<span class="altoviz-key">&quot;name&quot;</span>: &quot;Zoé Brûlé&quot;',
        "<td>name</td><td>—</td><td>Zoé Brûlé</td>",
        "<td>active</td><td>—</td><td>yes</td>",
        "<td>processed</td>",
    ]:
        assert expected in page, expected


def handles(**kwargs):
    pass


def test_an_event_of_an_unknown_type_is_shown(post, viewer):
    post({"id": "evt_1", "type": "ReceiptCreated", "data": {"id": 7}})
    event = WebhookEvent.objects.get()
    assert "ReceiptCreated" in html(viewer, page_of(event))
    assert "ReceiptCreated" in html(viewer, EVENTS)


# Nothing can be changed


@pytest.mark.parametrize("model", ADMINS)
def test_not_even_a_superuser_can_add_change_or_delete(post, samples, admin_client, model):
    row = (WebhookEvent.with_pruned if model is WebhookEvent else model.with_deleted).first()
    before = model._base_manager.filter(pk=row.pk).values().get()
    add = reverse(f"admin:django_altoviz_{model._meta.model_name}_add")
    delete = reverse(f"admin:django_altoviz_{model._meta.model_name}_delete", args=[row.pk])
    for url in (add, delete):
        assert admin_client.get(url).status_code == 403
    for url in (add, page_of(row), delete):
        assert admin_client.post(url, {"account": "acme", "post": "yes"}).status_code == 403
    delete_selected = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
    admin_client.post(list_of(model), delete_selected)
    assert model._base_manager.filter(pk=row.pk).values().get() == before


def test_the_lines_of_an_invoice_can_not_be_changed(post, admin_client):
    row = post_invoice(post, 2)
    line = InvoiceLine.objects.first()
    data = {
        "lines-TOTAL_FORMS": 1,
        "lines-INITIAL_FORMS": 1,
        "lines-0-id": line.pk,
        "lines-0-DELETE": "on",
        "lines-0-quantity": 99,
    }
    assert admin_client.post(page_of(row), data).status_code == 403
    assert InvoiceLine.objects.filter(pk=line.pk, quantity=line.quantity).exists()


@pytest.mark.parametrize("model", ADMINS)
def test_without_the_view_permission_nothing_is_shown(samples, model):
    client = client_of("nobody")
    row = (WebhookEvent.with_pruned if model is WebhookEvent else model.with_deleted).first()
    assert client.get(list_of(model)).status_code == 403
    assert client.get(page_of(row)).status_code == 403
    assert Client().get(list_of(model)).status_code == 302


class TestContentOfEvents:
    """Nothing about an object is shown to users who may view events, but not the object."""

    SECRET = "Élodie Marchand"

    @pytest.fixture
    def event(self, post):
        post(body_of("CustomerCreated", name=self.SECRET))

        def fail(sender, instance, **kwargs):
            raise GiveUp(f"no match for {instance.name}")

        customer_updated.connect(fail)
        try:
            post(body_of("CustomerUpdated", name=f"{self.SECRET} 2"))
        finally:
            customer_updated.disconnect(fail)
        return WebhookEvent.objects.latest("pk")

    def pages(self, client, event):
        body = reverse("admin:django_altoviz_webhookevent_body", args=[event.pk])
        return [client.get(url) for url in (EVENTS, page_of(event), body)]

    @pytest.mark.parametrize("also", [[], ["view_invoice"], ["process_webhookevent"]])
    def test_is_hidden_from_those_who_may_only_view_events(self, event, also):
        *pages, download = self.pages(client_of("operator", "view_webhookevent", *also), event)
        assert [page.status_code for page in pages] == [200, 200]
        assert download.status_code == 403
        page = unescape(pages[1].content.decode())
        assert not any("Marchand" in unescape(each.content.decode()) for each in pages)
        assert page.count("Hidden: you may not view the object") == 6
        assert "Updated" in page

    @pytest.mark.parametrize("also", ["view_customer", "view_webhookevent_content"])
    def test_is_shown_with_the_permission_for_the_object_or_for_all(self, event, also):
        *_, page, download = self.pages(client_of("operator", "view_webhookevent", also), event)
        text = unescape(page.content.decode())
        assert "Hidden" not in text
        assert self.SECRET in text
        assert self.SECRET in download.content.decode()

    def test_of_an_unknown_kind_may_be_of_any_kind(self, post):
        post(self.SECRET.encode())
        event = WebhookEvent.objects.get()
        kinds = [f"view_{model._meta.model_name}" for model in MIRRORS.values()]
        for number, (codenames, status) in enumerate(
            [
                (kinds[:-1], 403),
                (kinds, 200),
                (["view_webhookevent_content"], 200),
            ]
        ):
            client = client_of(f"operator{number}", "view_webhookevent", *codenames)
            *_, page, download = self.pages(client, event)
            assert download.status_code == status
            assert ("Marchand" in page.content.decode()) == (status == 200)

    def test_is_hidden_if_the_project_hides_the_object_by_a_rule_of_its_own(
        self, event, monkeypatch
    ):
        client = client_of("operator", "view_webhookevent", "view_customer")
        page_of_customers = admin.site.get_model_admin(Customer)
        monkeypatch.setattr(page_of_customers, "has_view_permission", lambda *args: False)
        *_, page, download = self.pages(client, event)
        assert "Marchand" not in unescape(page.content.decode())
        assert download.status_code == 403


# The list of events


def test_the_number_of_queries_of_the_event_list_does_not_grow(
    post, viewer, django_assert_num_queries
):
    for count in (3, 27):
        for number in range(count):
            post(body_of("InvoiceUpdated", id=1000 + number))
        with django_assert_num_queries(LOGIN_QUERIES + 4):
            html(viewer, EVENTS)
    assert len(listed(viewer, EVENTS)) == 30


def test_the_list_of_events_does_not_read_the_bodies(samples, viewer):
    event = listed(viewer, EVENTS)[0]
    deferred = {"body", "changes", "history", "arrival", "error"}
    assert event.get_deferred_fields() == deferred


def test_events_are_listed_latest_first(samples, viewer):
    pks = [event.pk for event in listed(viewer, EVENTS)]
    assert pks == sorted(pks, reverse=True)


def test_an_event_in_the_list_links_to_its_object(post, viewer):
    post(EventType.INVOICE_DELETED)
    post(EventType.CONTACT_CREATED)
    for event in listed(viewer, EVENTS):
        [link] = [link for link in links(html(viewer, EVENTS)) if str(event.object_id) in link]
        row = viewer.get(link).context["original"]
        assert (type(row), row.altoviz_id) == (MIRRORS[Entity(event.entity)], event.object_id)


def test_the_link_to_an_object_that_is_not_mirrored_says_so(viewer):
    store(body_of("InvoiceUpdated", id=77), status=Status.PENDING)
    [link] = [link for link in links(html(viewer, EVENTS)) if "/invoice/default" in link]
    response = viewer.get(link, follow=True)
    assert "doesn’t exist" in response.content.decode()


def test_a_model_without_admin_pages_gets_no_link():
    event_admin = admin.site.get_model_admin(WebhookEvent)
    assert event_admin.link(ReceiverRun, "change", "a < b", 1) == "a < b"


def test_pruned_events_stay_listed_and_are_marked(post, viewer):
    post(EventType.INVOICE_CREATED)
    WebhookEvent.objects.update(body="", pruned_at=timezone.now())
    [event] = listed(viewer, EVENTS)
    assert "processed (pruned)" in html(viewer, EVENTS)
    page = html(viewer, page_of(event))
    assert "Pruned." in page
    assert body_page_of(event) not in page
    assert viewer.get(body_page_of(event)).status_code == 404


# Filters and search of the events


def test_every_filter_of_the_events_works(post, viewer):
    post(EventType.INVOICE_CREATED)
    post(EventType.CUSTOMER_CREATED)
    post({"id": "evt_x", "type": "ReceiptCreated", "data": {}}, account="acme")
    post(b"no JSON")
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    for query, count in [
        ({"status__exact": "malformed"}, 1),
        ({"type": "InvoiceCreated"}, 1),
        ({"type": "other"}, 2),
        ({"type": "nonsense"}, 0),
        ({"entity__exact": "customer"}, 1),
        ({"source__exact": "webhook"}, 4),
        ({"source__exact": "sync"}, 0),
        ({"account": "acme"}, 1),
        ({"account": "gone"}, 0),
        ({"received_at__gte": today.isoformat()}, 4),
        ({"received_at__lt": today.isoformat()}, 0),
    ]:
        assert len(listed(viewer, list_of(WebhookEvent, **query))) == count, query


def test_the_type_filter_offers_all_known_types(viewer):
    page = html(viewer, EVENTS)
    for event_type in EventType:
        assert f"?type={event_type}" in page
    assert "?type=other" in page


def test_the_account_filter_is_hidden_if_there_is_one_account(viewer, settings):
    assert "?account=acme" in html(viewer, EVENTS)
    settings.ALTOVIZ = {"WEBHOOK_SECRET": "s"}
    assert "?account=" not in html(viewer, EVENTS)


def test_the_account_is_shown_only_if_there_are_several(post, viewer, settings):
    post(EventType.CUSTOMER_CREATED)
    pages = [EVENTS, list_of(Customer)]
    assert all("column-account" in html(viewer, page) for page in pages)
    assert "field-account" in html(viewer, page_of(Customer.objects.get()))
    settings.ALTOVIZ = {"WEBHOOK_SECRET": SECRETS["default"]}
    assert not any("column-account" in html(viewer, page) for page in pages)
    page = html(viewer, page_of(Customer.objects.get()))
    assert "field-account" not in page
    assert "account=" not in page
    # The rows of an account that is no longer configured are told apart from the others.
    WebhookEvent.objects.update(account="acme")
    Customer.objects.update(account="acme")
    assert all("column-account" in html(viewer, page) for page in pages)
    page = html(viewer, page_of(Customer.objects.get()))
    assert "field-account" in page
    assert "account=acme" in page


def test_a_link_to_a_former_account_still_filters(viewer, settings):
    store(account="acme")
    store(account="default")
    settings.ALTOVIZ = {"WEBHOOK_SECRET": "s"}
    assert [e.account for e in listed(viewer, f"{EVENTS}?account=acme")] == ["acme"]
    assert [e.account for e in listed(viewer, f"{EVENTS}?account=default")] == ["default"]


def test_events_are_found_by_their_id_and_by_their_object(samples, viewer):
    event = WebhookEvent.objects.filter(type="InvoiceUpdated").get()
    for term in (event.event_id, f"  {event.event_id} "):
        assert listed(viewer, list_of(WebhookEvent, q=term)) == [event]
    found = listed(viewer, list_of(WebhookEvent, q=event.object_id))
    assert [each.type for each in found] == ["InvoiceUpdated", "InvoiceCreated"]
    assert listed(viewer, list_of(WebhookEvent, q=event.event_id[:-1])) == []
    assert len(listed(viewer, list_of(WebhookEvent, q="  "))) == len(EventType)


ODD_TERMS = [
    "9" * 19,
    "9" * 40,
    "9" * 6000,
    "-1",
    "1.5",
    "٣٤",
    "²",
    "'",
    '"',
    "''",
    '"a',
    "%",
    "_",
    "\\",
    "a\x00b",
    "\x00",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "😀" * 300,
    "' OR 1=1 --",
    "x " * 3000,
    "\u2028\x1b",
]


def test_a_search_finds_only_full_ids(post, viewer):
    post(EventType.CUSTOMER_CREATED)
    post(EventType.INVOICE_CREATED)
    post(b"malformed, so without an object")
    for term in ("evt_7b6xmxd80iuymufhrr9e9f1ca", "418206"):
        assert len(listed(viewer, list_of(WebhookEvent, q=term))) == 1, term
    assert not listed(viewer, list_of(WebhookEvent, q="evt_"))


@pytest.mark.parametrize("model", ADMINS)
def test_any_text_can_be_searched_for(samples, viewer, model):
    for term in ODD_TERMS:
        html(viewer, list_of(model, q=term))


@pytest.mark.parametrize(
    "query",
    [
        {"account": "a\x00b"},
        {"object_id": "abc"},
        {"object_id": "9" * 30},
        {"event_id": "\x00"},
        {"nonsense": "1"},
        {"p": "999"},
        {"p": "x"},
        {"status__exact": "\x00"},
        {"id": "9" * 5000},
        {"received_at__year": "9" * 25},
        {"received_at__year": "99999"},
    ],
)
def test_odd_parameters_lead_back_to_the_list(viewer, query):
    store()
    assert viewer.get(list_of(WebhookEvent, **query)).status_code in (200, 302)


def test_a_lookup_that_the_database_does_not_know_leads_back_to_the_list(viewer):
    answer = viewer.get(list_of(Invoice, business_signals__contains="a"))
    assert answer.status_code in (200, 302)


@pytest.mark.parametrize("model", [Invoice, Quote, Credit])
@pytest.mark.parametrize(
    "query",
    [
        {"customer__exact": "9" * 25},
        {"customer": "9" * 25},
        {"date__year": "9" * 25},
        {"date__year": "99999"},
        {"date__gte": "10000-01-01"},
        {"sent_at__year": "0"},
    ],
)
def test_a_number_out_of_range_leads_back_to_the_list(bring, viewer, model, query):
    bring(EventType[f"{model.entity().name}_UPDATED"])
    response = viewer.get(list_of(model, **query), follow=True)
    assert response.status_code == 200
    if response.redirect_chain:
        assert response.redirect_chain == [(f"{list_of(model)}?e=1", 302)]


@pytest.mark.parametrize(
    "lookup", ["body__contains", "error__icontains", "changes__x", "business_signals__icontains"]
)
def test_a_lookup_in_a_deferred_column_is_refused(viewer, lookup):
    """Guard against a scan of the table, and against guessing a masked secret letter by letter."""
    assert viewer.get(list_of(WebhookEvent, **{lookup: "a"})).status_code == 400


@pytest.mark.parametrize("key", ["abc", "9" * 30, "9" * 5000, "0", "-1", "_00", "x/y"])
def test_an_unknown_event_has_no_page_and_no_body(viewer, key):
    response = viewer.get(reverse("admin:django_altoviz_webhookevent_change", args=[key]))
    assert response.status_code == 302
    assert viewer.get(f"{EVENTS}{key}/body/").status_code == 404


def test_a_list_counts_up_to_a_limit_and_says_so(viewer, monkeypatch, django_assert_num_queries):
    for _number in range(3):
        store(body_of("InvoiceUpdated"))
    monkeypatch.setattr(base, "MAX_COUNT", 3)
    page = html(viewer, EVENTS)
    assert "More than" not in page
    assert "3 results" in page
    monkeypatch.setattr(base, "MAX_COUNT", 2)
    response = viewer.get(EVENTS)
    assert response.context["cl"].result_count == 2
    page = response.content.decode()
    assert "More than 2 results." in page
    assert "More than 2 rows." in page
    assert "2 webhook events" not in page
    with django_assert_num_queries(LOGIN_QUERIES + 4) as captured:
        html(viewer, EVENTS)
    [count] = [q["sql"] for q in captured.captured_queries if "COUNT(" in q["sql"]]
    assert "LIMIT 3" in count
    assert "body" not in count


# Bodies


def test_a_body_is_downloaded_byte_for_byte(viewer):
    body = b'\xef\xbb\xbf{"a":\xff\x00\x1b \r\n'
    event = store(body)
    assert body_page_of(event) in html(viewer, page_of(event))
    response = viewer.get(body_page_of(event))
    assert response.content == body
    assert response["Content-Type"].startswith("text/plain")
    assert response["Content-Disposition"].startswith("attachment")
    assert response["X-Content-Type-Options"] == "nosniff"


def test_a_body_is_downloaded_only_by_users_who_may_view_events():
    url = body_page_of(store())
    assert client_of("nobody", "view_invoice").get(url).status_code == 403
    assert Client().get(url).status_code == 302


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"<script>", "&lt;script&gt;"),
        (b"caf\xe9 \x00", "caf\\xe9"),
        (b'{"id": "evt_1"', "{&quot;id&quot;: &quot;evt_1&quot;"),
        (b'\xef\xbb\xbf{"\xc3\xa9":[]}', "&quot;é&quot;</span>: []"),
        (b'{"id":"evt_1","type":"X","data":{"name":"\\ud800 \\u0000"}}', "\\ud800"),
    ],
)
def test_odd_bodies_are_shown_as_well_as_possible(viewer, body, shown):
    assert shown in html(viewer, page_of(store(body)))


@pytest.mark.parametrize("depth", [50, 400, 900, 3000, 100_000])
def test_a_deeply_nested_body_does_not_crash_the_page(viewer, depth):
    event = store()
    body = b'{"id":"evt_1","type":"X","data":' + b"[" * depth + b"]" * depth + b"}"
    WebhookEvent.objects.filter(pk=event.pk).update(body=body_to_text(body))
    page = html(viewer, page_of(event))
    assert "[" in page or "Too deeply nested" in page


def test_a_value_too_deep_to_be_indented_is_replaced_by_a_message():
    nested = []
    for _depth in range(100_000):
        nested = [nested]
    assert rendering.indented(nested) == "Too deeply nested to be shown."


def test_the_page_of_an_event_lists_its_business_signals(post, viewer):
    post(body_of("InvoiceUpdated", isDraft=False, sentAt="2026-11-20T10:00:00Z", isPaid=True))
    page = html(viewer, page_of(WebhookEvent.objects.get()))
    assert ">invoice finalised, invoice sent, invoice paid<" in page


def test_a_column_can_be_called_outside_a_page(post):
    post(EventType.CUSTOMER_CREATED)
    event, customer = WebhookEvent.objects.get(), Customer.objects.get()
    assert event.event_id in admin.site.get_model_admin(WebhookEvent).payload(event)
    assert "Brûlé" in admin.site.get_model_admin(Customer).complete_object(customer)


def test_an_override_in_a_subclass_runs_once(post, rf, admin_user):
    calls = []

    class OwnInvoiceAdmin(InvoiceAdmin):
        def changeform_view(self, *args, **kwargs):
            calls.append("page")
            return super().changeform_view(*args, **kwargs)

        def get_changelist_instance(self, request):
            calls.append("list")
            return super().get_changelist_instance(request)

    row, request = post_invoice(post), rf.get("/")
    request.user = admin_user
    own_admin = OwnInvoiceAdmin(Invoice, admin.site)
    own_admin.change_view(request, str(row.pk))
    own_admin.changelist_view(request)
    assert calls == ["page", "list"]


def test_the_page_of_a_huge_event_stays_small(post, viewer):
    post(body_of("InvoiceUpdated", subject='"<é' * 1_000_000))
    event = WebhookEvent.objects.get()
    assert len(event.body) > 3_000_000
    WebhookEvent.objects.update(error="<" * 3_000_000)
    page = html(viewer, page_of(event))
    assert len(page.encode()) < 1_000_000
    assert "more characters" in page


def test_the_page_of_a_body_of_five_megabytes_is_below_one(viewer):
    event = store(b'{"a": "' + b'"<&' * 1_700_000 + b'"}')
    assert len(html(viewer, page_of(event)).encode()) < 1_000_000


# Secrets


#: The ways in which JSON, URLs and HTML may spell a text.
SPELLINGS = [
    str,
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1].replace("/", r"\/"),
    lambda text: "".join(
        f"\\u{unit:04X}" for unit in struct.unpack(f">{len(text) + 1}H", text.encode("utf-16-be"))
    ),
    lambda text: json.dumps(json.dumps(text))[3:-3],
    lambda text: json.dumps(json.dumps(text, ensure_ascii=False).replace("/", r"\/"))[3:-3],
    urllib.parse.quote,
    urllib.parse.quote_plus,
    lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    escape,
    lambda text: "".join(f"&#{ord(character)};" for character in text),
    lambda text: "".join(f"&#x{ord(character):X};" for character in text),
]


class CountedReads(dict):
    """An account's settings that count how often each is read."""

    def __init__(self, *args):
        super().__init__(*args)
        self.reads = Counter()

    def get(self, name, default=None):
        self.reads[name] += 1
        return super().get(name, default)


class TestSecrets:
    """Altoviz once documented that every call includes the webhook's secret."""

    KEY = 'an API "key" with é'

    @pytest.fixture
    def secrets(self, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": self.KEY}
        return [*SECRETS.values(), self.KEY]

    def test_are_masked_on_every_page(self, post, viewer, secrets):
        for number, secret in enumerate(secrets):
            data = {"id": 7 + number, "name": "Zoé", "secretKey": secret}
            post({"id": f"evt_{number}", "type": "CustomerCreated", "key": secret, "data": data})
            store(f"no JSON: {secret}".encode(), error=f"no {secret}", arrival={"key": secret})
            history = [{"at": "2026-11-25T10:00:00Z", "status": "failed", "error": f"no {secret}"}]
            changes = {"gone": [secret, f"{secret}!"]}
            store(b"%d" % number, changes=changes, history=history)
        for model in (WebhookEvent, Customer):
            for row in model._base_manager.all():
                page = unescape(html(viewer, page_of(row)))
                assert MASK in page
                for secret in secrets:
                    assert secret not in page
                    assert json.dumps(secret, ensure_ascii=False)[1:-1] not in page

    def test_are_masked_in_the_download_and_stay_in_the_database(self, viewer, secrets):
        body = " ".join(secrets).encode()
        event = store(body)
        assert viewer.get(body_page_of(event)).content.decode() == " ".join([MASK] * 3)
        assert WebhookEvent.objects.get().body.encode() == body

    @pytest.mark.parametrize("spell", SPELLINGS)
    def test_are_masked_however_they_are_spelled(self, settings, spell):
        secret = 'a+b/"é 😀&<z'
        settings.ALTOVIZ = {"WEBHOOK_SECRET": secret}
        assert SecretMask()(f"it is {spell(secret)}, yes") == f"it is {MASK}, yes"

    def test_a_short_secret_is_masked_only_as_a_whole_word(self, settings):
        settings.ALTOVIZ = {"WEBHOOK_SECRET": "test"}
        assert SecretMask()("tests test (test)") == f"tests {MASK} ({MASK})"

    def test_are_read_from_the_settings_once_a_page(self, post, viewer, settings):
        acme = CountedReads(settings.ALTOVIZ["ACCOUNTS"]["acme"])
        settings.ALTOVIZ = settings.ALTOVIZ | {"ACCOUNTS": {"acme": acme}}
        row = post_invoice(post, 20, headerNotes=SECRETS["acme"], footerNotes="Merci")
        post_invoice(post, 20, subject=SECRETS["acme"])
        for page in (page_of(row), page_of(WebhookEvent.objects.first())):
            acme.reads.clear()
            assert MASK in html(viewer, page)
            assert acme.reads["WEBHOOK_SECRET"] == acme.reads["API_KEY"] == 1

    def test_are_masked_from_the_first_page_after_a_rotation(self, viewer, settings):
        page = page_of(store(b"old-secret new-secret"))
        settings.ALTOVIZ = {"WEBHOOK_SECRET": "old-secret"}
        assert f"{MASK} new-secret" in html(viewer, page)
        settings.ALTOVIZ = {"WEBHOOK_SECRET": "new-secret"}
        assert f"old-secret {MASK}" in html(viewer, page)
        assert admin.site.get_model_admin(WebhookEvent)._renderer is None

    def test_nothing_is_masked_without_any(self, settings):
        settings.ALTOVIZ = {}
        assert SecretMask()("anything") == "anything"


# Remote text


def test_nothing_from_altoviz_becomes_html(post, viewer):
    contact = {"displayName": EVIL, "email": EVIL, "companyName": EVIL}
    party = {"name": EVIL, "number": EVIL, "email": EVIL}
    line = sample(EventType.INVOICE_UPDATED).data["lines"][1]
    document = {
        "number": EVIL,
        "subject": EVIL,
        "customerName": EVIL,
        "publicLink": f"https://x/{EVIL}",
        "pdfUrl": EVIL,
        "lines": [line | {"description": EVIL, "type": EVIL, "unit": {"code": EVIL}}],
    }
    post(body_of("ContactUpdated", **contact), headers={"User-Agent": EVIL})
    post(body_of("CustomerUpdated", **party))
    post(body_of("ProductUpdated", **party, description=EVIL))
    post(body_of("InvoiceUpdated", **document))
    post(body_of("QuoteUpdated", **document, status=EVIL))
    find_difference("CreditUpdated", **document, cancelledInvoicetNumber=EVIL)
    post({"id": EVIL, "type": EVIL, "data": {EVIL: EVIL}})
    post(EVIL.encode())
    store(changes={EVIL: [EVIL, EVIL]}, error=EVIL, arrival={EVIL: EVIL}, account="acme")
    for model in ADMINS:
        assert EVIL not in html(viewer, list_of(model))
        rows = WebhookEvent.with_pruned if model is WebhookEvent else model.with_deleted
        assert rows.count()
        for row in rows.all():
            page = html(viewer, page_of(row))
            assert EVIL not in page
            assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in page


@pytest.mark.parametrize("scheme", ["https://", "http://", "HTTPS://"])
def test_a_public_link_is_a_link_on_the_invoice_page_only(post, viewer, scheme):
    row = post_invoice(post, publicLink=f"{scheme}app.example/p/7")
    anchor = f'<a href="{scheme}app.example/p/7" rel="noopener noreferrer">'
    page = html(viewer, page_of(row))
    assert anchor in page
    assert "without a login" in page
    assert "app.example" not in html(viewer, list_of(Invoice))


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", "//x", "x", "", None]
)
def test_a_public_link_that_is_not_a_web_address_is_not_linked(post, viewer, url):
    page = html(viewer, page_of(post_invoice(post, publicLink=url)))
    assert "noopener" not in page
    assert not any(link.strip().startswith(("javascript", "data")) for link in links(page))


# Mirrors


@pytest.mark.parametrize("entity", Entity)
def test_the_number_of_queries_of_a_mirror_list_does_not_grow(
    post, bring, viewer, entity, django_assert_num_queries
):
    event_type = EventType[f"{entity.name}_UPDATED"]
    made = 0
    for count in (3, 27):
        for number in range(made, made + count):
            bring(event_type, id=1000 + number, customerId=5000 + number)
            if number % 2:
                post(body_of("CustomerUpdated", id=5000 + number))
        made += count
        # A list of documents has totals, and the years of the first and of the last one.
        has_totals = issubclass(MIRRORS[entity], Document)
        with django_assert_num_queries(LOGIN_QUERIES + 2 + 3 * has_totals):
            html(viewer, list_of(MIRRORS[entity]))


def test_a_list_of_mirrors_does_not_read_the_data(post, viewer):
    post(EventType.CUSTOMER_CREATED)
    row = listed(viewer, list_of(Customer))[0]
    assert row.get_deferred_fields() == {"data"}
    post_invoice(post)
    row = listed(viewer, list_of(Invoice))[0]
    assert row.get_deferred_fields() == {"data"}
    assert row.customer.get_deferred_fields() == {"data"}


def test_the_number_of_queries_of_an_invoice_page_does_not_grow_with_its_lines(
    post, viewer, django_assert_num_queries
):
    for number in range(0, 10, 2):
        post(body_of("ProductUpdated", id=100 + number, name=f"Product {number}"))
    for lines in (1, 10):
        row = post_invoice(post, lines)
        html(viewer, page_of(row))  # once before, because Django caches the content type
        with django_assert_num_queries(LOGIN_QUERIES + 5):
            page = html(viewer, page_of(row))
        assert page.count('<td class="field-position">') == lines
    assert "Product 8</a>" in page
    assert "MOULE-AL-07 (109)" in page


def test_lines_are_shown_in_order_up_to_a_limit(post, viewer, monkeypatch):
    row = post_invoice(post, 4)
    monkeypatch.setattr("django_altoviz.admin.lines.MAX_LINES", 3)
    page = html(viewer, page_of(row))
    positions = re.findall(r'<td class="field-position">(\d)<', page)
    assert positions == ["1", "2", "3"]
    assert "Only the first 3 lines are shown." in page


def test_the_complete_object_comes_last_on_the_page(post, viewer):
    page = html(viewer, page_of(post_invoice(post)))
    assert page.count("Complete object") == 1
    assert page.index("field-position") < page.index("field-public_page")
    assert page.index("field-public_page") < page.index("Complete object")


def test_a_user_who_may_view_the_invoice_sees_its_lines(post):
    row = post_invoice(post)
    page = html(client_of("accountant", "view_invoice"), page_of(row))
    assert '<td class="field-position">' in page
    assert "10\N{NO-BREAK SPACE}%" in page


@pytest.mark.parametrize(
    ("discount", "shown"),
    [
        (None, "—"),
        ({"type": "Fixed", "value": 5}, "€5.00 (fixed amount)"),
        ({"type": None, "value": 5}, "5"),
    ],
)
def test_the_discount_of_a_line_has_its_unit(post, viewer, discount, shown):
    line = sample(EventType.INVOICE_UPDATED).data["lines"][1]
    row = post_invoice(post, lines=[line | {"discount": discount}])
    assert f'<td class="field-discount">{shown}</td>' in html(viewer, page_of(row))


def test_a_line_without_description_is_shown(post, viewer):
    line = sample(EventType.INVOICE_UPDATED).data["lines"][1]
    row = post_invoice(post, lines=[line | {"description": None}])
    assert '<td class="field-plain_description">—</td>' in html(viewer, page_of(row))


def test_deleted_rows_are_listed_only_on_request(post, viewer):
    post(EventType.CUSTOMER_CREATED)
    post(body_of("CustomerUpdated", id=2))
    post(body_of("CustomerDeleted", id=2))
    gone, there = Customer.with_deleted.get(altoviz_id=2), Customer.objects.get()
    assert listed(viewer, list_of(Customer)) == [there]
    assert listed(viewer, list_of(Customer, deleted="no")) == [there]
    assert listed(viewer, list_of(Customer, deleted="nonsense")) == [there]
    assert listed(viewer, list_of(Customer, deleted="yes")) == [gone]
    assert listed(viewer, list_of(Customer, deleted="all")) == [gone, there]
    assert "column-deleted_at" in html(viewer, list_of(Customer, deleted="all"))
    assert "column-deleted_at" not in html(viewer, list_of(Customer))
    html(viewer, page_of(gone))
    html(viewer, list_of(Customer, deleted="all", _facets="True"))


def test_the_default_of_the_deleted_filter_is_selected(viewer):
    changelist = viewer.get(list_of(Customer)).context["cl"]
    [deleted] = [each for each in changelist.filter_specs if isinstance(each, DeletedFilter)]
    choices = list(deleted.choices(changelist))
    assert [(str(c["display"]), c["selected"]) for c in choices] == [
        ("No", True),
        ("Yes", False),
        ("All", False),
    ]


@pytest.mark.parametrize(
    ("model", "term"),
    [
        (Customer, "C001042"),
        (Customer, "brûlé"),
        (Customer, "zoe.brule@"),
        (Customer, "00041278300011"),
        (Customer, "FR59000412783"),
        (Customer, "418206"),
        (Invoice, "FA001043"),
        (Invoice, "531884"),
        (Invoice, "00041278300011"),
        (Product, "203915"),
        (Quote, "98141"),
    ],
)
def test_mirrors_are_found_by_name_number_and_id(post, viewer, model, term):
    for name in ("CustomerCreated", "InvoiceUpdated", "ProductCreated", "QuoteCreated"):
        post(body_of(name))
    assert listed(viewer, list_of(model, q=term)) == [model.objects.get()]
    assert listed(viewer, list_of(model, q="nowhere to be found")) == []


def test_every_filter_of_the_mirrors_works(post, viewer):
    post(body_of("CustomerUpdated", type="Business"))
    post(body_of("CustomerUpdated", id=2, type="Martian"))
    post(body_of("CustomerUpdated", id=3, type=None, active=False), account="acme")
    for query, count in [
        ({"type": "Business"}, 1),
        ({"type": "other"}, 2),
        ({"type": "Consumer"}, 0),
        ({"active__exact": "0"}, 1),
        ({"account": "acme"}, 1),
        ({}, 3),
    ]:
        assert len(listed(viewer, list_of(Customer, **query))) == count, query


def test_amounts_are_shown_with_all_their_decimals_and_at_least_two(post, viewer):
    amounts = {"balance": 1200, "taxAmount": 0.125, "shippingAmount": None, "overdue": 7.5}
    page = html(viewer, page_of(post_invoice(post, **amounts)))
    for shown in ("€1,200.00", "€0.125", "€7.50"):
        assert f'<div class="readonly">{shown}</div>' in page
    assert "<td" in page


def test_the_customer_of_an_invoice_is_linked_once_it_is_mirrored(post, viewer):
    row = post_invoice(post)
    for page in (html(viewer, page_of(row)), html(viewer, list_of(Invoice))):
        assert "Fonderie Brûlé &amp; Fils (418206)" in page
    post(EventType.CUSTOMER_CREATED)
    customer = Customer.objects.get()
    for page in (html(viewer, page_of(row)), html(viewer, list_of(Invoice))):
        [link] = [link for link in links(page) if "customer/default_3A418206" in link]
        assert viewer.get(link).context["original"] == customer


def test_the_page_of_an_invoice_without_customer_loads(post, viewer):
    html(viewer, page_of(post_invoice(post, customerId=None)))


def test_a_customer_links_to_its_invoices_and_quotes(post, viewer):
    post(EventType.CUSTOMER_CREATED)
    post_invoice(post, id=1, customerId=1)
    mine = post_invoice(post)
    post(body_of("QuoteUpdated"))
    page = html(viewer, page_of(Customer.objects.get()))
    [invoices] = [link for link in links(page) if "/invoice/?" in link]
    [quotes] = [link for link in links(page) if "/quote/?" in link]
    assert listed(viewer, invoices) == [mine]
    assert listed(viewer, quotes) == [Quote.objects.get()]


@pytest.mark.parametrize("entity", Entity)
def test_a_mirror_and_an_event_link_to_the_events_of_that_object_only(bring, viewer, entity):
    updated = EventType[f"{entity.name}_UPDATED"]
    other = EventType.QUOTE_UPDATED if entity != Entity.QUOTE else EventType.INVOICE_UPDATED
    for event_type, id in [(updated, 7), (updated, 7), (updated, 8), (other, 7)]:
        bring(event_type, id=id)
    expected = list(WebhookEvent.objects.filter(type=updated, object_id=7).order_by("-pk"))
    assert len(expected) == 2
    row = MIRRORS[entity].objects.get(altoviz_id=7)
    for page in (html(viewer, page_of(row)), html(viewer, page_of(expected[0]))):
        [link] = [link for link in links(page) if "object_id=7" in link]
        assert listed(viewer, link) == expected
    [last] = [link for link in links(html(viewer, page_of(row))) if f"/{expected[0].pk}/" in link]
    assert viewer.get(last).context["original"] == expected[0]


def test_an_invoice_links_to_the_invoice_that_replaces_it(post, viewer):
    assert "— 9" in html(viewer, page_of(post_invoice(post, replacedBy=9)))
    later = post_invoice(post, id=9, number="FA9")
    page = html(viewer, page_of(Invoice.objects.get(altoviz_id=531884)))
    [link] = [link for link in links(page) if "/invoice/default_3A9/" in link]
    assert viewer.get(link).context["original"] == later


def test_a_page_is_found_by_no_other_field_than_the_ids(post, viewer):
    row = post_invoice(post)
    assert viewer.get(f"{page_of(row)}?_to_field=number").status_code == 400


# Process again


def run_action(client, *events, url=EVENTS, **data):
    data = {"action": "process_again", "_selected_action": [e.pk for e in events], **data}
    response = client.post(url, {"index": 0, **data}, follow=True)
    assert response.status_code == 200
    return [str(message) for message in response.context["messages"]]


def store_pending(**data):
    return store(body_of("CustomerUpdated", **data))


def test_without_the_permission_the_action_is_neither_shown_nor_run(viewer):
    event = store_pending()
    assert "process_again" not in html(viewer, EVENTS)
    assert "process_again" not in html(viewer, page_of(event))
    assert run_action(viewer, event) == []
    event.refresh_from_db()
    assert event.status == Status.PENDING
    assert not LogEntry.objects.exists()


def test_an_event_is_processed_again_from_the_list(operator):
    event = store_pending()
    assert "process_again" in html(operator, EVENTS)
    assert run_action(operator, event) == ["1 event was processed."]
    event.refresh_from_db()
    assert event.status == Status.PROCESSED
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user.username) == (str(event.pk), "operator")


def test_an_event_is_processed_again_from_its_page(operator):
    event, other = store_pending(), store_pending(id=2)
    page = html(operator, page_of(event))
    [button] = re.findall(r"<button[^>]*>Process again</button>", page)
    [form] = re.findall(r'<form [^>]*id="altoviz-process">.*</form>', page)
    assert 'form="altoviz-process"' in button
    data = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    client = Client(enforce_csrf_checks=True)
    client.cookies = operator.cookies
    response = client.post(re.search('action="([^"]*)"', button)[1], data, follow=True)
    assert "1 event was processed." in response.content.decode()
    assert response.redirect_chain == [(page_of(event), 302)]
    other.refresh_from_db()
    assert other.status == Status.PENDING


@pytest.mark.parametrize(
    "status", [Status.PENDING, Status.FAILED, Status.DEAD, Status.IGNORED, Status.PROCESSED]
)
def test_events_of_any_of_these_states_are_processed_again(operator, status):
    event = store_pending()
    WebhookEvent.objects.update(status=status)
    assert run_action(operator, event) == ["1 event was processed."]
    event.refresh_from_db()
    assert event.status == Status.PROCESSED


def test_an_event_with_an_expired_lease_is_processed_again(operator):
    event = store_pending()
    lease_expired = timezone.now() - datetime.timedelta(seconds=1)
    WebhookEvent.objects.update(status=Status.PROCESSING, lease_expires_at=lease_expired)
    assert run_action(operator, event) == ["1 event was processed."]


def test_each_outcome_is_counted_with_its_reason(operator):
    leased = store_pending()
    until = timezone.now() + datetime.timedelta(minutes=5)
    WebhookEvent.objects.filter(pk=leased.pk).update(
        status=Status.PROCESSING, lease_expires_at=until
    )
    pruned = store_pending(id=2)
    WebhookEvent.objects.filter(pk=pruned.pk).update(
        status=Status.PROCESSED, body="", pruned_at=timezone.now()
    )
    malformed = [store(b"{}"), store(b"[]")]
    unknown = store(b'{"id": "evt_1", "type": "ReceiptCreated", "data": {"id": 1}}')
    failing = store(body_of("CustomerUpdated", id=4, name=5))
    fine = store_pending(id=3)
    assert run_action(operator, leased, pruned, *malformed, unknown, failing, fine) == [
        "1 event was processed.",
        "1 event failed: its page says why, and whether it is tried again.",
        "2 events were not processed: malformed body.",
        "1 event was not processed: pruned body.",
        "1 event was not processed: event type unknown to this version.",
        "1 event was not processed: another worker has it, or has just processed it.",
    ]


def test_events_are_processed_in_order_of_arrival(operator):
    events = [store_pending(name=f"Name {number}") for number in range(3)]
    assert run_action(operator, *reversed(events)) == ["3 events were processed."]
    assert Customer.objects.get().name == "Name 2"
    history = WebhookEvent.objects.order_by("pk").values_list("history", flat=True)
    times = [attempts[0]["at"] for attempts in history]
    assert times == sorted(times)


def test_all_events_of_a_filtered_list_can_be_processed_at_once(operator):
    for number in range(1, 4):
        store_pending(id=number)
    store_pending(id=4, name=5)
    WebhookEvent.objects.filter(object_id=4).update(status=Status.DEAD)
    url = f"{EVENTS}?status__exact=pending"
    first = WebhookEvent.objects.first()
    assert run_action(operator, first, url=url, select_across=1, confirmed="yes") == [
        "3 events were processed."
    ]
    assert WebhookEvent.objects.get(object_id=4).status == Status.DEAD


def test_the_action_is_not_run_by_get(operator):
    event = store_pending()
    html(operator, f"{EVENTS}?id={event.pk}")
    operator.get(f"{EVENTS}?action=process_again&_selected_action={event.pk}&index=0")
    event.refresh_from_db()
    assert event.status == Status.PENDING


def test_an_event_processed_behind_another_is_still_counted_and_logged(operator):
    """The second event stops matching the list's filter while the first one is processed."""
    customer_updated.connect(handles)
    try:
        events = [store_pending(name=name) for name in "AB"]
        url = f"{EVENTS}?status__exact=pending"
        assert run_action(operator, *events, url=url) == ["2 events were processed."]
    finally:
        customer_updated.disconnect(handles)
    assert LogEntry.objects.count() == 2


def test_an_event_that_arrives_during_the_action_is_not_selected(operator):
    arrived = []

    def receiver(**kwargs):
        if not arrived:
            arrived.append(store_pending(id=2))

    customer_updated.connect(receiver)
    try:
        event = store_pending()
        assert run_action(operator, event, select_across=1, confirmed="yes") == [
            "1 event was processed."
        ]
    finally:
        customer_updated.disconnect(receiver)
    assert WebhookEvent.objects.get(pk=arrived[0].pk).status == Status.PENDING


def test_the_action_reads_each_event_in_one_query(operator, django_assert_max_num_queries):
    event = store_pending()
    with django_assert_max_num_queries(100) as captured:
        assert run_action(operator, event) == ["1 event was processed."]
    every = [query["sql"] for query in captured.captured_queries]
    # Each database quotes the names of columns in its own way.
    bodies = [sql for sql in every if re.search(r"SELECT .*\Wbody\W", sql)]
    assert [re.search(r"\Whistory\W", sql) is not None for sql in bodies] == [True]


def test_a_receiver_that_has_succeeded_is_not_called_again(operator, post):
    calls = []

    def receiver(**kwargs):
        calls.append(kwargs["event"])

    customer_created.connect(receiver, Customer, weak=False, dispatch_uid="once")
    try:
        post(EventType.CUSTOMER_CREATED)
        event = WebhookEvent.objects.get()
        assert run_action(operator, event) == ["1 event was processed."]
    finally:
        customer_created.disconnect(receiver, Customer, dispatch_uid="once")
    assert calls == [event]


def test_an_event_behind_a_failed_event_is_reported_as_waiting(operator):
    def fail(**kwargs):
        raise RuntimeError

    customer_updated.connect(fail)
    try:
        first, second = store_pending(), store_pending()
        [message] = run_action(operator, first)
        assert message.startswith("1 event failed: its page says why")
        [message] = run_action(operator, second)
    finally:
        customer_updated.disconnect(fail)
    assert message == "1 event was not processed: waiting for an earlier event of the object."


class TestFromScratch:
    ACTION = "process_from_scratch"

    @pytest.fixture
    def calls(self, post):
        """The attempts at which a receiver of one processed event was called."""
        calls = []

        def receiver(event, **kwargs):
            calls.append(event.attempts)

        customer_created.connect(receiver)
        post(EventType.CUSTOMER_CREATED)
        yield calls
        customer_created.disconnect(receiver)

    def test_all_receivers_are_called_again(self, calls):
        replayer = client_of("replayer", *VIEW, "process_webhookevent", "replay_webhookevent")
        event = WebhookEvent.objects.get()
        confirmed = {"action": self.ACTION, "confirmed": "yes"}
        assert run_action(replayer, event, **confirmed) == ["1 event was processed."]
        assert calls == [1, 2]
        assert "from scratch" in str(LogEntry.objects.get())

    def test_a_confirmation_lists_the_receivers_that_are_called_again(self, calls):
        replayer = client_of("replayer", *VIEW, "replay_webhookevent")
        event, other = WebhookEvent.objects.get(), store_pending(id=2)
        chosen = {"_selected_action": [event.pk, other.pk], "index": 0, "action": self.ACTION}
        response = replayer.post(EVENTS, chosen)
        page = response.content.decode()
        assert "Number of events: 2." in page
        assert (
            f"{ReceiverRun.objects.get().receiver}: 1".replace("<", "&lt;").replace(">", "&gt;")
            in page
        )
        assert calls == [1]
        form = page[page.index("<form", page.index('id="content"')) :]
        fields = re.findall(r'name="(\w+)" value="([^"]*)"', form[: form.index("</form>")])
        data = {name: [v for n, v in fields if n == name] for name, _value in fields}
        response = replayer.post(EVENTS, data, follow=True)
        assert [str(m) for m in response.context["messages"]] == ["2 events were processed."]
        assert calls == [1, 2]

    def test_the_confirmation_says_if_no_receiver_has_succeeded(self):
        replayer = client_of("replayer", *VIEW, "replay_webhookevent")
        data = {"_selected_action": store_pending().pk, "index": 0, "action": self.ACTION}
        page = replayer.post(EVENTS, data).content.decode()
        assert "None." in page
        assert WebhookEvent.objects.get().status == Status.PENDING

    def test_the_confirmation_has_the_events_that_were_selected_and_no_later_ones(self, calls):
        replayer = client_of("replayer", *VIEW, "replay_webhookevent")
        first, _second = store_pending(id=2), store_pending(id=3)
        data = {"_selected_action": first.pk, "index": 0, "select_across": 1}
        url = f"{EVENTS}?status__exact=pending"
        page = replayer.post(url, data | {"action": self.ACTION}).content.decode()
        assert "Number of events: 2." in page
        assert '<input type="hidden" name="select_across" value="0">' in page
        assert page.count('name="_selected_action"') == 2

    def test_the_action_needs_a_permission_of_its_own(self, calls, operator):
        assert self.ACTION not in html(operator, EVENTS)
        assert run_action(operator, WebhookEvent.objects.get(), action=self.ACTION) == [
            "No action selected."
        ]
        assert calls == [1]


def test_an_event_shows_its_next_attempt_and_the_receivers_that_gave_up(viewer):
    def give_up(**kwargs):
        raise GiveUp("there is no such client")

    event = store(body_of("InvoiceUpdated", name=5, isDraft=False))
    invoice_updated.connect(give_up)
    try:
        process(event)
    finally:
        invoice_updated.disconnect(give_up)
    page = html(viewer, page_of(event))
    assert "there is no such client" in page
    assert "invoice finalised" in page
    failing = store(body_of("CustomerUpdated", name=5))
    process(failing)
    assert date_format(localtime(failing.next_attempt_at), "DATETIME_FORMAT") in html(
        viewer, page_of(failing)
    )


@pytest.mark.django_db(transaction=True)
def test_atomic_requests_does_not_wrap_the_processing(operator, post, monkeypatch):
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    depths = []

    def receiver(**kwargs):
        depths.append(len(connection.atomic_blocks))

    customer_updated.connect(receiver, Customer, weak=False, dispatch_uid="depth")
    try:
        assert run_action(operator, store_pending()) == ["1 event was processed."]
    finally:
        customer_updated.disconnect(receiver, Customer, dispatch_uid="depth")
    assert depths == [1]


# Details, and the formatting of values


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["2026-02-30", "2026-11-25", "<p>a&nbsp;b</p>"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["vat", "rate", "date", "amount", "street", "email"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
DETAILS = [details.VAT_AMOUNTS, details.VAT_NOTE, *details.ADDRESSES]
DETAILS += details.NOTES
PARTS = ["commitments", "vats", "vatNote", "billingAddress", "billingContact", "headerNotes"]


@given(st.dictionaries(st.sampled_from(PARTS), ANYTHING) | ANYTHING)
def test_details_of_any_shape_are_rendered(data):
    for detail in DETAILS:
        assert detail.render(Invoice(data=data), Renderer())
    assert details.due_dates(Invoice(data=data), Renderer())


@pytest.mark.parametrize(
    ("date", "shown"),
    [
        ("2026-11-14", "Nov. 14, 2026"),
        ("2026-02-30", "2026-02-30"),
        ("soon", "soon"),
        (20261114, "20261114"),
        (None, "—"),
    ],
)
def test_a_due_date_is_shown_as_a_day_if_it_is_one(date, shown):
    row = Invoice(data={"commitments": [{"date": date}]})
    assert f"<td>{shown}</td>" in details.due_dates(row, Renderer())


@pytest.mark.parametrize("value", [[], ["nonsense"], "nonsense", {"vat": {}}, None])
def test_a_table_without_rows_is_not_shown(value):
    assert details.VAT_AMOUNTS.render(Invoice(data={"vats": value}), Renderer()) == "—"


def test_a_document_shows_details_that_have_no_column(post, viewer):
    taxes = {"vat": {"rate": 5.5, "region": "FR"}, "taxExcludedAmount": 72.2, "vatAmount": 3.97}
    row = post_invoice(
        post,
        commitments=[{"date": "2026-11-14", "amount": 3056.61, "dueAmount": 12}],
        vats=[taxes, "nonsense", {"vat": {"region": True}}],
        footerNotes="<p>Merci&nbsp;!</p><p>À bientôt.</p>",
        shippingAddress={"street": "1 rue Haute", "zipcode": "42000", "city": "Saint-Étienne"},
    )
    page = html(viewer, page_of(row))
    assert "<td>Nov. 14, 2026</td><td>€3,056.61</td><td>€12.00</td>" in page
    assert "<td>5.5\N{NO-BREAK SPACE}%</td><td>FR</td><td>€72.20</td><td>€3.97</td>" in page
    assert "<td>—</td><td>yes</td><td>—</td>" in page
    assert "Merci\N{NO-BREAK SPACE}!\nÀ bientôt." in page
    assert "1 rue Haute\n42000\nSaint-Étienne" in page
    assert "field-header_notes" not in page


@pytest.mark.parametrize("date", ["2026-02-30", "soon", 20261114])
def test_a_due_date_that_is_not_a_date_is_shown_unchanged(date):
    row = Invoice(data={"commitments": [{"date": date, "amount": True}]})
    table = details.due_dates(row, Renderer())
    assert f"<tr><td>{date}</td><td>yes</td><td>—</td><td>—</td></tr>" in table


def test_a_detail_is_rendered_once_a_page(post, viewer, monkeypatch):
    rendered = []

    def render(value, renderer):
        rendered.append(value)
        return renderer.paragraphs(value)

    detail = details.Detail("subject_detail", "The subject", render, "subject")
    monkeypatch.setattr(InvoiceAdmin, "fieldsets", [(None, {"fields": [detail]})])
    page = html(viewer, page_of(post_invoice(post, subject="Moules")))
    assert '<div class="readonly"><div class="altoviz-text">Moules</div></div>' in page
    assert "The subject:" in page
    assert rendered == ["Moules"]


def test_enum_values_are_translated_if_they_are_known(post, viewer):
    post(body_of("QuoteUpdated", status="Accepted"))
    post(body_of("QuoteUpdated", id=2, status="Hatched"))
    page = html(viewer, list_of(Quote), headers={"Accept-Language": "fr"})
    assert re.search(r'<td class="field-state"><[^>]*altoviz-good">accepté</span>', page)
    assert re.search(r'<td class="field-state"><[^>]*">Hatched</span>', page)


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        ({"isDraft": True, "isPaid": True}, "draft paid"),
        ({"isDraft": False, "isPaid": False}, "finalised"),
        ({"isDraft": False, "isPaid": False, "isCancelled": True}, "cancelled"),
        ({"isDraft": None, "isPaid": None}, "—"),
    ],
)
def test_the_list_of_invoices_shows_all_states_of_each(post, viewer, flags, shown):
    post_invoice(post, sentAt=None, commitments=None, **flags)
    [cell] = re.findall(r'<td class="field-state">(.*?)</td>', html(viewer, list_of(Invoice)))
    assert re.sub("<[^>]*>", "", cell) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<p>Phase 1&nbsp;: outillage</p>", "Phase 1\N{NO-BREAK SPACE}: outillage"),
        ("a<br/>b", "a\nb"),
        ("5 < 6 & 7 > 2", "5 < 6 & 7 > 2"),
        ("?a=1&copy=2", "?a=1&copy=2"),
    ],
)
def test_html_becomes_plain_text(text, shown):
    assert values.html_to_text(text) == shown


@pytest.mark.parametrize("model", MIRRORS.values())
def test_a_value_is_formatted_alike_on_the_page_and_among_the_changes(samples, model):
    for row in model.with_deleted.all():
        for field in model._meta.concrete_fields:
            value = getattr(row, field.attname)
            kept = dump_changes({field.attname: (None, value)})[field.attname][1]
            assert values.format_value(field, kept) == values.format_value(field, value)


def test_a_change_from_before_a_column_got_another_type_is_still_shown():
    assert values.format_value(Invoice._meta.get_field("date"), "yesterday") == "yesterday"


def test_only_an_invoice_number_has_the_hint_that_it_changes(post, viewer):
    post(body_of("QuoteUpdated"))
    assert "when the invoice is finalised" in html(viewer, page_of(post_invoice(post)))
    assert "is finalised" not in html(viewer, page_of(Quote.objects.get()))
