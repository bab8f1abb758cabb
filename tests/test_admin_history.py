"""The history on an object's page: its events, as far as the reader may view them."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_altoviz.admin import history, problems
from django_altoviz.admin.display.values import BUSINESS_SIGNALS, format_time
from django_altoviz.event_types import Entity, EventType
from django_altoviz.models import MIRRORS, Invoice, Quote, Source, Status, WebhookEvent
from django_altoviz.processing import process
from django_altoviz.samples import sample
from django_altoviz.signals import BY_BUSINESS_SIGNAL, invoice_updated
from tests.conftest import body_of

pytestmark = pytest.mark.django_db

LOGIN_QUERIES = 4  # the session, the user, the user's and the groups' permissions
DRAFT = {"number": "000101", "isDraft": True, "isPaid": False, "sentAt": None, "balance": 3056.61}
FINALISED = DRAFT | {"number": "FA002001", "isDraft": False}
SENT = FINALISED | {"sentAt": "2026-11-20T10:00:00Z"}
PAID = SENT | {"isPaid": True, "balance": 0}
WRONG = FINALISED | {"taxIncludedAmount": "douze"}
NOTE = "This page is not up to date"


def client_with(*codenames):
    """Log in a new user who has only these permissions."""
    user = User.objects.create(username="+".join(codenames), is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def viewer():
    models = [WebhookEvent, *MIRRORS.values()]
    return client_with(*(f"view_{model._meta.model_name}" for model in models))


@pytest.fixture
def accountant():
    """A client whose user may view invoices and nothing else."""
    return client_with("view_invoice")


def page_of(row):
    return reverse(f"admin:django_altoviz_{row._meta.model_name}_change", args=[row.pk])


def page_text(client, row=None, **headers):
    response = client.get(page_of(row or Invoice.with_deleted.get()), headers=headers)
    assert response.status_code == 200, response.get("Location")
    return response.content.decode()


def entries(client, row=None, **headers):
    """Return the entries of the history as plain text."""
    page = page_text(client, row, **headers)
    start = page.index('id="history"')
    items = page[start : page.index("</section>", start)].split("<li")[1:]
    return [" ".join(re.sub(r"<[^>]*>", " ", f"<li{item}").split()) for item in items]


def post_states(post, *states):
    """Post an InvoiceCreated with the first state, and an InvoiceUpdated with each other one."""
    post(body_of("InvoiceCreated", **(sample(EventType.INVOICE_UPDATED).data | states[0])))
    for state in states[1:]:
        post(body_of("InvoiceUpdated", **state))


# The entries


def test_the_history_of_an_invoice_lists_its_events_latest_first(post, viewer):
    post_states(post, DRAFT, FINALISED, SENT, WRONG, PAID)
    paid, wrong, sent, finalised, created = entries(viewer)
    assert "Invoice updated invoice paid webhook · processed" in paid
    assert "Balance €3,056.61 → €0.00" in paid
    assert "Paid no → yes" in paid
    assert "Invoice updated webhook · failed" in wrong
    assert "InvalidPayload: taxIncludedAmount: expected a number, got a text" in wrong
    assert "Sent at — → Nov. 20, 2026 11:00:00" in sent
    assert "invoice sent" in sent
    assert "invoice finalised" in finalised
    assert "Number 000101 → FA002001" in finalised
    assert "Invoice created webhook · processed" in created
    assert "Number 000101" in created


def test_times_of_arrival_are_shown_to_the_second(post, viewer):
    post_states(post, DRAFT)
    event = WebhookEvent.objects.get()
    assert re.search(r"\d\d:\d\d:\d\d$", format_time(event.received_at))
    assert format_time(event.received_at) in entries(viewer)[0]
    assert format_time(event.received_at) in viewer.get(page_of(event)).content.decode()


def test_the_history_is_in_the_readers_language(post, viewer):
    post_states(post, DRAFT, PAID)
    paid, created = entries(viewer, **{"Accept-Language": "fr"})
    assert "Facture modifiée" in paid
    assert re.search(r"Solde \S*3\s056,61.* → \S*0,00", paid)
    assert "Payée non → oui" in paid
    assert "Facture créée" in created


def test_an_event_of_a_sync_names_the_sync_as_its_source(post, viewer):
    post_states(post, DRAFT)
    WebhookEvent.objects.update(source=Source.SYNC)
    assert "Invoice created sync · processed" in entries(viewer)[0]


def test_the_values_of_a_creation_are_collapsed(post, viewer):
    post_states(post, DRAFT, FINALISED)
    page = page_text(viewer)
    assert page.count("<details>") - page.count("collapse") == 1
    assert re.search(r"<summary>Fields: \d\d</summary>", page)


def test_many_changes_of_an_update_are_collapsed(post, viewer, monkeypatch):
    monkeypatch.setattr(history, "MAX_OPEN_CHANGES", 1)
    post_states(post, DRAFT, PAID)
    assert "<summary>Fields: 5</summary>" in page_text(viewer)


def test_an_update_that_changed_no_field_says_so(post, viewer):
    post_states(post, DRAFT, DRAFT)
    assert "Nothing changed." in entries(viewer)[0]
    assert "Nothing changed." not in entries(viewer)[1]


def test_a_pruned_event_keeps_its_entry_without_changes(post, viewer):
    post_states(post, DRAFT, PAID)
    WebhookEvent.objects.update(body="", changes={}, history=[], pruned_at=timezone.now())
    paid, _created = entries(viewer)
    assert "Invoice updated invoice finalised invoice sent invoice paid" in paid
    assert "processed (pruned)" in paid
    assert "The record of its changes was pruned." in paid


def test_the_page_of_a_deleted_object_says_so(post, viewer):
    post_states(post, DRAFT)
    assert "This object was deleted at Altoviz." not in page_text(viewer)
    post(body_of("InvoiceDeleted", id=Invoice.objects.get().altoviz_id))
    assert "This object was deleted at Altoviz." in page_text(viewer)
    assert "Invoice deleted" in entries(viewer)[0]


def test_an_object_without_events_was_imported_by_a_sync(post, viewer):
    post_states(post, DRAFT)
    WebhookEvent.objects.all().delete()
    assert "a sync has imported this object" in page_text(viewer)
    assert entries(viewer) == []


def test_each_business_signal_has_a_label():
    assert BUSINESS_SIGNALS.keys() == BY_BUSINESS_SIGNAL.keys()


def test_the_page_lists_the_business_signals(post, viewer):
    post_states(post, PAID)
    WebhookEvent.objects.all().delete()
    assert "invoice finalised, invoice sent, invoice paid" in page_text(viewer)
    post(body_of("QuoteUpdated", status="Refused"))
    assert "quote refused" in page_text(viewer, Quote.objects.get())


@pytest.mark.parametrize("entity", Entity)
def test_each_mirror_has_the_history_of_its_own_events(bring, viewer, entity):
    bring(EventType[f"{entity.name}_CREATED"], id=7)
    bring(EventType[f"{entity.name}_UPDATED"], id=8)
    [entry] = entries(viewer, MIRRORS[entity].objects.get(altoviz_id=7))
    assert f"{entity.label} created".capitalize() in entry


# Its length


def test_a_long_history_is_cut_and_links_to_all_events(post, viewer, monkeypatch):
    monkeypatch.setattr(history, "MAX_ENTRIES", 3)
    post_states(post, DRAFT, FINALISED, SENT)
    assert "Only the latest" not in page_text(viewer)
    post_states(post, PAID)
    assert "Only the latest" in page_text(viewer)
    assert len(entries(viewer)) == 3
    [link] = re.findall(r'<a href="([^"]*object_id=[^"]*)"', page_text(viewer))
    response = viewer.get(link.replace("&amp;", "&"))
    assert response.context["cl"].result_count == 4


def test_the_number_of_queries_does_not_grow_with_the_events(
    post, viewer, django_assert_num_queries
):
    # A shown problem may need one more query, for the event that it waits for.
    for states, more in (([DRAFT], 0), ([SENT, WRONG, PAID] * 20, problems.MAX_PROBLEMS)):
        post_states(post, *states)
        row = Invoice.objects.get()
        page_text(viewer, row)  # once before, because Django caches the content type
        with django_assert_num_queries(LOGIN_QUERIES + 5 + more) as captured:
            page_text(viewer, row)
    queries = [q["sql"] for q in captured.captured_queries if "deliveries" in q["sql"]]
    for query, limit in zip(queries, (problems.MAX_PROBLEMS, history.MAX_ENTRIES), strict=True):
        assert f"LIMIT {limit + 1}" in query
        # No more of a body is read than is compared.
        assert not re.search(r"""\bbody\b(?!["`]?, (1, )?50001\))""", query)


# Events that are not applied yet


@pytest.mark.parametrize(
    ("status", "is_outdated"),
    [
        (Status.PENDING, True),
        (Status.PROCESSING, True),
        (Status.FAILED, True),
        (Status.DEAD, True),
        (Status.IGNORED, False),
    ],
)
def test_a_page_with_an_unapplied_event_says_that_it_is_not_up_to_date(
    post, viewer, accountant, status, is_outdated
):
    post_states(post, FINALISED)
    assert NOTE not in page_text(viewer)
    post_states(post, WRONG)
    lease = timezone.now() if status == Status.PROCESSING else None
    events = WebhookEvent.objects.filter(error__contains="Amount")
    events.update(status=status, lease_expires_at=lease)
    for client in (viewer, accountant):
        assert (NOTE in page_text(client)) == is_outdated
        assert str(status.label) in entries(client)[0]


def test_the_next_applied_event_makes_the_page_up_to_date_again(post, viewer):
    post_states(post, FINALISED, WRONG)
    assert NOTE in page_text(viewer)
    post_states(post, PAID)
    assert NOTE not in page_text(viewer)


def test_an_event_that_failed_at_a_receiver_is_still_applied_to_the_mirror(post, viewer):
    def fail(**kwargs):
        raise RuntimeError("the shop is closed")

    post_states(post, FINALISED)
    invoice_updated.connect(fail)
    try:
        post_states(post, DRAFT)
        post(body_of("InvoiceUpdated", **PAID))
    finally:
        invoice_updated.disconnect(fail)
    page = page_text(viewer)
    assert NOTE not in page
    assert "RuntimeError: the shop is closed" in page


# Permissions


def test_a_reader_gets_no_link_to_a_forbidden_page(post, accountant, viewer):
    post(EventType.CUSTOMER_CREATED)
    post(EventType.PRODUCT_CREATED)
    post_states(post, FINALISED, WRONG)
    for page in (page_text(accountant), accountant.get("/admin/django_altoviz/invoice/").text):
        found = {
            link.replace("&amp;", "&") for link in re.findall(r'<a href="(/admin/[^"]*)"', page)
        }
        assert {accountant.get(link).status_code for link in found} <= {200}
    assert "Fonderie Brûlé &amp; Fils" in page_text(accountant)
    assert re.search(r'<a href="[^"]*/webhookevent/\d+/', page_text(viewer))


def test_errors_are_shown_only_to_readers_who_may_view_events(post, accountant, viewer):
    post_states(post, FINALISED, WRONG)
    assert "InvalidPayload" in page_text(viewer)
    assert "InvalidPayload" not in page_text(accountant)
    assert "failed" in entries(accountant)[0]


def test_a_customer_links_only_to_the_documents_that_the_reader_may_view(post):
    post(EventType.CUSTOMER_CREATED)
    [customer] = MIRRORS[Entity.CUSTOMER].objects.all()
    invoices, quotes = (
        f'/{name}/?customer__exact=default%3A{customer.altoviz_id}"'
        for name in ("invoice", "quote")
    )
    page = page_text(client_with("view_customer", "view_quote"), customer)
    assert quotes in page
    assert invoices not in page
    assert quotes not in page_text(client_with("view_customer"), customer)


def test_the_shared_admin_instance_does_not_keep_a_request(post, accountant, viewer):
    """All requests share the registered admin, and two readers may see different things."""
    post_states(post, FINALISED)
    first = accountant.get("/admin/django_altoviz/invoice/")
    assert "webhookevent" in page_text(viewer)
    assert "/webhookevent/" not in page_text(accountant)
    assert first.context["cl"].model_admin.request is not None
    assert admin.site.get_model_admin(Invoice).request is None


def test_the_history_view_of_django_redirects_to_the_page(post, viewer):
    post_states(post, FINALISED)
    row = Invoice.objects.get()
    url = reverse("admin:django_altoviz_invoice_history", args=[row.pk])
    assert url not in page_text(viewer)
    assert viewer.get(url, follow=True).redirect_chain == [(page_of(row), 302)]


def test_a_pending_event_is_listed_as_unapplied(post, viewer, deferred):
    post_states(post, DRAFT)
    process(WebhookEvent.objects.get())
    post_states(post, FINALISED)
    assert "pending" in entries(viewer)[0]
    assert NOTE in page_text(viewer)
