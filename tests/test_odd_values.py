"""Values that a database, Python or a page could hardly hold: they make nothing unreadable."""

from __future__ import annotations

import io
import sys

import pytest
from django.core.management import call_command
from django.urls import reverse

from django_altoviz.event_types import Entity
from django_altoviz.exceptions import InvalidPayload
from django_altoviz.models import Customer, Invoice, Quote, WebhookEvent
from django_altoviz.models.mirrors.documents import MAX_DOCUMENT_LINES
from django_altoviz.models.mirrors.payloads import refuse_unstorable
from django_altoviz.privacy.erasure import erase
from tests.conftest import body_of

pytestmark = pytest.mark.django_db
NUMBERS = ["1E+400", "1E+4299", "1E+4300", "1E+5000", "1E+15000", "1E+200000", "1E+999999999"]
NUMBERS += [f"-{number}" for number in NUMBERS] + ["1E-5000", "1E-999999999", "9" * 5000]


def post_raw(post, event_type, number, field):
    """Send an event with a number written out as it is."""
    marked = body_of(event_type, **{field: [{"amount": 424242, "vat": {"rate": 424242}}]})
    return post(marked.replace(b"424242", number.encode()))


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("field", ["commitments", "vats", "unknown"])
def test_a_number_of_any_size_makes_no_row_unreadable(post, admin_client, number, field):
    assert post_raw(post, "InvoiceCreated", number, field).status_code == 200
    event = WebhookEvent.objects.get()
    if event.status == "failed":
        assert field in event.error
    else:
        assert event.status == "processed"
        (invoice,) = Invoice.objects.all()
        assert invoice.data[field][0]["amount"]
        for page in ("changelist", "change"):
            arguments = [invoice.pk] if page == "change" else []
            url = reverse(f"admin:django_altoviz_invoice_{page}", args=arguments)
            assert admin_client.get(url).status_code == 200
    for page in ("changelist", "change"):
        arguments = [event.pk] if page == "change" else []
        url = reverse(f"admin:django_altoviz_webhookevent_{page}", args=arguments)
        assert admin_client.get(url).status_code == 200


@pytest.mark.parametrize("number", ["1E+5000", "-1E+15000", "9" * 5000])
def test_the_object_is_updated_deleted_and_forgotten_as_any_other(post, number):
    post_raw(post, "CustomerCreated", number, "unknown")
    customer = Customer.objects.get()
    post(body_of("CustomerUpdated", name="later"))
    assert Customer.objects.get().name == "later"
    erase(Entity.CUSTOMER, customer.altoviz_id, "default")
    post(body_of("CustomerDeleted", id=customer.altoviz_id))
    assert not Customer.objects.exists()
    call_command("altoviz_status", stdout=io.StringIO())


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00", "9999-12-31T23:59:59.9999999"])
@pytest.mark.parametrize("zone", ["America/Martinique", "Pacific/Auckland", "UTC"])
def test_a_time_that_was_never_set_is_no_time(post, admin_client, settings, value, zone):
    settings.TIME_ZONE = zone
    post(body_of("InvoiceCreated", status="Draft", isDraft=True, sentAt=value))
    post(body_of("QuoteCreated", status="Pending", acceptedAt=value))
    invoice, quote = Invoice.objects.get(), Quote.objects.get()
    assert (invoice.sent_at, quote.accepted_at) == (None, None)
    assert "invoice_sent" not in invoice.business_signals
    assert "quote_accepted" not in quote.business_signals
    assert invoice.data["sentAt"] == value
    for row in (invoice, quote):
        name = row._meta.model_name
        for url in (
            reverse(f"admin:django_altoviz_{name}_changelist"),
            reverse(f"admin:django_altoviz_{name}_change", args=[row.pk]),
        ):
            assert admin_client.get(url).status_code == 200


def test_a_document_of_too_many_lines_fails_by_name(post):
    post(body_of("InvoiceCreated", lines=[{}] * (MAX_DOCUMENT_LINES + 1)))
    event = WebhookEvent.objects.get()
    assert event.status == "failed"
    assert f"lines: more than {MAX_DOCUMENT_LINES} lines" in event.error
    assert not Invoice.objects.exists()


def test_a_document_of_many_lines_is_mirrored(post):
    post(body_of("InvoiceCreated", lines=[{}] * 300))
    assert Invoice.objects.get().lines.count() == 300


def nested(depth, width):
    data = [*range(width), "\0"]
    for _ in range(depth):
        data = [data]
    return data


def calls_for(depth, width):
    """Count the calls of the search for what databases refuse, and return the path that it names."""
    count = 0

    def profile(*_):
        nonlocal count
        count += 1

    data = nested(depth, width)
    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        with pytest.raises(InvalidPayload) as caught:
            refuse_unstorable(data, "\\u0000")
    finally:
        sys.setprofile(before)
    return count, caught.value.path


def test_the_search_of_a_deep_and_wide_body_is_linear():
    flat, path = calls_for(1, 2000)
    assert path == "0.2000"
    deep, path = calls_for(500, 2000)
    assert path == ".".join([*"0" * 500, "2000"])
    assert deep < 2 * flat + 10 * 500
