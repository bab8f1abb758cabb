"""The overview as data: events by hour and day, amounts by month, what is blocked, and the last syncs."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_altoviz.health import health_of
from django_altoviz.models import Invoice, Status, SyncRun, WebhookEvent
from django_altoviz.models.mirrors.relations import key_of
from django_altoviz.models.sync_runs import SyncState
from django_altoviz.overview import activity, last_syncs, overview_of
from tests.conftest import body_of
from tests.test_admin import store

pytestmark = pytest.mark.django_db

URL = "https://shop.example/altoviz/webhook/"
NOON = datetime.datetime(2026, 11, 25, 12, 30, tzinfo=datetime.timezone.utc)


def store_at(received_at, **values):
    store(str(received_at).encode(), received_at=received_at, **values)


class TestActivity:
    """The counts agree with the events, in each time zone, and no event is read."""

    @pytest.fixture(autouse=True)
    def noon(self, monkeypatch):
        monkeypatch.setattr(timezone, "now", lambda: NOON)

    def test_events_are_counted_by_hour_and_by_local_day(self):
        for minutes, status in ((0, "processed"), (31, "dead"), (29, "dead"), (13 * 60, "failed")):
            store_at(NOON - datetime.timedelta(minutes=minutes), status=status)
        found = activity.activity()
        assert [dict(span.counts) for span in found.hours[-3:]] == [
            {},
            {"dead": 1},
            {"processed": 1, "dead": 1},
        ]
        # 23:30 UTC is 0:30 in Paris, on the same day as noon.
        assert found.days[-1].counts == {"processed": 1, "dead": 2, "failed": 1}
        assert (len(found.hours), len(found.days)) == (activity.HOURS, activity.DAYS)
        assert found.days[-1].begins_at.isoformat() == "2026-11-24T23:00:00+00:00"

    def test_the_first_and_the_last_moment_of_a_span_belong_to_it(self):
        midnight = activity.midnight(datetime.date(2026, 10, 27))
        tick = datetime.timedelta(microseconds=1)
        for received_at in (midnight - tick, midnight, midnight + datetime.timedelta(days=1)):
            store_at(received_at)
        days = activity.activity().days
        assert [span.counts.total() for span in days[:3]] == [1, 1, 0]
        assert days[0].begins_at == midnight

    def test_a_day_on_which_the_clocks_change_has_all_its_events(self, monkeypatch):
        monkeypatch.setattr(timezone, "now", lambda: NOON.replace(month=10, day=26))
        for hour in range(26):
            begins_at = activity.midnight(datetime.date(2026, 10, 25))
            store_at(begins_at + datetime.timedelta(hours=hour))
        assert [span.counts.total() for span in activity.activity().days[-2:]] == [25, 1]

    def test_without_time_zones(self, settings, monkeypatch):
        settings.USE_TZ = False
        monkeypatch.undo()
        store()
        found = activity.activity()
        assert found.hours[-1].counts.total() == found.days[-1].counts.total() == 1

    def test_one_query_that_the_index_of_status_and_time_answers(self):
        store()
        with CaptureQueriesContext(connection) as queries:
            activity.activity()
        (query,) = queries.captured_queries
        columns = {name for name in ("body", "changes", "account") if f"{name}" in query["sql"]}
        assert columns == set()
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                plan = str(cursor.fetchall())
            assert "COVERING INDEX altoviz_event_status" in plan, plan


class TestAmounts:
    @pytest.fixture(autouse=True)
    def noon(self, monkeypatch):
        monkeypatch.setattr(timezone, "now", lambda: NOON)

    def invoice(self, id, account="default", **values):
        defaults = {"date": datetime.date(2026, 11, 3), "tax_included_amount": Decimal("120.10")}
        Invoice.objects.create(
            altoviz_id=id,
            account=account,
            key=key_of(account, id),
            last_event_id=0,
            synced_at=NOON,
            data={},
            **defaults | values,
        )

    def test_are_added_up_by_month_and_account(self):
        self.invoice(1, balance=Decimal("20.05"))
        self.invoice(2, is_paid=True)
        self.invoice(3)
        self.invoice(4, date=datetime.date(2025, 12, 31), is_paid=True, balance=0)
        self.invoice(5, date=datetime.date(2025, 11, 30))
        self.invoice(6, account="acme", tax_included_amount=None)
        found = activity.monthly_amounts()
        first, *_between, last = found["default"]
        assert (first.first_day, last.first_day) == (
            datetime.date(2025, 12, 1),
            datetime.date(2026, 11, 1),
        )
        assert (first.invoiced, first.paid) == (Decimal("120.10"), Decimal("120.10"))
        assert (last.invoiced, last.paid) == (Decimal("360.30"), Decimal("220.15"))
        assert last.as_json() == {"month": "2026-11", "invoiced": "360.3", "paid": "220.15"}
        assert found["acme"][-1].invoiced == 0
        assert len(found["default"]) == activity.MONTHS

    def test_leave_out_what_is_no_claim(self):
        for number, column in enumerate(["is_draft", "is_proforma", "is_cancelled"], start=1):
            self.invoice(number, **{column: True})
        self.invoice(9, deleted_at=NOON)
        assert activity.monthly_amounts() == {}


class TestBlocked:
    def health(self):
        return {each.account: each for each in health_of(["default"], {})}

    def test_events_behind_one_that_is_retried_are_blocked(self, post, deferred):
        for _ in range(3):
            post(body_of("CustomerUpdated", id=1))
        post(body_of("CustomerUpdated", id=2))
        post(body_of("CustomerUpdated", id=1), account="acme")
        first = WebhookEvent.objects.order_by("pk").first()
        later = timezone.now() + datetime.timedelta(hours=1)
        WebhookEvent.objects.filter(pk=first.pk).update(
            status=Status.FAILED, next_attempt_at=later, mirrored_at=timezone.now()
        )
        found = self.health()
        assert found["default"].blocked == 2
        assert found["acme"].blocked == 0
        default = found["default"]
        assert (default.pending, default.failed, default.processing) == (3, 1, 0)

    def test_nothing_is_blocked_by_an_event_that_is_due(self, post, deferred):
        for _ in range(2):
            post(body_of("CustomerUpdated", id=1))
        assert self.health()["default"].blocked == 0


class TestSyncs:
    def test_the_last_of_each_kind_counts_without_dry_runs(self):
        values = {"is_import": False, "as_of": 0, "finished_at": timezone.now()}
        SyncRun.objects.create(account="default", entity="invoice", **values, new=9)
        last = SyncRun.objects.create(
            account="default", entity="invoice", **values, new=1, changed=2, deleted=3, failed=1
        )
        SyncRun.objects.create(account="default", entity="invoice", **values, is_dry_run=True)
        SyncRun.objects.create(account="acme", entity="invoice", **values)
        SyncRun.objects.create(account="default", entity="customer", as_of=0, is_import=True)
        customer, invoice = last_syncs("default")
        assert (customer.state, customer.drift) == (SyncState.RUNNING, 0)
        assert (invoice.pk, invoice.drift) == (last.pk, 6)
        (overview,) = overview_of(["default"], {}, {}, {})
        told = overview.as_json()
        assert told["syncs"]["invoice"]["drift"] == 6
        assert told["syncs"]["customer"]["finished_at"] is None
        json.dumps(told)
