"""From the delivery to the pruning. ``test_variants.py`` runs this in other projects, too."""

from __future__ import annotations

import datetime
import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, router
from django.urls import reverse
from django.utils import timezone

from django_altoviz.models import Invoice, ReceiverRun, Status, WebhookEvent
from django_altoviz.signals import invoice_updated
from tests.conftest import body_of

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

BODY = body_of("InvoiceUpdated", "evt_1", id=1)


def stored(model=WebhookEvent):
    """The rows, wherever they are."""
    return getattr(model, "with_pruned", model._base_manager).using(router.db_for_write(model))


def run(command, *args):
    out = StringIO()
    call_command(f"altoviz_{command}", *args, stdout=out)
    return out.getvalue()


@pytest.fixture
def heard():
    """What two receivers are told, of which the second one fails as long as ``fails`` is set."""

    def first(event, **kwargs):
        first.told.append(kwargs)

    def second(event, **kwargs):
        if first.fails:
            raise RuntimeError
        second.told.append(kwargs)

    first.told, second.told, first.fails = [], [], False
    first.second = second
    invoice_updated.connect(first)
    invoice_updated.connect(second)
    yield first
    invoice_updated.disconnect(first)
    invoice_updated.disconnect(second)


def test_a_delivery_takes_effect_once(post, heard):
    answers = [post(BODY).json()["status"] for _ in range(2)]
    assert answers == ["stored", "known"]
    event = stored().get()
    assert (event.status, event.deliveries) == (Status.PROCESSED, 2)
    assert len(heard.told) == 1
    assert stored(Invoice).get().sent_at == heard.told[0]["instance"].sent_at


def test_a_retry_calls_whom_it_still_owes_and_tells_the_same(post, heard):
    heard.fails = True
    post(BODY)
    with pytest.raises(CommandError):
        run("process_events", "--status", "failed")
    heard.fails = False
    assert run("process_events", "--status", "failed").startswith("processed: 1")
    assert len(heard.told) == len(heard.second.told) == 1
    assert heard.second.told[0]["changes"] == heard.told[0]["changes"]
    assert heard.told[0]["changes"]["sent_at"][1] is not None


@pytest.mark.usefixtures("deferred")
def test_what_waits_is_seen_and_worked_off(post, heard):
    post(BODY)
    assert run("process_events", "--dry-run") == "Would process: 1\n"
    state = json.loads(run("status", "--format", "json"))["accounts"][0]
    assert state["backlog"] == 1
    assert state["oldest"] == state["last_received_at"] == stored().get().received_at.isoformat()
    assert "the oldest for 0:00:0" in run("status")
    with pytest.raises(CommandError, match="has waited"):
        run("status", "--max-age", "0s")
    assert json.loads(run("process_events", "--format", "json"))["left"] == 0
    assert len(heard.told) == 1


def test_events_are_chosen_by_their_time(post, heard):
    post(BODY)
    now = datetime.datetime.now().astimezone(timezone.get_default_timezone())
    for since, until, number in [
        (now - datetime.timedelta(hours=1), now + datetime.timedelta(hours=1), 1),
        (now + datetime.timedelta(hours=1), now + datetime.timedelta(hours=2), 0),
    ]:
        elsewhere = datetime.timezone(datetime.timedelta(hours=9))
        for times in [
            (since.isoformat(), until.isoformat()),
            (since.astimezone(elsewhere).isoformat(), until.astimezone(elsewhere).isoformat()),
            (since.replace(tzinfo=None).isoformat(), until.replace(tzinfo=None).isoformat()),
        ]:
            chosen = ("--since", times[0], "--until", times[1])
            again = run("process_events", "--status", "processed", "--from-scratch", *chosen)
            assert again.startswith(f"processed: {number}"), times
    assert len(heard.told) == 4


@pytest.mark.usefixtures("heard")
def test_what_is_old_is_pruned(post):
    post(BODY)
    assert run("prune_events") == "Events emptied: 0, deleted: 0.\n"
    stored().update(received_at=timezone.now() - datetime.timedelta(days=100))
    assert run("prune_events", "--days", "99") == "Events emptied: 1, deleted: 0.\n"
    assert not stored().exclude(body="").exists()
    assert not stored(ReceiverRun).exists()


def test_the_admin_shows_it_and_processes_it_again(post, heard, admin_client):
    heard.fails = True
    post(BODY)
    depths = []
    heard.fails = False
    using = router.db_for_write(WebhookEvent)

    def note(**kwargs):
        depths.append(len(connections[using].atomic_blocks))

    invoice_updated.connect(note)
    try:
        action = {"action": "process_again", "_selected_action": [stored().get().pk]}
        events = reverse("admin:django_altoviz_webhookevent_changelist")
        assert admin_client.post(events, action).status_code == 302
    finally:
        invoice_updated.disconnect(note)
    assert stored().get().status == Status.PROCESSED
    assert depths == [1]
    for row in (stored().get(), stored(Invoice).get()):
        name = row._meta.model_name
        page = admin_client.get(reverse(f"admin:django_altoviz_{name}_change", args=[row.pk]))
        assert page.status_code == 200
        listed = admin_client.get(reverse(f"admin:django_altoviz_{name}_changelist"))
        assert len(listed.context["cl"].result_list) == 1
