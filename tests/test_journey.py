"""The journey of an event, from delivery to pruning. ``test_variants.py`` runs it in other projects."""

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
    """Return all rows of the model, from whichever database the router chooses."""
    return getattr(model, "with_pruned", model._base_manager).using(router.db_for_write(model))


def run(command, *args):
    out = StringIO()
    call_command(f"altoviz_{command}", *args, stdout=out)
    return out.getvalue()


@pytest.fixture
def receivers():
    """Connect two receivers that record their calls. The second fails while ``fails`` is true."""

    def first(event, **kwargs):
        first.calls.append(kwargs)

    def second(event, **kwargs):
        if first.fails:
            raise RuntimeError
        second.calls.append(kwargs)

    first.calls, second.calls, first.fails = [], [], False
    first.second = second
    invoice_updated.connect(first)
    invoice_updated.connect(second)
    yield first
    invoice_updated.disconnect(first)
    invoice_updated.disconnect(second)


def test_a_delivery_takes_effect_once(post, receivers):
    answers = [post(BODY).json()["status"] for _ in range(2)]
    assert answers == ["stored", "known"]
    event = stored().get()
    assert (event.status, event.deliveries) == (Status.PROCESSED, 2)
    assert len(receivers.calls) == 1
    assert stored(Invoice).get().sent_at == receivers.calls[0]["instance"].sent_at


def test_a_retry_calls_only_the_receiver_that_failed_with_the_same_changes(post, receivers):
    receivers.fails = True
    post(BODY)
    with pytest.raises(CommandError):
        run("process_events", "--status", "failed")
    receivers.fails = False
    assert run("process_events", "--status", "failed").startswith("processed: 1")
    assert len(receivers.calls) == len(receivers.second.calls) == 1
    assert receivers.second.calls[0]["changes"] == receivers.calls[0]["changes"]
    assert receivers.calls[0]["changes"]["sent_at"][1] is not None


@pytest.mark.usefixtures("deferred")
def test_pending_events_are_reported_and_processed(post, receivers):
    post(BODY)
    assert run("process_events", "--dry-run") == "Would process: 1\n"
    state = json.loads(run("status", "--format", "json"))["accounts"][0]
    assert state["backlog"] == 1
    assert state["oldest"] == state["last_received_at"] == stored().get().received_at.isoformat()
    assert "the oldest for 0:00:0" in run("status")
    with pytest.raises(CommandError, match="has waited"):
        run("status", "--max-age", "0s")
    assert json.loads(run("process_events", "--format", "json"))["left"] == 0
    assert len(receivers.calls) == 1


def test_events_can_be_selected_by_time(post, receivers):
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
    assert len(receivers.calls) == 4


@pytest.mark.usefixtures("receivers")
def test_old_events_are_pruned(post):
    post(BODY)
    assert run("prune_events") == "Events emptied: 0, deleted: 0.\n"
    stored().update(received_at=timezone.now() - datetime.timedelta(days=100))
    assert run("prune_events", "--days", "99") == "Events emptied: 1, deleted: 0.\n"
    assert not stored().exclude(body="").exists()
    assert not stored(ReceiverRun).exists()


def test_the_admin_shows_an_event_and_processes_it_again(post, receivers, admin_client):
    receivers.fails = True
    post(BODY)
    depths = []
    receivers.fails = False
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
