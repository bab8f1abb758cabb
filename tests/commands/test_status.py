from __future__ import annotations

import datetime
import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from django_altoviz.models import Source, Status, WebhookEvent
from tests.conftest import body_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("deferred")]


def run(*args):
    out = StringIO()
    call_command("altoviz_status", *args, stdout=out)
    return out.getvalue()


def set_received_at(ago, **conditions):
    then = timezone.now() - datetime.timedelta(**ago)
    WebhookEvent.objects.filter(**conditions).update(received_at=then)


def test_prints_the_health_of_each_account(post):
    for number in range(3):
        post(body_of("CustomerUpdated", id=number + 1))
    post(body_of("CustomerUpdated"), account="acme")
    post(b"ping")
    WebhookEvent.objects.filter(object_id=2).update(status=Status.FAILED)
    WebhookEvent.objects.filter(object_id=3).update(status=Status.DEAD)
    set_received_at({"minutes": 5}, object_id=1)
    default, acme = run().split("Account “acme”")
    assert "not settled    2, the oldest for 0:05:00\n" in default
    assert "failed         1\n" in default
    assert "dead           1\n" in default
    assert "malformed      1\n" in default
    assert "not settled    1, the oldest for 0:00:0" in acme
    assert str(timezone.localtime().date()) in acme


def test_prints_json(post):
    post(body_of("CustomerUpdated", id=1))
    value = json.loads(run("--format", "json"))
    default, acme = value["accounts"]
    assert value["problems"] == []
    assert (default["account"], default["backlog"], default["failed"]) == ("default", 1, 0)
    assert datetime.datetime.fromisoformat(default["oldest"]) <= timezone.now()
    counts = ["backlog", "pending", "processing", "blocked", "failed"]
    empty = dict.fromkeys([*counts, "dead", "conflicting", "malformed"], 0)
    never = dict.fromkeys(["oldest", "last_received_at", "altoviz"])
    nothing = {"rejected": {}, "syncs": {}, "months": []}
    assert acme == {"account": "acme", **empty, **never, **nothing}
    assert value["events"]["hours"][-1]["pending"] == 1


def test_without_events(settings):
    settings.USE_TZ = False
    assert "last received  never" in run()


def test_without_time_zones(post, settings):
    settings.USE_TZ = False
    post(body_of("CustomerUpdated", id=1))
    assert str(timezone.now().date()) in run()


class TestLimits:
    def test_of_age(self, post):
        post(body_of("CustomerUpdated", id=1))
        set_received_at({"hours": 2})
        run("--max-age", "3h")
        with pytest.raises(CommandError, match=r"“default”: an event has waited for 2:00:0"):
            run("--max-age", "90m")

    def test_of_age_ignore_settled_events(self, post):
        post(body_of("CustomerUpdated", id=1))
        set_received_at({"days": 9})
        WebhookEvent.objects.update(status=Status.PROCESSED)
        run("--max-age", "1s")

    def test_of_failures(self, post):
        for number in range(2):
            post(body_of("CustomerUpdated", id=number + 1))
        WebhookEvent.objects.filter(object_id=1).update(status=Status.DEAD)
        WebhookEvent.objects.filter(object_id=2).update(status=Status.FAILED)
        run("--max-failed", "2")
        with pytest.raises(CommandError, match="“default”: events failed or dead: 2"):
            run("--max-failed", "1")

    def test_of_silence(self, post):
        post(body_of("CustomerUpdated", id=1))
        set_received_at({"days": 1, "hours": 1})
        run("--max-silence", "2d", "--account", "default")
        with pytest.raises(CommandError, match="nothing has been received for 1 day, 1:00:0"):
            run("--max-silence", "24h", "--account", "default")

    def test_of_silence_are_exceeded_without_any_delivery(self, post):
        with pytest.raises(CommandError, match="“acme”: nothing has ever been received"):
            run("--max-silence", "100d")

    def test_of_silence_ignore_events_of_a_sync(self, post):
        post(body_of("CustomerUpdated", id=1))
        WebhookEvent.objects.update(source=Source.SYNC)
        with pytest.raises(CommandError, match="ever been received"):
            run("--max-silence", "100d", "--account", "default")

    def test_are_checked_for_the_given_account_only(self, post):
        post(body_of("CustomerUpdated", id=1))
        set_received_at({"days": 1})
        run("--max-age", "1h", "--account", "acme")

    def test_are_reported_in_json(self, post):
        post(body_of("CustomerUpdated", id=1))
        set_received_at({"days": 1})
        out = StringIO()
        with pytest.raises(CommandError):
            call_command("altoviz_status", "--max-age", "1h", "--format", "json", stdout=out)
        (problem,) = json.loads(out.getvalue())["problems"]
        assert "has waited" in problem

    def test_must_be_durations(self):
        with pytest.raises(CommandError, match="is not a duration"):
            run("--max-age", "soon")
        with pytest.raises(CommandError, match="is longer than any time can be"):
            run("--max-age", "99999999999999d")


def test_an_unused_default_account_is_not_checked(post, settings):
    post(body_of("CustomerUpdated", id=1), account="acme")
    settings.ALTOVIZ = settings.ALTOVIZ | {"WEBHOOK_SECRET": ""}
    assert "default" not in run("--max-silence", "1h")


def test_an_account_without_settings_is_shown_while_it_has_a_backlog(post):
    post(body_of("CustomerUpdated", id=1))
    WebhookEvent.objects.update(account="former")
    assert "Account “former”\n  not settled    1" in run()
