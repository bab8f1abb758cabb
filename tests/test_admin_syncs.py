"""The pages of syncs: what became of each, why, and the events that it caused."""

from __future__ import annotations

import datetime
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from django_altoviz.models import Source, SyncRun, WebhookEvent
from django_altoviz.models.sync_runs import SyncState, in_state
from tests.conftest import body_of

pytestmark = pytest.mark.django_db
LIST = reverse("admin:django_altoviz_syncrun_changelist")
MINUTE = datetime.timedelta(minutes=1)
ERROR = "GET /v1/Customers: https://api.altoviz.com can't be reached. Check the network."


def run(**values):
    return SyncRun.objects.create(
        **{"account": "default", "entity": "customer", "is_import": False, "as_of": 0} | values
    )


@pytest.fixture
def runs():
    now = timezone.now()
    return {
        SyncState.RUNNING: [run(), run(active_at=now - 14 * MINUTE)],
        SyncState.STOPPED: [run(error=ERROR), run(active_at=now - 16 * MINUTE)],
        SyncState.FAILED: [run(error=ERROR, finished_at=now)],
        SyncState.DONE: [run(finished_at=now), run(finished_at=now, active_at=now - 60 * MINUTE)],
    }


def page(client, url, **query):
    answer = client.get(url, query, follow=True)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


@pytest.mark.parametrize("state", SyncState)
def test_each_state_is_shown_and_found(runs, state, admin_client):
    assert [each.state for each in runs[state]] == [state] * len(runs[state])
    assert {*SyncRun.objects.filter(in_state(state))} == {*runs[state]}
    answer = admin_client.get(LIST, {"state": state})
    assert {*answer.context["cl"].result_list} == {*runs[state]}
    assert answer.content.decode().count(f">{state.label}</span>") == len(runs[state])


def test_a_state_that_no_sync_can_have_lists_none(runs, admin_client):
    assert len(admin_client.get(LIST, {"state": "no"}).context["cl"].result_list) == 0


def test_the_list_and_the_page_show_the_whole_error(admin_client):
    failed = run(error=ERROR)
    change = reverse("admin:django_altoviz_syncrun_change", args=[failed.pk])
    for url in (LIST, change):
        assert ERROR in page(admin_client, url)


def test_the_title_is_in_local_time():
    at = datetime.datetime(2026, 11, 25, 22, 40, tzinfo=datetime.timezone.utc)
    assert str(SyncRun(entity="customer", started_at=at)) == "customer 2026-11-25 23:40"


def test_the_title_needs_no_time_zones(settings):
    settings.USE_TZ = False
    at = datetime.datetime(2026, 11, 25, 22, 40)
    assert str(SyncRun(entity="customer", started_at=at)) == "customer 2026-11-25 22:40"


def test_the_counts_are_french():
    with translation.override("fr"):
        names = [str(SyncRun._meta.get_field(name).verbose_name) for name in ("new", "deleted")]
    assert names == ["nouveaux", "supprimés"]


class TestEvents:
    @pytest.fixture
    def caused(self, post):
        """A sync, the event that it caused, and one of another time."""
        for name in ("earlier", "caused"):
            post(body_of("CustomerUpdated", event_id=f"evt_{name}"))
        events = WebhookEvent.objects.order_by("pk")
        events.update(source=Source.SYNC)
        earlier, caused = events
        WebhookEvent.objects.filter(pk=earlier.pk).update(
            received_at=caused.received_at - 60 * MINUTE
        )
        started_at = caused.received_at - MINUTE
        return run(started_at=started_at), caused

    def test_of_a_sync_are_linked(self, caused, admin_client):
        run, event = caused
        change = reverse("admin:django_altoviz_syncrun_change", args=[run.pk])
        text = page(admin_client, change)
        start = text.index("/webhookevent/?")
        url = "/admin/django_altoviz" + text[start : text.index('"', start)]
        answer = admin_client.get(url)
        assert [*answer.context["cl"].result_list] == [event]

    def test_of_a_dry_run_there_are_none(self, admin_client):
        change = reverse("admin:django_altoviz_syncrun_change", args=[run(is_dry_run=True).pk])
        assert "Events of this sync" not in page(admin_client, change)

    def test_are_no_link_for_readers_of_syncs_only(self, caused, django_user_model):
        run, _event = caused
        user = django_user_model.objects.create(username="reader", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename="view_syncrun"))
        client = Client()
        client.force_login(user)
        change = reverse("admin:django_altoviz_syncrun_change", args=[run.pk])
        assert "Events of this sync" not in page(client, change)
