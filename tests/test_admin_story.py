"""The page of an object tells what has happened to it, to whoever may see it."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_altoviz.admin import history
from django_altoviz.admin.display.values import moment
from django_altoviz.admin.display.vocabulary import BUSINESS_SIGNALS
from django_altoviz.event_types import Entity, EventType
from django_altoviz.models import MIRRORS, Invoice, Quote, Source, Status, WebhookEvent
from django_altoviz.processing import process
from django_altoviz.samples import sample
from django_altoviz.signals import BY_BUSINESS_SIGNAL, invoice_updated
from tests.conftest import body_of

pytestmark = pytest.mark.django_db

AROUND = 4  # the queries for the session, the user, and the permissions of user and groups
DRAFT = {"number": "000101", "isDraft": True, "isPaid": False, "sentAt": None, "balance": 3056.61}
FINALISED = DRAFT | {"number": "FA002001", "isDraft": False}
SENT = FINALISED | {"sentAt": "2026-11-20T10:00:00Z"}
PAID = SENT | {"isPaid": True, "balance": 0}
WRONG = FINALISED | {"taxIncludedAmount": "douze"}
NOTE = "What is shown here is not up to date"


def reader(*codenames):
    user = User.objects.create(username="+".join(codenames), is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def viewer():
    models = [WebhookEvent, *MIRRORS.values()]
    return reader(*(f"view_{model._meta.model_name}" for model in models))


@pytest.fixture
def accountant():
    """Somebody who may see invoices, and nothing else."""
    return reader("view_invoice")


def page_of(row):
    return reverse(f"admin:django_altoviz_{row._meta.model_name}_change", args=[row.pk])


def shown(client, row=None, **headers):
    response = client.get(page_of(row or Invoice.with_deleted.get()), headers=headers)
    assert response.status_code == 200, response.get("Location")
    return response.content.decode()


def entries(client, row=None, **headers):
    """The entries of the story as plain text."""
    page = shown(client, row, **headers)
    start = page.index('id="story"')
    items = page[start : page.index("</section>", start)].split("<li")[1:]
    return [" ".join(re.sub(r"<[^>]*>", " ", f"<li{item}").split()) for item in items]


def live(post, *states):
    post(body_of("InvoiceCreated", **(sample(EventType.INVOICE_UPDATED).data | states[0])))
    for state in states[1:]:
        post(body_of("InvoiceUpdated", **state))


# What is told


def test_an_invoice_tells_its_story_the_latest_first(post, viewer):
    live(post, DRAFT, FINALISED, SENT, WRONG, PAID)
    paid, wrong, sent, finalised, created = entries(viewer)
    assert "Invoice updated invoice paid webhook · processed" in paid
    assert "Balance 3056.61 → 0.00" in paid
    assert "Paid no → yes" in paid
    assert "Invoice updated webhook · failed" in wrong
    assert "InvalidPayload: taxIncludedAmount: expected a number, got a text" in wrong
    assert "Sent at — → Nov. 20, 2026 11:00:00" in sent
    assert "invoice sent" in sent
    assert "invoice finalised" in finalised
    assert "Number 000101 → FA002001" in finalised
    assert "Invoice created webhook · processed" in created
    assert "Number 000101" in created


def test_it_says_to_the_second_when_something_came_in(post, viewer):
    live(post, DRAFT)
    event = WebhookEvent.objects.get()
    assert re.search(r"\d\d:\d\d:\d\d$", moment(event.received_at))
    assert moment(event.received_at) in entries(viewer)[0]
    assert moment(event.received_at) in viewer.get(page_of(event)).content.decode()


def test_it_is_told_in_the_reader_s_language(post, viewer):
    live(post, DRAFT, PAID)
    paid, created = entries(viewer, **{"Accept-Language": "fr"})
    assert "Facture modifiée" in paid
    assert "Solde 3056,61 → 0,00" in paid
    assert "Payée non → oui" in paid
    assert "Facture créée" in created


def test_what_a_sync_has_found_is_said_to_be_from_one(post, viewer):
    live(post, DRAFT)
    WebhookEvent.objects.update(source=Source.SYNC)
    assert "Invoice created sync · processed" in entries(viewer)[0]


def test_all_that_an_object_was_created_with_is_folded_away(post, viewer):
    live(post, DRAFT, FINALISED)
    page = shown(viewer)
    assert page.count("<details>") - page.count("collapse") == 1
    assert re.search(r"<summary>Fields: \d\d</summary>", page)


def test_so_are_the_changes_of_an_update_where_they_are_many(post, viewer, monkeypatch):
    monkeypatch.setattr(history, "MOST_UNFOLDED", 1)
    live(post, DRAFT, PAID)
    assert "<summary>Fields: 5</summary>" in shown(viewer)


def test_an_update_that_changed_no_field_says_so(post, viewer):
    live(post, DRAFT, DRAFT)
    assert "It changed none of the fields" in entries(viewer)[0]
    assert "It changed none of the fields" not in entries(viewer)[1]


def test_a_pruned_event_tells_what_it_still_can(post, viewer):
    live(post, DRAFT, PAID)
    WebhookEvent.objects.update(body="", changes={}, history=[], pruned_at=timezone.now())
    paid, _created = entries(viewer)
    assert "Invoice updated invoice finalised invoice sent invoice paid" in paid
    assert "processed (pruned)" in paid
    assert "not kept any more" in paid


def test_what_is_deleted_says_so(post, viewer):
    live(post, DRAFT)
    assert "It was deleted at Altoviz." not in shown(viewer)
    post(body_of("InvoiceDeleted", id=Invoice.objects.get().altoviz_id))
    assert "It was deleted at Altoviz." in shown(viewer)
    assert "Invoice deleted" in entries(viewer)[0]


def test_what_no_event_tells_of_was_read_by_a_sync(post, viewer):
    live(post, DRAFT)
    WebhookEvent.objects.all().delete()
    assert "a sync has read it" in shown(viewer)
    assert entries(viewer) == []


def test_each_business_signal_has_its_words():
    assert BUSINESS_SIGNALS.keys() == BY_BUSINESS_SIGNAL.keys()


def test_the_business_signals_stand_on_the_page(post, viewer):
    live(post, PAID)
    WebhookEvent.objects.all().delete()
    assert "invoice finalised, invoice sent, invoice paid" in shown(viewer)
    post(body_of("QuoteUpdated", status="Refused"))
    assert "quote refused" in shown(viewer, Quote.objects.get())


@pytest.mark.parametrize("entity", Entity)
def test_every_mirror_has_a_story_of_its_own_events(post, viewer, entity):
    post(body_of(EventType[f"{entity.name}_CREATED"], id=7))
    post(body_of(EventType[f"{entity.name}_UPDATED"], id=8))
    [entry] = entries(viewer, MIRRORS[entity].objects.get(altoviz_id=7))
    assert f"{entity.label} created".capitalize() in entry


# How much of it


def test_it_is_bounded_and_leads_to_the_rest(post, viewer, monkeypatch):
    monkeypatch.setattr(history, "MOST_TOLD", 3)
    live(post, DRAFT, FINALISED, SENT)
    assert "Only the latest" not in shown(viewer)
    live(post, PAID)
    assert "Only the latest" in shown(viewer)
    assert len(entries(viewer)) == 3
    [link] = re.findall(r'<a href="([^"]*object_id=[^"]*)"', shown(viewer))
    response = viewer.get(link.replace("&amp;", "&"))
    assert response.context["cl"].result_count == 4


def test_it_takes_the_same_queries_for_any_number_of_events(
    post, viewer, django_assert_num_queries
):
    for states in ([DRAFT], [SENT, WRONG, PAID] * 20):
        live(post, *states)
        row = Invoice.objects.get()
        shown(viewer, row)  # Django asks once for the content type, and remembers it
        with django_assert_num_queries(AROUND + 4) as captured:
            shown(viewer, row)
    [query] = [q["sql"] for q in captured.captured_queries if "dedupe_key" in q["sql"]]
    assert f"LIMIT {history.MOST_TOLD + 1}" in query
    assert not re.search(r"\bbody\b", query)


# What is not shown yet


@pytest.mark.parametrize(
    ("status", "is_behind"),
    [
        (Status.PENDING, True),
        (Status.PROCESSING, True),
        (Status.FAILED, True),
        (Status.DEAD, True),
        (Status.IGNORED, False),
    ],
)
def test_a_page_that_is_behind_says_so(post, viewer, accountant, status, is_behind):
    live(post, FINALISED)
    assert NOTE not in shown(viewer)
    live(post, WRONG)
    WebhookEvent.objects.filter(error__contains="Amount").update(status=status)
    for client in (viewer, accountant):
        assert (NOTE in shown(client)) == is_behind
        assert str(status.label) in entries(client)[0]


def test_it_is_up_to_date_again_with_the_next_event(post, viewer):
    live(post, FINALISED, WRONG)
    assert NOTE in shown(viewer)
    live(post, PAID)
    assert NOTE not in shown(viewer)


def test_an_event_that_failed_at_a_receiver_is_shown_all_the_same(post, viewer):
    def fail(**kwargs):
        raise RuntimeError("the shop is closed")

    live(post, FINALISED)
    invoice_updated.connect(fail)
    try:
        live(post, DRAFT)
        post(body_of("InvoiceUpdated", **PAID))
    finally:
        invoice_updated.disconnect(fail)
    page = shown(viewer)
    assert NOTE not in page
    assert "RuntimeError: the shop is closed" in page


# Who may see what


def test_who_may_see_only_invoices_gets_no_link_that_is_refused(post, accountant, viewer):
    post(EventType.CUSTOMER_CREATED)
    post(EventType.PRODUCT_CREATED)
    live(post, FINALISED, WRONG)
    for page in (shown(accountant), accountant.get("/admin/django_altoviz/invoice/").text):
        found = {
            link.replace("&amp;", "&") for link in re.findall(r'<a href="(/admin/[^"]*)"', page)
        }
        assert {accountant.get(link).status_code for link in found} <= {200}
    assert "Fonderie Brûlé &amp; Fils" in shown(accountant)
    assert re.search(r'<a href="[^"]*/webhookevent/\d+/', shown(viewer))


def test_the_errors_are_for_who_may_see_events(post, accountant, viewer):
    live(post, FINALISED, WRONG)
    assert "InvalidPayload" in shown(viewer)
    assert "InvalidPayload" not in shown(accountant)
    assert "failed" in entries(accountant)[0]


def test_a_customer_leads_to_what_its_reader_may_see(post):
    post(EventType.CUSTOMER_CREATED)
    [customer] = MIRRORS[Entity.CUSTOMER].objects.all()
    page = shown(reader("view_customer", "view_quote"), customer)
    assert "Its quotes</a>" in page
    assert "Its invoices" not in page
    assert "Its quotes" not in shown(reader("view_customer"), customer)


def test_two_readers_at_once_are_told_apart(post, accountant, viewer):
    """The admin is one instance, and must not remember for whom it has worked."""
    live(post, FINALISED)
    first = accountant.get("/admin/django_altoviz/invoice/")
    assert "webhookevent" in shown(viewer)
    assert "/webhookevent/" not in shown(accountant)
    assert first.context["cl"].model_admin.request is not None
    assert admin.site.get_model_admin(Invoice).request is None


def test_django_s_empty_history_leads_to_the_story(post, viewer):
    live(post, FINALISED)
    row = Invoice.objects.get()
    history = reverse("admin:django_altoviz_invoice_history", args=[row.pk])
    assert history not in shown(viewer)
    assert viewer.get(history, follow=True).redirect_chain == [(page_of(row), 302)]


def test_a_pending_event_is_told_while_it_waits(post, viewer, deferred):
    live(post, DRAFT)
    process(WebhookEvent.objects.get())
    live(post, FINALISED)
    assert "pending" in entries(viewer)[0]
    assert NOTE in shown(viewer)
