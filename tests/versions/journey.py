"""Take an invoice back to an earlier version. ``tests/test_variants.py`` runs this."""

from __future__ import annotations

from decimal import Decimal

import pytest
import reversion
from reversion.models import Version

from django_altoviz.models import Invoice
from tests.conftest import body_of

pytestmark = pytest.mark.django_db

LONG = Decimal("1234567890123456789.012345678901")


@pytest.fixture
def invoice(post):
    post(body_of("InvoiceUpdated", taxIncludedAmount=LONG, balance=Decimal("20.0")))
    return Invoice.objects.get()


def change(post):
    post(body_of("InvoiceUpdated", taxIncludedAmount=1, balance=2, number="later"))


def columns(row):
    return {
        field.attname: getattr(row, field.attname)
        for field in Invoice._meta.concrete_fields
        if field.attname != "synced_at"
    }


def test_a_revert_by_reversion_gives_back_the_exact_row(post, invoice):
    with reversion.create_revision():
        reversion.add_to_revision(invoice)
    before = columns(invoice)
    change(post)
    Version.objects.get_for_object(invoice)[0].revert()
    again = Invoice.objects.get()
    assert columns(again) == before
    assert [type(again.data[name]) for name in ("taxIncludedAmount", "balance")] == [Decimal] * 2
    assert again.data == invoice.data


def test_the_history_of_simple_history_keeps_the_exact_row(post, invoice):
    before = columns(invoice)
    change(post)
    assert [each.number for each in invoice.history.all()] == ["later", invoice.number]
    earlier = invoice.history.last().instance
    assert columns(earlier) == before
    assert earlier.customer is None
