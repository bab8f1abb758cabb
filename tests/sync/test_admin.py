"""The admin pages of syncs."""

from __future__ import annotations

import pytest

from django_altoviz.event_types import Entity
from django_altoviz.models import Customer, SyncRun, WebhookEvent
from django_altoviz.sync import sync
from tests.sync.lists import customer

pytestmark = pytest.mark.django_db
RUNS = "/admin/django_altoviz/syncrun/"


@pytest.fixture
def page(admin_client, altoviz):
    altoviz.add(Entity.CUSTOMER, customer(1), customer(2, active="maybe"))
    sync(entities=[Entity.CUSTOMER])

    def page(path):
        answer = admin_client.get(path, headers={"Accept-Language": "en"})
        assert answer.status_code == 200
        return answer.content.decode()

    return page


def test_syncs_are_listed_with_their_counts(page):
    text = page(RUNS)
    assert "1 sync" in text
    assert '<td class="field-seen">2</td><td class="field-new">1</td>' in text
    assert '<td class="field-failed">1</td>' in text


def test_a_sync_is_read_only(page, admin_client):
    path = f"{RUNS}{SyncRun.objects.get().pk}/change/"
    text = page(path)
    assert "Findings" in text
    assert 'type="submit"' not in text.replace('<button type="submit">Log out</button>', "")
    assert admin_client.post(path, {"seen": 5}).status_code == 403


def test_the_event_of_a_difference_shows_the_event_before_the_reading(page):
    event = WebhookEvent.objects.get()
    WebhookEvent.objects.update(as_of=418207)
    text = page(f"/admin/django_altoviz/webhookevent/{event.pk}/change/")
    assert ">As of event:<" in text
    assert "418207" in text


def test_an_imported_object_has_no_events(page):
    row = Customer.objects.get()
    assert "No events: a sync has imported this object." in page(
        f"/admin/django_altoviz/customer/{row.pk}/change/"
    )
