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


def received(ago, **conditions):
    then = timezone.now() - datetime.timedelta(**ago)
    WebhookEvent.objects.filter(**conditions).update(received_at=then)


def test_tells_what_is_where(post):
    for number in range(3):
        post(body_of("CustomerUpdated", id=number + 1))
    post(body_of("CustomerUpdated"), account="acme")
    post(b"ping")
    WebhookEvent.objects.filter(object_id=2).update(status=Status.FAILED)
    WebhookEvent.objects.filter(object_id=3).update(status=Status.DEAD)
    received({"minutes": 5}, object_id=1)
    default, acme = run().split("Account “acme”")
    assert "not settled    2, the oldest for 0:05:00\n" in default
    assert "failed         1\n" in default
    assert "dead           1\n" in default
    assert "malformed      1\n" in default
    assert "not settled    1, the oldest for 0:00:0" in acme
    assert str(timezone.localtime().date()) in acme


def test_tells_it_to_scripts(post):
    post(body_of("CustomerUpdated", id=1))
    value = json.loads(run("--format", "json"))
    default, acme = value["accounts"]
    assert value["problems"] == []
    assert (default["account"], default["backlog"], default["failed"]) == ("default", 1, 0)
    assert datetime.datetime.fromisoformat(default["oldest"]) <= timezone.now()
    empty = dict.fromkeys(["backlog", "failed", "dead", "malformed"], 0)
    assert acme == {"account": "acme", **empty, "oldest": None, "last_received_at": None}


def test_nothing_yet(settings):
    settings.USE_TZ = False
    assert "last received  never" in run()


def test_without_time_zones(post, settings):
    settings.USE_TZ = False
    post(body_of("CustomerUpdated", id=1))
    assert str(timezone.now().date()) in run()


class TestLimits:
    def test_of_age(self, post):
        post(body_of("CustomerUpdated", id=1))
        received({"hours": 2})
        run("--max-age", "3h")
        with pytest.raises(CommandError, match=r"“default”: an event has waited for 2:00:0"):
            run("--max-age", "90m")

    def test_of_age_do_not_mind_what_is_settled(self, post):
        post(body_of("CustomerUpdated", id=1))
        received({"days": 9})
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
        received({"days": 1, "hours": 1})
        run("--max-silence", "2d", "--account", "default")
        with pytest.raises(CommandError, match="nothing has been received for 1 day, 1:00:0"):
            run("--max-silence", "24h", "--account", "default")

    def test_of_silence_where_nothing_ever_came_in(self, post):
        with pytest.raises(CommandError, match="“acme”: nothing has ever been received"):
            run("--max-silence", "100d")

    def test_of_silence_hear_no_sync(self, post):
        post(body_of("CustomerUpdated", id=1))
        WebhookEvent.objects.update(source=Source.SYNC)
        with pytest.raises(CommandError, match="ever been received"):
            run("--max-silence", "100d", "--account", "default")

    def test_are_of_the_account_that_was_asked_for(self, post):
        post(body_of("CustomerUpdated", id=1))
        received({"days": 1})
        run("--max-age", "1h", "--account", "acme")

    def test_are_told_to_scripts(self, post):
        post(body_of("CustomerUpdated", id=1))
        received({"days": 1})
        out = StringIO()
        with pytest.raises(CommandError):
            call_command("altoviz_status", "--max-age", "1h", "--format", "json", stdout=out)
        (problem,) = json.loads(out.getvalue())["problems"]
        assert "has waited" in problem

    def test_must_be_durations(self):
        with pytest.raises(CommandError, match="is not a duration"):
            run("--max-age", "soon")


def test_a_default_account_that_is_not_used_is_not_silent(post, settings):
    post(body_of("CustomerUpdated", id=1), account="acme")
    settings.ALTOVIZ = settings.ALTOVIZ | {"WEBHOOK_SECRET": ""}
    assert "default" not in run("--max-silence", "1h")


def test_an_account_that_has_left_the_settings_is_not_forgotten_with_its_backlog(post):
    post(body_of("CustomerUpdated", id=1))
    WebhookEvent.objects.update(account="former")
    assert "Account “former”\n  not settled    1" in run()
