from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from django_altoviz.management.commands import altoviz_process_events
from django_altoviz.models import Customer, Status, WebhookEvent
from django_altoviz.signals import customer_updated
from tests.conftest import body_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("deferred")]


def run(*args):
    out = StringIO()
    call_command("altoviz_process_events", *args, stdout=out)
    return out.getvalue()


def test_processes_what_waits_in_order_of_arrival(post):
    order = []

    def listen(event, **kwargs):
        order.append(event.pk)

    for _ in range(3):
        post(body_of("CustomerUpdated", id=1))
    customer_updated.connect(listen)
    try:
        assert run() == "processed: 3, ignored: 0, failed: 0\n"
    finally:
        customer_updated.disconnect(listen)
    assert order == sorted(order)
    assert len(order) == 3
    assert run() == "processed: 0, ignored: 0, failed: 0\n"


def test_tries_what_failed_again_once(post):
    post(body_of("CustomerCreated", id=1, active="maybe"))
    post(body_of("CustomerCreated", id=2))
    for attempts in (1, 2):
        with pytest.raises(CommandError, match=r"^1 event failed\."):
            run()
        assert WebhookEvent.objects.get(status=Status.FAILED).attempts == attempts
    assert Customer.objects.count() == 1


def test_tries_nothing_twice_in_one_run(post, monkeypatch):
    monkeypatch.setattr(altoviz_process_events, "_BATCH", 2)

    def fail(**kwargs):
        raise RuntimeError

    customer_updated.connect(fail)
    try:
        for _ in range(5):
            post(body_of("CustomerUpdated", id=1))
        with pytest.raises(CommandError, match=r"^5 events failed\."):
            run()
    finally:
        customer_updated.disconnect(fail)
    assert set(WebhookEvent.objects.values_list("attempts", flat=True)) == {1}


def test_counts_several_failures(post):
    for number in (1, 2):
        post(body_of("CustomerCreated", id=number, active="maybe"))
    with pytest.raises(CommandError, match=r"^2 events failed\."):
        run()


def test_can_be_limited(post, monkeypatch):
    monkeypatch.setattr(altoviz_process_events, "_BATCH", 2)
    for _ in range(5):
        post(body_of("CustomerUpdated"))
    post(body_of("CustomerUpdated", id=9), account="acme")
    assert run("--limit", "3") == "processed: 3, ignored: 0, failed: 0\n"
    assert run("--account", "acme") == "processed: 1, ignored: 0, failed: 0\n"
    assert json.loads(run("--format", "json")) == {"processed": 2, "ignored": 0, "failed": 0}


def test_leaves_what_another_worker_takes_meanwhile(post, monkeypatch):
    post(body_of("CustomerUpdated"))
    monkeypatch.setattr(altoviz_process_events, "process", lambda event: [])
    assert run() == "processed: 0, ignored: 0, failed: 0\n"


def test_refuses_an_account_that_does_not_exist():
    with pytest.raises(CommandError, match="invalid choice: 'nobody'"):
        run("--account", "nobody")
