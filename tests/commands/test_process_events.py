from __future__ import annotations

import datetime
import itertools
import json
import os
import random
import signal
import sys
import threading
import time
from io import StringIO
from itertools import chain

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import OperationalError, connection
from django.utils import timezone

from django_altoviz.management import progress
from django_altoviz.models import Customer, Status, WebhookEvent
from django_altoviz.processing import backlog, claims, ready_keys
from django_altoviz.signals import customer_updated
from tests.conftest import body_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("deferred")]


def statuses():
    return list(WebhookEvent.objects.order_by("pk").values_list("status", flat=True))


@pytest.fixture
def handled():
    """Record the events that a receiver handles."""
    events = []

    def listen(event, **kwargs):
        events.append(event)

    customer_updated.connect(listen)
    yield events
    customer_updated.disconnect(listen)


@pytest.fixture
def failing():
    """Connect a receiver that fails until it is disconnected."""

    def fail(**kwargs):
        raise RuntimeError

    customer_updated.connect(fail)
    fail.disconnect = lambda: customer_updated.disconnect(fail)
    yield fail
    customer_updated.disconnect(fail)


def run(*args):
    out = StringIO()
    call_command("altoviz_process_events", *args, stdout=out)
    return out.getvalue()


def test_pending_events_are_processed_in_order_of_arrival(post):
    order = []

    def listen(event, **kwargs):
        order.append(event.pk)

    for _ in range(3):
        post(body_of("CustomerUpdated", id=1))
    customer_updated.connect(listen)
    try:
        assert run() == "processed: 3, ignored: 0, failed: 0, dead: 0\n"
    finally:
        customer_updated.disconnect(listen)
    assert order == sorted(order)
    assert len(order) == 3
    assert run() == "processed: 0, ignored: 0, failed: 0, dead: 0\n"


def test_a_failed_event_is_retried_when_it_is_due(post):
    post(body_of("CustomerCreated", id=1, active="maybe"))
    post(body_of("CustomerCreated", id=2))
    with pytest.raises(CommandError, match=r"^1 event failed\."):
        run()
    assert Customer.objects.count() == 1
    event = WebhookEvent.objects.get(status=Status.FAILED)
    assert run().startswith("processed: 0, ignored: 0, failed: 0, dead: 0\n1 not settled: ")
    WebhookEvent.objects.filter(pk=event.pk).update(next_attempt_at=timezone.now())
    with pytest.raises(CommandError, match=r"^1 event failed\."):
        run()
    event.refresh_from_db()
    assert event.attempts == 2


def test_an_event_is_tried_once_in_a_run(post, monkeypatch, failing):
    monkeypatch.setattr(backlog, "_KEYS_IN_WINDOW", 2)
    for number in range(5):
        post(body_of("CustomerUpdated", id=number + 1))
    with pytest.raises(CommandError, match=r"^5 events failed\."):
        run()
    assert set(WebhookEvent.objects.values_list("attempts", flat=True)) == {1}


def test_events_that_wait_for_an_earlier_event_are_not_read(post, failing):
    for _ in range(3):
        post(body_of("CustomerUpdated", id=1))
    post(body_of("CustomerCreated", id=1))
    with pytest.raises(CommandError, match=r"^1 event failed\."):
        run()
    assert statuses() == ["failed", "pending", "pending", "pending"]
    assert not [*chain.from_iterable(ready_keys(WebhookEvent.objects.all()))]
    assert WebhookEvent.objects.due().count() == 3


