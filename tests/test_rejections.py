"""The counts of rejected deliveries: visible, and cheap under a flood."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections import Counter
from io import StringIO

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.models.signals import pre_save
from django.urls import reverse
from django.utils import timezone

from django_altoviz import rejections
from django_altoviz.event_types import EventType
from django_altoviz.models import Rejection, WebhookEvent
from django_altoviz.signals import webhook_rejected

pytestmark = pytest.mark.django_db
BODY = EventType.CUSTOMER_CREATED
DAY = datetime.timedelta(days=1)


@pytest.fixture
def clock(tally, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(tally, "clock", lambda: now[0])

    def pass_by(seconds):
        now[0] += seconds

    return pass_by


@pytest.fixture
def at_once(tally, monkeypatch):
    monkeypatch.setattr(tally, "interval", 0)


def counts():
    return {(row.account, row.answer): row.deliveries for row in Rejection.objects.all()}


def today():
    return datetime.datetime.now(datetime.timezone.utc).date()


def status(*options):
    out = StringIO()
    call_command("altoviz_status", *options, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("at_once")
class TestCounted:
    def test_by_account_and_answer(self, post, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"MAX_BODY_BYTES": 5000}
        for _ in range(3):
            post(BODY, signature="0" * 64)
        post(BODY, signature="0" * 64, account="acme")
        post(b" " * 5001)
        row = Rejection.objects.get(account="default", answer="invalid signature")
        assert (row.day, row.status_code, row.deliveries) == (today(), 401, 3)
        assert counts() == {
            ("default", "invalid signature"): 3,
            ("acme", "invalid signature"): 1,
            ("default", "too large"): 1,
        }

    def test_all_unknown_accounts_together(self, post):
        for number in range(20):
            post(BODY, path=f"/altoviz/webhook/guess{number}/")
        assert counts() == {("", "unknown account"): 20}

    def test_under_invalid_settings(self, post, settings):
        settings.ALTOVIZ = {"ACCOUNTS": 5}
        post(BODY, path="/altoviz/webhook/anything/")
        assert counts() == {("", "not configured"): 1}

    def test_by_several_processes_in_one_row(self, post):
        for number in range(1, 4):
            other = rejections.Tally()
            for _ in range(number):
                other.count("default", "forbidden", 403)
            other.write()
        assert counts() == {("default", "forbidden"): 6}

    def test_an_accepted_delivery_is_not_counted(self, post):
        post(BODY)
        post(b"no event")
        assert counts() == {}


class TestFlood:
    def test_is_written_once_a_second(self, post, clock, django_assert_num_queries):
        post(BODY, signature="0" * 64)
        with django_assert_num_queries(0):
            for _ in range(50):
                post(BODY, signature="0" * 64)
        assert counts() == {("default", "invalid signature"): 1}
        clock(1.1)
        post(BODY)  # whatever comes next takes the rest along
        assert counts() == {("default", "invalid signature"): 51}

    def test_of_invented_accounts_is_one_row(self, post, clock):
        for number in range(100):
            post(BODY, path=f"/altoviz/webhook/{number}/")
            clock(2)
        assert counts() == {("", "unknown account"): 100}

    def test_is_written_by_one_thread_at_a_time(self, tally):
        tally.interval = 0

        def meanwhile(execute, sql, params, many, context):
            tally.count("default", "forbidden", 403)
            tally.write()
            return execute(sql, params, many, context)

        tally.count("default", "invalid signature", 401)
        with connection.execute_wrapper(meanwhile):
            tally.write()
        assert counts() == {("default", "invalid signature"): 1}
        tally.write()
        assert {*counts()} == {("default", "invalid signature"), ("default", "forbidden")}


class TestDatabaseFailure:
    def test_what_could_not_be_stored_is_counted_later(self, post, clock):
        def refuse(sender, **kwargs):
            raise OperationalError("disk full")

        pre_save.connect(refuse, sender=WebhookEvent)
        try:
            assert [post(BODY).status_code for _ in range(3)] == [503, 503, 503]
        finally:
            pre_save.disconnect(refuse, sender=WebhookEvent)
        assert counts() == {}
        post(BODY)
        assert counts() == {("default", "not stored"): 3}

    def test_changes_no_answer_and_loses_no_count(self, post, clock, caplog):
        def refuse(execute, sql, params, many, context):
            if Rejection._meta.db_table in sql:
                raise OperationalError("locked")
            return execute(sql, params, many, context)

        with connection.execute_wrapper(refuse):
            assert post(BODY, signature="0" * 64).status_code == 401
            clock(2)
            assert post(BODY).status_code == 200
        assert "Rejected deliveries could not be counted: locked" in caplog.text
        clock(2)
        post(BODY)
        assert counts() == {("default", "invalid signature"): 1}

    @pytest.mark.parametrize("limit", [KeyboardInterrupt, SoftTimeLimitExceeded])
    def test_the_time_limit_of_a_task_ends_it(self, tally, limit):
        def interrupt(*args):
            raise limit

        tally.count("default", "forbidden", 403)
        with connection.execute_wrapper(interrupt), pytest.raises(limit):
            tally.write()


@pytest.mark.usefixtures("at_once")
class TestShown:
    def test_by_the_status(self, post):
        for _ in range(2):
            post(BODY, signature="0" * 64)
        post(BODY, path="/altoviz/webhook/guess/")
        Rejection.objects.create(
            account="default",
            day=today() - 7 * DAY,
            answer="forbidden",
            status_code=403,
            deliveries=99,
            last_at=timezone.now(),
        )
        default, rest = status().split("Account “acme”")
        assert "rejected       2 in 7 days (invalid signature: 2)" in default
        assert "rejected       0\n" in rest
        assert rest.endswith("Deliveries for unknown accounts in 7 days: 1\n")

    def test_by_the_status_in_json(self, post):
        post(BODY, signature="0" * 64)
        post(BODY, path="/altoviz/webhook/guess/")
        value = json.loads(status("--format", "json"))
        day = today().isoformat()
        assert value["accounts"][0]["rejected"] == {day: {"invalid signature": 1}}
        assert value["unknown_accounts"] == {day: {"unknown account": 1}}

    def test_by_the_status_if_the_url_lacks_the_account(self, post, settings):
        acme = settings.ALTOVIZ["ACCOUNTS"]["acme"]
        settings.ALTOVIZ = {"ACCOUNTS": {"acme": acme}}
        assert post(BODY).status_code == 503
        found = json.loads(status("--format", "json"))["accounts"]
        assert {each["account"]: bool(each["rejected"]) for each in found} == {
            "acme": False,
            "default": True,
        }
        with pytest.raises(CommandError, match=r"“default”: deliveries rejected.*: 1"):
            status("--max-rejected", "0")
        with pytest.raises(CommandError) as caught:
            status("--max-silence", "1h")
        assert "“acme”" in str(caught.value)
        assert "“default”" not in str(caught.value)

    def test_by_the_status_for_one_account(self, post):
        post(BODY, signature="0" * 64, account="acme")
        assert "acme" not in status("--account", "default")

    def test_by_a_limit(self, post):
        for _ in range(3):
            post(BODY, signature="0" * 64)
        status("--max-rejected", "3")
        with pytest.raises(CommandError, match=r"“default”: deliveries rejected.*: 3"):
            status("--max-rejected", "2")
        Rejection.objects.update(day=today() - 2 * DAY)
        status("--max-rejected", "0")

    def test_in_the_admin(self, post, admin_client):
        for _ in range(2):
            post(BODY, signature="0" * 64, account="acme")
        url = reverse("admin:django_altoviz_rejection_changelist")
        page = admin_client.get(url).content.decode()
        assert "invalid signature" in page
        assert '<td class="field-deliveries">2</td>' in page
        row = Rejection.objects.get()
        change = reverse("admin:django_altoviz_rejection_change", args=[row.pk])
        assert admin_client.get(change).status_code == 200
        assert admin_client.post(change, {"deliveries": 0}).status_code == 403

    @pytest.mark.parametrize(
        ("options", "expected"),
        [({"signature": "0" * 64}, b"text"), ({"REMOTE_ADDR": "203.0.113.9"}, None)],
    )
    def test_with_length_and_digest_of_the_body_to_receivers(
        self, post, settings, options, expected
    ):
        settings.ALTOVIZ = settings.ALTOVIZ | {"ALLOWED_IPS": ["127.0.0.1"]}
        heard = []

        def listen(body_length, body_digest, **kwargs):
            heard.append((body_length, body_digest))

        webhook_rejected.connect(listen)
        try:
            post(b"text", **options)
        finally:
            webhook_rejected.disconnect(listen)
        if expected is None:
            assert heard == [(None, None)]
        else:
            assert heard == [(len(expected), hashlib.sha256(expected).hexdigest())]


def test_old_counts_are_pruned(post):
    for days in (89, 91):
        Rejection.objects.create(
            day=today() - days * DAY, answer=str(days), status_code=401, last_at=timezone.now()
        )
    call_command("altoviz_prune_events", "--dry-run", verbosity=0)
    assert Rejection.objects.count() == 2
    call_command("altoviz_prune_events", verbosity=0)
    assert Rejection.objects.get().answer == "89"


def test_recent_counts_have_the_most_frequent_answer_of_a_day_first():
    row = {"day": today(), "status_code": 401, "last_at": timezone.now()}
    Rejection.objects.create(answer="a", deliveries=1, **row)
    Rejection.objects.create(answer="b", deliveries=5, **row)
    counts = rejections.recent()[""][today().isoformat()]
    assert counts == Counter(a=1, b=5)
    assert [*counts] == ["b", "a"]
