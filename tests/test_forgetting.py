"""Whom the law lets be forgotten is found nowhere any more, and the books still add up."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from django.forms.models import model_to_dict

from django_altoviz.event_types import Entity, EventType
from django_altoviz.exceptions import GiveUp
from django_altoviz.forgetting import COLUMNS, DOCUMENT_COLUMNS, without_personal_data
from django_altoviz.models import (
    MIRRORS,
    Contact,
    Customer,
    Invoice,
    Quote,
    ReceiverRun,
    Status,
    WebhookEvent,
)
from django_altoviz.processing import process
from django_altoviz.samples import sample, sample_body
from django_altoviz.signals import customer_updated
from tests.conftest import body_of

pytestmark = pytest.mark.django_db

CUSTOMER = sample(EventType.CUSTOMER_UPDATED).data["id"]
CONTACT = sample(EventType.CONTACT_UPDATED).data["id"]
PERSONAL = [
    "Brûlé",
    "Zoé",
    "zoe.brule",
    "compta@fonderie",
    "@fonderie-brule",
    "06 39 98",
    "04 65 71",
    "Échaudé",
    "42000",
    "Saint-Étienne",
    "Outillage de coulée",
    "/public/",
]


def forget(*args, **options):
    out = io.StringIO()
    call_command("altoviz_forget", *map(str, args), stdout=out, no_color=True, **options)
    return out.getvalue()


def everything():
    """All that is in the tables of mirrors and events, as one text."""
    models = [*MIRRORS.values(), WebhookEvent]
    return "\n".join(
        repr(model_to_dict(row) | vars(row))
        for model in models
        for row in model._base_manager.all()
    )


@pytest.fixture
def known(post):
    for event_type in EventType:
        if not event_type.is_deletion:
            assert post(event_type).status_code == 200


def test_nothing_of_a_customer_is_found_any_more(known):
    before = everything()
    assert all(text in before for text in PERSONAL)
    forget("customer", CUSTOMER)
    forget("contact", CONTACT)
    found = [text for text in PERSONAL if text in everything()]
    assert found == []


def test_ids_numbers_dates_and_amounts_stay(known):
    customer, invoice = Customer.objects.get(), Invoice.objects.get()
    forget("customer", CUSTOMER)
    left = Customer.objects.get()
    for name in ("altoviz_id", "number", "type", "siret", "vat_number", "billing_country_iso",
                 "payment_method", "internal_id", "family_label", "last_event_id"):  # fmt: skip
        assert getattr(left, name) == getattr(customer, name) is not None, name
    left = Invoice.objects.get()
    changed = {
        field.name
        for field in Invoice._meta.concrete_fields
        if getattr(left, field.attname) != getattr(invoice, field.attname)
    }
    assert changed == {*DOCUMENT_COLUMNS, "data", "synced_at"} - {"metadata"}
    assert left.customer == Customer.objects.get()
    assert left.data["lines"] == invoice.data["lines"]
    assert [line.data for line in left.lines.all()] == invoice.data["lines"]
    assert left.data["billingAddress"]["countryIso"] == "FR"


@pytest.mark.parametrize("entity", [Entity.CUSTOMER, Entity.CONTACT, Entity.INVOICE, Entity.QUOTE])
def test_the_columns_that_go_are_those_that_hold_what_goes(entity):
    event_type = EventType(f"{entity.capitalize()}Updated")
    data = sample(event_type).data
    model = MIRRORS[entity]
    before = model.columns_from(data)
    after = model.columns_from(without_personal_data(entity, data))
    gone = {name for name in before if before[name] != after[name]}
    assert gone <= COLUMNS.get(entity, DOCUMENT_COLUMNS)
    assert all(after[name] is None for name in COLUMNS.get(entity, DOCUMENT_COLUMNS))


def test_a_field_that_nobody_knows_yet_goes_with_a_customer():
    assert without_personal_data(Entity.CUSTOMER, {"birthday": "1990-01-01"}) == {"birthday": None}


def test_others_are_left_alone(known, post):
    post(body_of("CustomerCreated", id=1, email="other@shop.example"))
    post(body_of("InvoiceCreated", id=2, customerId=1, number=str(CUSTOMER)))
    post(body_of("CustomerUpdated", id=CUSTOMER + 1), account="acme")
    before = [
        *Customer.objects.exclude(altoviz_id=CUSTOMER).values(),
        *Invoice.objects.filter(customer=1).values(),
        *WebhookEvent.objects.exclude(object_id=CUSTOMER).filter(object_id__in=[1, 2]).values(),
    ]
    forget("customer", CUSTOMER)
    assert before == [
        *Customer.objects.exclude(altoviz_id=CUSTOMER).values(),
        *Invoice.objects.filter(customer=1).values(),
        *WebhookEvent.objects.exclude(object_id=CUSTOMER).filter(object_id__in=[1, 2]).values(),
    ]


def test_the_account_is_the_one_named(post):
    post(EventType.CUSTOMER_CREATED, account="acme")
    with pytest.raises(CommandError, match="has no customer"):
        forget("customer", CUSTOMER)
    forget("customer", CUSTOMER, account="acme")
    assert Customer.objects.get().email is None


def test_it_says_what_it_did(known):
    counts = "customers: 1, invoices: 1, quotes: 1, webhook events: 6."
    assert forget("customer", CUSTOMER, dry_run=True).startswith(f"Would be blanked: {counts}")
    assert Customer.objects.get().email
    assert forget("customer", CUSTOMER).startswith(f"Blanked: {counts}")
    assert forget("customer", CUSTOMER) == "There was nothing left to forget.\n"


def test_contacts_with_the_same_address_are_named(post):
    post(EventType.CUSTOMER_CREATED)
    email = Customer.objects.get().email
    post(body_of("ContactCreated", id=7, email=email))
    post(body_of("ContactCreated", id=8, email="other@shop.example"))
    out = forget("customer", CUSTOMER)
    assert out.splitlines()[1:] == [
        "A contact has the same e-mail address: altoviz_forget contact 7"
    ]
    assert Contact.objects.get(altoviz_id=7).email == email


def test_deleted_ones_are_forgotten_too(known, post):
    post(body_of("CustomerDeleted", id=CUSTOMER))
    post(body_of("QuoteDeleted", id=Quote.objects.get().altoviz_id, customerId=CUSTOMER))
    forget("customer", CUSTOMER)
    assert Customer.with_deleted.get().email is None
    assert Quote.with_deleted.get().customer_name is None
    assert Customer.with_deleted.get().deleted_at is not None


def test_a_delivery_that_comes_again_is_still_known(known, post):
    forget("customer", CUSTOMER)
    count = WebhookEvent.objects.count()
    answer = post(sample_body(EventType.CUSTOMER_UPDATED))
    assert answer.json()["status"] == "known"
    assert WebhookEvent.objects.count() == count
    assert Customer.objects.get().email is None


def test_one_without_an_id_of_its_own_is_known_too(post):
    body = body_of("CustomerUpdated", "1233")
    post(body)
    forget("customer", CUSTOMER)
    assert post(body).json()["status"] == "known"


def test_what_an_error_says_of_somebody_goes(post):
    def fail(instance, **kwargs):
        raise ValueError(f"no such mailbox:\n{instance.email}")

    customer_updated.connect(fail)
    try:
        post(EventType.CUSTOMER_UPDATED)
    finally:
        customer_updated.disconnect(fail)
    event = WebhookEvent.objects.get()
    assert "@fonderie-brule" in event.error
    forget("customer", CUSTOMER)
    event.refresh_from_db()
    assert event.error == "Forgotten."
    assert [attempt["error"] for attempt in event.history] == ["Forgotten."]


def test_what_a_receiver_says_of_somebody_goes(post):
    def give_up(instance, **kwargs):
        raise GiveUp(f"{instance.email} is unknown")

    customer_updated.connect(give_up)
    try:
        post(EventType.CUSTOMER_UPDATED)
    finally:
        customer_updated.disconnect(give_up)
    forget("customer", CUSTOMER)
    assert ReceiverRun.objects.get().gave_up == "Forgotten."
    assert WebhookEvent.objects.get().status == Status.DEAD
    assert forget("customer", CUSTOMER) == "There was nothing left to forget.\n"


def test_why_an_event_was_ignored_stays(known, post):
    post(body_of("CustomerDeleted", id=CUSTOMER))
    post(body_of("CustomerUpdated", id=CUSTOMER))
    forget("customer", CUSTOMER)
    assert WebhookEvent.objects.filter(error__contains="was deleted before").exists()


def test_an_event_that_is_tried_again_brings_nothing_back(post):
    post(body_of("CustomerUpdated", active="maybe"))
    forget("customer", CUSTOMER)
    event = WebhookEvent.objects.get(status=Status.FAILED)
    process(event)
    assert "@fonderie-brule" not in everything()


def test_of_an_event_that_has_no_data_there_is_nothing_to_forget(post):
    post(body_of("CustomerDeleted", id=5))
    forget("customer", 5)
    post({"id": "evt_1", "type": "InvoiceDeleted", "data": 5})
    post({"id": "evt_2", "type": "InvoiceDeleted", "data": "about 5"})
    assert forget("customer", 5) == "There was nothing left to forget.\n"


@pytest.mark.parametrize("id", ["0", "-1", "x", str(2**63)])
def test_what_is_no_id_is_refused(id):
    with pytest.raises(CommandError, match=r"is no Altoviz id|required"):
        forget("customer", id)