class TestReplay:
    def test_of_failed_events_does_not_wait_for_their_retry(self, post, failing):
        post(body_of("CustomerUpdated", id=1))
        with pytest.raises(CommandError):
            run()
        failing.disconnect()
        assert run("--status", "failed") == "processed: 1, ignored: 0, failed: 0, dead: 0\n"

    def test_calls_receivers_again_only_from_scratch(self, post, handled):
        post(body_of("CustomerUpdated", id=1))
        run()
        run("--status", "processed")
        assert len(handled) == 1
        run("--status", "processed", "--from-scratch")
        assert [event.attempts for event in handled] == [1, 3]

    def test_calls_receivers_once_for_an_event_processed_with_an_earlier_one(self, post, handled):
        for _ in range(2):
            post(body_of("CustomerUpdated", id=1))
        run("--status", "pending", "--from-scratch")
        assert [event.attempts for event in handled] == [1, 1]
        assert statuses() == ["processed", "processed"]

    def test_of_chosen_events(self, post, handled):
        for number in (1, 2):
            post(body_of("CustomerUpdated", f"evt_{number}", id=number))
        post(body_of("ProductUpdated", id=1))
        post(body_of("CustomerUpdated", "evt_3", id=3), account="acme")
        run()
        again = ("--status", "processed", "--from-scratch", "--format", "json")
        tomorrow = (timezone.now() + datetime.timedelta(days=1)).isoformat()
        for chosen, number in [
            (["--type", "CustomerUpdated"], 3),
            (["--type", "CustomerUpdated", "--type", "ProductUpdated"], 4),
            (["--object", "customer:1"], 1),
            (["--event", "evt_2"], 1),
            (["--account", "acme"], 1),
            (["--since", tomorrow], 0),
            (["--since", "2026-01-01", "--until", tomorrow], 4),
            (["--limit", "2"], 2),
        ]:
            would = json.loads(run(*again, "--dry-run", *chosen))
            assert would == {"would_process": number}, chosen
            assert json.loads(run(*again, *chosen))["processed"] == number, chosen

    def test_reports_an_event_that_can_not_be_processed(self, post, capsys):
        post({"id": "evt_1", "type": "CreditCreated", "data": {"id": 7}})
        with pytest.raises(CommandError, match=r"^1 event was not processed\.$") as refused:
            run("--status", "ignored")
        assert refused.value.returncode == 3
        assert (
            "CreditCreated evt_1 was not processed: event type unknown" in capsys.readouterr().err
        )

    def test_reports_an_event_that_waits_for_an_earlier_event(self, post, failing, capsys):
        for number in (1, 2):
            post(body_of("CustomerUpdated", f"evt_{number}", id=1))
        with pytest.raises(CommandError):
            run()
        with pytest.raises(CommandError) as refused:
            run("--event", "evt_2", "--status", "pending")
        assert refused.value.returncode == 3
        assert (
            "evt_2 was not processed: waiting for an earlier event of the object."
            in capsys.readouterr().err
        )

    def test_exits_with_1_for_a_failure_rather_than_3_for_a_refusal(self, post, failing):
        for number in (1, 2):
            post(body_of("CustomerUpdated", id=number))
        held = WebhookEvent.objects.first()
        claims.claim(held)
        out = StringIO()
        again = ["--status", "pending", "--status", "processing", "--format", "json"]
        with pytest.raises(CommandError, match=r"^1 event failed\.") as failed:
            call_command("altoviz_process_events", *again, stdout=out)
        assert failed.value.returncode == 1
        counts = {"processed": 0, "ignored": 0, "failed": 1, "dead": 0, "refused": 1, "left": 2}
        assert json.loads(out.getvalue()) == counts

    def test_of_no_events_is_not_an_error(self):
        assert run("--status", "dead") == "processed: 0, ignored: 0, failed: 0, dead: 0\n"

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (["--from-scratch"], "needs --status"),
            (["--watch", "--status", "failed"], "can't be combined"),
            (["--watch", "--limit", "1"], "can't be combined"),
            (["--status", "malformed"], "invalid choice"),
            (["--object", "invoice"], "write KIND:ID"),
            (["--object", "receipt:1"], "write KIND:ID"),
            (["--since", "yesterday"], "is not a time"),
            (["--since", "2026-13-01"], "month must be in"),
        ],
    )
    def test_refuses_invalid_options(self, arguments, reason):
        with pytest.raises(CommandError, match=reason):
            run(*arguments)


def test_limit_stops_after_n_events(post, monkeypatch):
    monkeypatch.setattr(backlog, "_KEYS_IN_WINDOW", 2)
    for _ in range(5):
        post(body_of("CustomerUpdated"))
    post(body_of("CustomerUpdated", id=9), account="acme")
    assert run("--dry-run", "--limit", "3") == "Would process: 3\n"
    assert run("--limit", "3").startswith("processed: 3, ignored: 0, failed: 0, dead: 0\n")
    assert run("--account", "acme").startswith("processed: 1, ")
    counts = {"processed": 2, "ignored": 0, "failed": 0, "dead": 0, "refused": 0, "left": 0}
    assert json.loads(run("--format", "json")) == counts


def test_a_limit_of_zero_processes_nothing(post):
    post(body_of("CustomerUpdated"))
    assert run("--limit", "0").startswith("processed: 0, ")
    assert "Would process: 0" in run("--limit", "0", "--dry-run")
    assert "Would process: 1" in run("--limit", "5", "--dry-run")


class TestProgress:
    @pytest.fixture
    def clock(self, monkeypatch):
        """Let six seconds pass with each look at the clock of the progress."""
        seconds = itertools.count(step=6.0)
        monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))

    @pytest.mark.parametrize("verbosity", [0, 1])
    def test_a_long_run_shows_signs_of_life(self, clock, capsys, verbosity):
        events = progress.EventProgress(OutputWrapper(sys.stderr), is_quiet=not verbosity)
        for number in range(1, 7):
            events.processed(number)
        lines = [f"{number} events so far." for number in (2, 4, 6)]
        assert capsys.readouterr().err.splitlines() == (lines if verbosity else [])

    def test_a_short_run_shows_none(self, post, capsys):
        post(body_of("CustomerUpdated"))
        run()
        assert capsys.readouterr().err == ""


