"""The metrics are valid OpenMetrics, and say when a human is needed."""

from __future__ import annotations

import datetime
from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from django_altoviz import rejections
from django_altoviz.event_types import EventType
from django_altoviz.models import SyncRun, WebhookEvent
from tests.conftest import body_of

pytestmark = pytest.mark.django_db
URL = "/api/altoviz/v1/metrics/"


def metrics_in(text):
    """Return the values by name and labels. The parser refuses what is no OpenMetrics."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def metrics():
    out = StringIO()
    call_command("altoviz_status", format="openmetrics", stdout=out)
    return metrics_in(out.getvalue())


DEFAULT = ("account", "default")


def test_the_states_of_events_are_counted(post, deferred):
    post(EventType.CUSTOMER_CREATED)
    post(b"nonsense")
    found = metrics()
    assert found["altoviz_events", DEFAULT, ("status", "pending")] == 1
    assert found["altoviz_events", DEFAULT, ("status", "malformed")] == 1
    assert found["altoviz_events", DEFAULT, ("status", "dead")] == 0
    assert 0 <= found["altoviz_backlog_age_seconds", DEFAULT] < 60
    assert 0 <= found["altoviz_silence_seconds", DEFAULT] < 60
    assert ("altoviz_silence_seconds", ("account", "acme")) not in found


def test_rejections_and_syncs_are_told(post):
    post(body_of("CustomerCreated"), signature="0" * 64)
    rejections.tally.write()
    old = timezone.now() - datetime.timedelta(days=30)
    values = {"account": "default", "as_of": 0, "is_import": False, "started_at": old}
    done = {"active_at": old, "finished_at": old}
    SyncRun.objects.create(entity="invoice", changed=3, **values, **done)
    SyncRun.objects.create(entity="quote", error="no network", **values, **done)
    found = metrics()
    answers = {key[2]: value for key, value in found.items() if "rejected" in key[0]}
    assert answers == {("answer", "invalid signature"): 1}
    invoices, quotes = (DEFAULT, ("entity", "invoice")), (DEFAULT, ("entity", "quote"))
    assert found[("altoviz_sync_age_seconds", *invoices)] == pytest.approx(30 * 86400, abs=60)
    assert found[("altoviz_sync_drift", *invoices)] == 3
    assert found[("altoviz_sync_failed", *invoices)] == 0
    assert found[("altoviz_sync_failed", *quotes)] == 1


def test_an_odd_name_of_an_account_stays_one_label(post):
    values = {"entity": "invoice", "as_of": 0, "is_import": False}
    SyncRun.objects.create(account='a"b\\c\nd', **values)
    post(EventType.CUSTOMER_CREATED)
    WebhookEvent.objects.update(account='a"b\\c\nd', status="dead")
    assert metrics()["altoviz_events", ("account", 'a"b\\c\nd'), ("status", "dead")] == 1


def test_a_scraper_needs_the_permission(post):
    post(EventType.CUSTOMER_CREATED)
    accept = {"Accept": "application/openmetrics-text; version=1.0.0, text/plain;q=0.5"}
    assert Client(headers=accept).get(URL).status_code in (401, 403)
    user = User.objects.create_user("scraper")
    client = Client(headers=accept)
    client.force_login(user)
    assert client.get(URL).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_overview"))
    client.force_login(User.objects.get())
    assert client.get(URL).status_code == 403
    more = ["view_webhookevent", "view_rejection", "view_syncrun"]
    user.user_permissions.add(*Permission.objects.filter(codename__in=more))
    answer = client.get(URL)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert metrics_in(answer.content.decode())["altoviz_events", DEFAULT, ("status", "dead")] == 0
