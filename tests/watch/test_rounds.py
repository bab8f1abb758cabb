"""Rounds of a watch: what each finds, and with how many requests."""

from __future__ import annotations

import pytest

from django_altoviz.sync import sync, watch_round

pytestmark = pytest.mark.django_db


@pytest.fixture
def company(connect):
    """A company with 330 invoices, of which 30 are open, and few other objects."""
    altoviz = connect()
    altoviz.populate(customers=10, products=10, invoices=330, quotes=150)
    for number, id in enumerate(altoviz.invoices.store.ids()):
        invoice = altoviz.invoices.get(id)
        if number < 280 and invoice["isDraft"]:
            invoice = altoviz.invoices.finalize(id)
        if number < 280:
            altoviz.invoices.pay(id)
    sync()
    watch_round()
    altoviz.requests.clear()
    return altoviz


def open_invoice(altoviz):
    return next(i["id"] for i in altoviz.invoices.all() if not i["isDraft"] and not i["isPaid"])


class TestAQuietRound:
    def test_takes_few_requests(self, company):
        result = watch_round()
        print([(r.path, r.query) for r in company.requests])
        assert result.requests == len(company.requests)
        assert result.counts["new"] == 0
        assert 0