class TestOtherWorkers:
    def test_keep_the_events_that_they_have_claimed(self, post, monkeypatch):
        post(body_of("CustomerUpdated"))
        monkeypatch.setattr(backlog, "process", lambda event, **options: [])
        assert run().startswith("processed: 0, ignored: 0, failed: 0, dead: 0\n1 not settled: ")

    def test_continue_in_different_places_after_a_collision(self, post, monkeypatch):
        """Otherwise two workers would collide at every event, and one would only wait."""
        monkeypatch.setattr(backlog, "_EVENTS_IN_CHUNK", 2)
        monkeypatch.setattr(random, "shuffle", list.reverse)
        for number in range(8):
            post(body_of("CustomerUpdated", id=number + 1))
        order = []

        def meet(event, **options):
            order.append(event.object_id)
            return [] if order == [1] else process(event, **options)

        process = backlog.process
        monkeypatch.setattr(backlog, "process", meet)
        run()
        assert order == [1, 7, 8, 5, 6, 3, 4, 2]
        assert statuses() == ["pending"] + ["processed"] * 7

    def test_keep_one_object_without_starving_the_others(self, post, monkeypatch):
        """Another worker hangs in an object with more waiting events than the limit of a run."""
        for _ in range(30):
            post(body_of("CustomerUpdated", id=1))
        post(body_of("CustomerUpdated", id=2))
        tried = []

        def meet(event, **options):
            tried.append(event.object_id)
            return [] if event.object_id == 1 else process(event, **options)

        process = backlog.process
        monkeypatch.setattr(backlog, "process", meet)
        run("--limit", "5")
        assert tried == [1, 2]
        assert statuses() == ["pending"] * 30 + ["processed"]

    def test_are_not_assumed_for_events_processed_with_an_earlier_one(self, post, handled):
        for number in range(30):
            post(body_of("CustomerUpdated", id=1 if number < 3 else number))
        run()
        assert [event.pk for event in handled] == sorted(event.pk for event in handled)

    def test_can_be_stopped_at_any_event(self, post, monkeypatch):
        monkeypatch.setattr(backlog, "_EVENTS_IN_CHUNK", 1)
        process = backlog.process
        for stop_after in range(5):
            WebhookEvent.objects.all().delete()
            for number in range(3):
                post(body_of("CustomerUpdated", id=number + 1))
            calls = []

            def meet(event, calls=calls, **options):
                calls.append(event.pk)
                return [] if len(calls) == 1 else process(event, **options)

            monkeypatch.setattr(backlog, "process", meet)
            list(backlog.drain(stopped=lambda calls=calls, most=stop_after: len(calls) >= most))
            assert len(calls) == min(stop_after, 3)


@pytest.mark.django_db(transaction=True)
class TestWatch:
    def test_runs_until_sigterm(self, post):
        post(body_of("CustomerUpdated", id=1))
        out = StringIO()

        def come_later_and_end():
            wait_until(lambda: statuses() == ["processed"])
            post(body_of("CustomerUpdated", id=2))
            wait_until(lambda: statuses() == ["processed"] * 2)
            os.kill(os.getpid(), signal.SIGTERM)
            connection.close()

        helper = threading.Thread(target=come_later_and_end)
        helper.start()
        former = signal.getsignal(signal.SIGTERM)
        call_command("altoviz_process_events", "--watch", "--interval", "0.01", stdout=out)
        assert signal.getsignal(signal.SIGTERM) == former
        helper.join()
        assert out.getvalue() == "processed: 2, ignored: 0, failed: 0, dead: 0\n"

    def test_finishes_the_current_event_on_sigterm(self, post):
        def end(**kwargs):
            os.kill(os.getpid(), signal.SIGTERM)

        for number in range(3):
            post(body_of("CustomerUpdated", id=number + 1))
        customer_updated.connect(end)
        try:
            assert run("--watch").startswith("processed: 1, ")
        finally:
            customer_updated.disconnect(end)
        assert statuses() == ["processed", "pending", "pending"]

    def test_survives_a_database_that_does_not_answer(self, post, monkeypatch, caplog):
        post(body_of("CustomerUpdated", id=1))

        def gone_once(*args, **kwargs):
            monkeypatch.undo()
            end = threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGTERM])
            end.start()
            raise OperationalError("server closed the connection")

        monkeypatch.setattr(backlog, "process", gone_once)
        assert run("--watch", "--interval", "0.01").startswith("processed: 1, ")
        assert "does not answer" in caplog.text

    def test_survives_a_closed_connection(self, post, caplog):
        """The worker must open a new connection, as after a restart of the database server."""
        post(body_of("CustomerUpdated", id=1))
        break_connection()
        end = threading.Timer(1, os.kill, [os.getpid(), signal.SIGTERM])
        end.start()
        assert run("--watch", "--interval", "0.01").startswith("processed: 1, ")
        end.join()
        assert "does not answer" in caplog.text


def break_connection():
    """Break the connection as a restart of the database server does."""
    if connection.vendor == "sqlite":
        connection.connection.close()
        return
    own, kill = {
        "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%s)"),
        "mysql": ("SELECT connection_id()", "KILL %s"),
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(own)
        number = cursor.fetchone()
    with connection.copy().cursor() as cursor:
        cursor.execute(kill, number)
        cursor.db.close()


def wait_until(condition):
    give_up_at = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def test_an_unknown_account_is_refused():
    with pytest.raises(CommandError, match="invalid choice: 'nobody'"):
        run("--account", "nobody")
