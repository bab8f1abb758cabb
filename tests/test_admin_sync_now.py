"""The button "Sync now" of the overview, without a queue: bounded, and resumed the next time."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.db import connection

from django_altoviz.dispatchers import syncs
from django_altoviz.models import Customer, SyncRun
from tests.test_admin import client_of
from tests.test_admin_operations import confirmation, press, run
from tests.test_admin_overview import OPERATE, VIEW
from tests.test_remote import altoviz  # noqa: F401  a fixture

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def operator():
    cache.clear()
    return client_of("operator", *VIEW, *OPERATE)


class TestSync:
    def test_runs_in_the_request_without_a_queue(self, altoviz, operator):  # noqa: F811
        altoviz.populate(customers=3)
        (step,) = confirmation(operator, "sync")
        assert "This request reads objects at Altoviz for about 10 seconds" in step
        assert run(operator, "sync") == ["The sync is done."]
        assert Customer.objects.count() == 3
        (customers,) = SyncRun.objects.filter(entity="customer")
        assert (customers.state, customers.new) == ("done", 3)

    def test_that_is_not_finished_goes_on_the_next_time(self, altoviz, operator, monkeypatch):  # noqa: F811
        altoviz.populate(customers=3, products=2)
        monkeypatch.setattr(syncs, "SECONDS_TO_SYNC", 0)
        messages = [run(operator, "sync")[0] for _ in range(3)]
        assert [message.partition(". ")[0] for message in messages] == [
            "The sync is not finished: customer, contact, product, invoice, quote, credit",
            "The sync is not finished: contact, product, invoice, quote, credit",
            "The sync is not finished: product, invoice, quote, credit",
        ]
        assert Customer.objects.count() == 3
        monkeypatch.setattr(syncs, "SECONDS_TO_SYNC", 10)
        assert run(operator, "sync") == ["The sync is done."]
        assert not SyncRun.objects.filter(finished_at=None).exists()

    def test_a_dispatcher_that_is_no_module_is_named(self, altoviz, operator, settings):  # noqa: F811
        settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": "no.such.module"}
        (message,) = press(operator, "sync")
        assert message.startswith('ALTOVIZ["DISPATCHER"] is "no.such.module"')

    def test_is_not_started_twice(self, altoviz, operator):  # noqa: F811
        SyncRun.objects.create(account="default", entity="customer", is_import=False, as_of=0)
        assert run(operator, "sync") == ["A sync is running already. Nothing was started."]
        assert press(operator, "sync") == ["A sync is running already. Nothing was started."]
        assert altoviz.requests == []

    def test_is_not_confirmed_without_an_api_key(self, operator):
        assert press(operator, "sync") == ["Account “default” has no API_KEY in ALTOVIZ."]

    def test_a_used_up_rate_limit_ends_it(self, altoviz, operator, settings):  # noqa: F811
        altoviz.populate(customers=3)
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_REQUESTS_PER_MINUTE": 1}
        (message,) = run(operator, "sync")
        assert message.startswith("The sync is not finished: ")
        run_row = SyncRun.objects.filter(finished_at=None).get()
        assert run_row.error.startswith("The time of this part of the sync is over.")

    def test_a_fault_is_explained(self, altoviz, operator):  # noqa: F811
        altoviz.fail_next(*[401] * 10)
        (message,) = run(operator, "sync")
        assert "does not accept the API key" in message

    def test_another_process_that_takes_over_is_named(self, altoviz, operator, monkeypatch):  # noqa: F811
        altoviz.populate(customers=3)
        altoviz_answer = altoviz._api.answer

        def answer(request):
            SyncRun.objects.update(claims=99)
            connection.close()  # of the thread of the server
            return altoviz_answer(request)

        monkeypatch.setattr(altoviz._api, "answer", answer)
        assert run(operator, "sync") == ["Another process has taken over this sync."]
