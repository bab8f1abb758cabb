"""Registration ends with one right webhook, despite lag, crashes and concurrent runs."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_altoviz import registration
from django_altoviz.event_types import SENT_TYPES, EventType
from django_altoviz.exceptions import ConnectionFailed, NotConfirmed, StoredOtherwise
from django_altoviz.registration import Registered, Wanted, differences, has_secret, plan
from tests.conftest import examples
from tests.webhook_list import Crash, WebhookList

URL = "https://shop.example/altoviz/webhook/"
SECRET = "the secret of these tests"
ALL = [type.value for type in SENT_TYPES]
WANTED = Wanted("django-altoviz (default)", URL, frozenset(SENT_TYPES), SECRET)


def row(id=1, **changes):
    values = {"name": WANTED.name, "url": URL, "types": ALL, "secretKey": SECRET}
    return {"id": id} | values | changes


def planned(*rows, **options):
    """Return the ids of the webhooks to keep, to remove and to leave alone."""
    result = plan(rows, WANTED, **options)
    assert result.create == (result.keep is None)
    assert result.is_done == (result.keep is not None and not result.remove)
    ids = [[webhook.id for webhook in group] for group in (result.remove, result.leave)]
    return (result.keep.id if result.keep else None, *ids)


class TestPlan:
    def test_without_webhooks_one_is_created(self):
        assert planned() == (None, [], [])

    def test_a_right_webhook_is_kept(self):
        assert planned(row(4)) == (4, [], [])

    @pytest.mark.parametrize(
        "same",
        [
            {"types": ALL[::-1]},
            {"url": "HTTPS://SHOP.example:443/altoviz/webhook"},
            {"name": f"{WANTED.name} "},
            {"secretKey": None},
            {"secretKey": ""},
            {"secretKey": "••••••"},
            {"secretKey": "the…"},
            {"secretKey": "XXXXXX"},  # masked, as is the one with bullets
            {"secretKey": "tests"},
        ],
    )
    def test_equivalent_or_hidden_values_are_no_difference(self, same):
        assert planned(row(4, **same)) == (4, [], [])

    @pytest.mark.parametrize(
        "other",
        [
            {"types": ALL[1:]},
            {"types": [*ALL, "CreditCreated"]},
            {"types": None},
            {"name": "another"},
            {"name": None},
            {"secretKey": "another secret"},
            {"url": "http://shop.example/altoviz/webhook/"},
            {"url": "https://shop.example/altoviz/webhook/acme/"},
        ],
    )
    def test_a_wrong_webhook_of_ours_is_replaced(self, other):
        assert planned(row(4, **other)) == (None, [4], [])

    def test_of_several_right_webhooks_the_newest_is_kept(self):
        assert planned(row(4), row(6), row(5), row(3, types=[])) == (6, [3, 4, 5], [])

    def test_foreign_webhooks_are_not_touched(self):
        stranger = row(7, name="n8n", url="https://n8n.example/webhook/1")
        assert planned(row(4), stranger, {}, {"id": "x", "url": 5}) == (4, [], [])
        assert planned(stranger) == (None, [], [])

    @pytest.mark.parametrize(
        "elsewhere",
        [
            "https://other.example/altoviz/webhook/",
            "https://shop.example:8443/altoviz/webhook/",
            "https://shop.example/staging/webhook/",
            "https://shop.example/",
            "",
        ],
    )
    def test_a_webhook_with_our_name_at_another_url_is_left_alone(self, elsewhere):
        assert planned(row(4), row(5, url=elsewhere)) == (4, [], [5])

    @pytest.mark.parametrize("id", [None, 0, -3, True, "7"])
    def test_a_webhook_without_an_id_is_left_alone(self, id):
        assert planned(row(id)) == (None, [], [0])

    def test_a_url_outside_the_app_has_no_earlier_versions(self):
        wanted = replace(WANTED, url="https://shop.example/hook/")
        result = plan([row(1, url="https://shop.example/hooks/"), row(2, url=wanted.url)], wanted)
        assert (result.keep.id, result.remove, result.leave[0].id) == (2, (), 1)

    def test_right_webhooks_can_be_replaced(self):
        assert planned(row(4), row(5), replace={4, 5}) == (None, [4, 5], [])
        assert planned(row(4), row(5), replace={4}) == (5, [4], [])

    def test_the_listed_secret_of_a_new_webhook_is_not_compared(self):
        hashed = row(5, secretKey="9f86d081884c7d65")
        assert planned(row(4), hashed, ids_before={4}) == (5, [4], [])
        assert planned(hashed, ids_before={5}) == (None, [5], [])
        assert planned(hashed | {"types": []}, ids_before={4}) == (None, [5], [])

    def test_a_webhook_that_is_listed_twice_counts_once(self):
        assert planned(row(4), row(4)) == (4, [], [])


def test_the_differing_fields_are_named():
    webhook = Registered.read(row(1, url="https://a.example", types=[], name="x", secretKey="y"))
    assert differences(webhook, WANTED) == ["url", "types", "name", "secretKey"]
    assert differences(Registered.read(row()), WANTED) == []
    assert differences(Registered.read(row()), replace(WANTED, name=f" {WANTED.name} ")) == []


def test_secrets_are_not_in_the_repr():
    assert SECRET not in f"{WANTED} {Registered.read(row())} {plan([row()], WANTED)}"


@pytest.mark.parametrize(
    ("listed", "expected"),
    [(SECRET, True), ("", None), ("***", None), ("the ", None), ("other", False), ("he s", False)],
)
def test_a_listed_secret_is_equal_different_or_hidden(listed, expected):
    assert has_secret(Registered.read(row(secretKey=listed)), SECRET) is expected


names = st.sampled_from([WANTED.name, "django-altoviz (acme)", "n8n", ""])
urls = st.sampled_from(
    [
        URL,
        URL.rstrip("/"),
        URL.replace("https", "http"),
        f"{URL}acme/",
        "https://shop.example/other/webhook/",
        "https://n8n.example/webhook/1",
    ]
)
types = st.sampled_from([ALL, ALL[:3], []])
secrets = st.sampled_from([SECRET, "another secret"])
webhooks = st.tuples(names, urls, types, secrets)


@given(st.lists(st.tuples(webhooks, st.integers(0, 9))))
def test_a_plan_never_removes_a_foreign_or_kept_webhook(drawn):
    rows = [
        row(id, name=name, url=url, types=types, secretKey=secret)
        for (name, url, types, secret), id in drawn
    ]
    result = plan(rows, WANTED)
    removed = {webhook.id for webhook in result.remove}
    assert 0 not in removed
    assert result.keep is None or result.keep.id not in removed
    for webhook in result.remove:
        assert is_ours(webhook)
    assert removed.isdisjoint(webhook.id for webhook in result.leave)


def is_ours(webhook):
    return registration.is_ours(webhook, name=WANTED.name, url=WANTED.url)


def register(at, **options):
    return registration.register(at, options.pop("wanted", WANTED), sleep=at.sleep, **options)


def ours_at(at):
    return [each for each in at.alive if is_ours(each)]


def check(at, wanted=WANTED):
    """Check that exactly one webhook of ours exists and is right. Return it."""
    (webhook,) = ours_at(at)
    assert (webhook.url.rstrip("/"), webhook.name) == (wanted.url.rstrip("/"), wanted.name)
    assert {*webhook.types} == {*wanted.types}
    return webhook


class AlteringList(WebhookList):
    """A fake that stores some values differently from how they were sent."""

    def __init__(self, **altered):
        super().__init__()
        self.altered = altered

    def register(self, **sent):
        super().register(**sent)
        for name, alter in self.altered.items():
            setattr(self.rows[-1], name, alter(getattr(self.rows[-1], name)))


class TestRegister:
    def test_creates_a_missing_webhook(self):
        at = WebhookList(lags=[2.0])
        result = register(at)
        assert result.created
        assert result.kept.id == check(at).id
        assert check(at).secret == SECRET
        assert at.calls.count("register") == 1

    def test_a_second_run_only_reads_the_list(self):
        at = WebhookList()
        first = register(at)
        at.calls.clear()
        second = register(at)
        assert (second.kept, second.created, second.removed) == (first.kept, False, ())
        assert at.calls == ["list"] * 4

    @pytest.mark.parametrize("lags", [[2.0], [2.0, 0.0], [0.0, 2.0, 2.0], [1.0, 2.0, 1.0]])
    @pytest.mark.parametrize("ago", [0.0, 0.5, 1.5])
    def test_a_deleted_webhook_that_is_still_listed_is_not_kept(self, lags, ago):
        """The list lags after an unregistration that crashed, or a deletion in Altoviz itself."""
        at = WebhookList(lags=lags)
        deleted = at.add(WANTED.name, URL, ALL, SECRET)
        at.unregister(id=deleted)
        at.sleep(ago)
        assert register(at).created
        assert check(at).id != deleted

    def test_a_working_webhook_is_not_removed_in_favour_of_a_deleted_one(self):
        at = WebhookList(lags=[2.0])
        old, deleted = (at.add(WANTED.name, URL, ALL, SECRET) for _ in range(2))
        at.unregister(id=deleted)
        assert register(at).kept.id == check(at).id == old

    def test_a_webhook_that_altoviz_alters_is_reported_and_not_created_repeatedly(self):
        at = AlteringList(name=lambda name: name[:10])
        for _ in range(3):
            with pytest.raises(StoredOtherwise) as caught:
                register(at)
            assert str(caught.value) == (
                "Altoviz stored the new webhook differently from what it was sent: name: "
                "'django-alt' instead of 'django-altoviz (default)'. Webhook 100 is left. Running "
                "this again changes nothing: ask for the values that Altoviz stores."
            )
            assert at.ids == [100]
        register(at, wanted=replace(WANTED, name="shop"))
        assert [each.name for each in at.alive] == ["shop"]

    @pytest.mark.parametrize(
        ("altered", "changes"),
        [
            ({"url": str.upper}, "url: 'HTTPS://SHOP.EXAMPLE/ALTOVIZ/WEBHOOK/' instead of 'https"),
            ({"url": lambda url: url.split("altoviz")[0]}, "url: 'https://shop.example/' instead"),
            ({"types": lambda types: types[2:]}, "types: [] instead of ['ContactCreated', 'Con"),
            ({"types": lambda types: [*types, "X"]}, "types: ['X'] instead of []."),
        ],
    )
    def test_each_altered_field_is_reported(self, altered, changes):
        at = AlteringList(**altered)
        at.add("n8n", "https://n8n.example/webhook/1", ALL, "theirs")
        for _ in range(3):
            with pytest.raises(StoredOtherwise) as caught:
                register(at)
            assert f"from what it was sent: {changes}" in str(caught.value)
            assert at.ids == [100, 101]

    def test_an_altered_webhook_is_told_from_one_that_is_listed_without_an_id(self):
        at = AlteringList(types=lambda types: types[2:])
        at.add("n8n", "https://n8n.example/webhook/1", ALL, "theirs")
        at.rows[-1].id = 0
        with pytest.raises(StoredOtherwise, match="Webhook 101 is left"):
            register(at)
        assert at.ids == [0, 101]

    def test_the_old_webhook_is_kept_if_altoviz_alters_its_replacement(self):
        at = WebhookList()
        old = register(at, wanted=replace(WANTED, types=frozenset([EventType.QUOTE_CREATED])))
        at.__class__, at.altered = AlteringList, {"types": lambda types: types[2:]}
        with pytest.raises(StoredOtherwise):
            register(at)
        assert at.ids == [old.kept.id]

    def test_a_webhook_that_cannot_be_removed_is_reported_and_none_is_created(self, monkeypatch):
        at = WebhookList()
        for _ in range(2):
            at.add(WANTED.name, URL, ALL, SECRET)
        monkeypatch.setattr(at, "unregister", lambda id: None)
        with pytest.raises(NotConfirmed):
            register(at)
        assert at.ids == [100, 101]

    def test_a_concurrent_registration_of_another_project_is_not_taken_for_ours(self):
        at = WebhookList(lags=[120.0])
        staging = ("https://staging.example/altoviz/webhook/", ALL, "theirs")

        def add_staging(name):
            if name == "register":
                at.before_call = None
                at.add(WANTED.name, *staging)

        at.before_call = add_staging
        with pytest.raises(NotConfirmed) as caught:
            register(at)
        assert type(caught.value) is NotConfirmed
        assert len(at.ids) == 2

    @pytest.mark.parametrize("shows", ["clear", "masked", "null"])
    def test_replaces_a_right_webhook_on_request(self, shows):
        at = WebhookList(shows, lags=[1.0])
        first = register(at)
        second = register(at, replace=True)
        assert second.removed == (first.kept.id,)
        assert check(at).id == second.kept.id != first.kept.id

    def test_the_old_webhook_is_removed_only_after_the_new_one_is_listed(self):
        at = WebhookList(lags=[2.0])
        old = register(at).kept.id
        at.calls.clear()
        at.sleep(60)
        wanted = replace(WANTED, types=frozenset([EventType.INVOICE_CREATED]))
        assert register(at, wanted=wanted).removed == (old,)
        assert check(at, wanted)
        assert at.calls[:5] == ["list", "register", "list", "list", "list"]
        assert at.calls[5] == f"unregister {old}"

    def test_the_old_webhook_is_kept_if_the_new_one_is_not_listed_in_time(self):
        at = WebhookList(lags=[120.0])
        old = at.add(WANTED.name, URL, ALL, "another secret")
        with pytest.raises(NotConfirmed) as caught:
            register(at)
        assert str(caught.value) == (
            "Altoviz's list does not show the wanted webhook, or kept changing. Nothing is removed "
            "before its replacement is listed, so it is safe to run this again."
        )
        assert at.ids == [old, old + 1]
        assert at.calls.count("register") == 1
        at.cycle_of_lags = itertools.repeat(2.0)
        at.sleep(600)
        assert register(at).removed == (old,)
        assert check(at)

    def test_removing_a_webhook_twice_is_no_failure(self):
        at = WebhookList(lags=[0.0, 0.0, 5.0])
        for _ in range(3):
            at.add(WANTED.name, URL, ALL, SECRET)
        assert register(at).removed == (100, 101)
        assert check(at).id == 102

    def test_a_webhook_that_another_run_removed_counts_as_removed(self):
        at = WebhookList()
        at.add(WANTED.name, URL, ALL, SECRET)
        at.add(WANTED.name, URL, ALL, SECRET)

        def remove_first(name):
            at.before_call = None if name.startswith("unregister") else remove_first
            if name == "unregister 100":
                at.unregister(id=100)

        at.before_call = remove_first
        assert register(at).kept.id == check(at).id == 101

    def test_a_secret_that_is_listed_in_another_form_does_not_prevent_success(self):
        at = WebhookList("hashed")
        register(at)
        assert check(at)
        register(at)
        assert check(at)


class TestUnregister:
    def test_waits_until_the_webhook_is_not_listed(self):
        at = WebhookList(lags=[2.0])
        id = at.add("any", URL, ALL, SECRET)
        registration.unregister(at, [id, 7], sleep=at.sleep)
        assert at.alive == []

    def test_without_ids_sends_no_request(self):
        at = WebhookList()
        registration.unregister(at, [], sleep=at.sleep)
        assert at.calls == []

    def test_fails_if_the_webhook_is_still_listed(self):
        at = WebhookList(lags=[120.0])
        id = at.add("any", URL, ALL, SECRET)
        with pytest.raises(NotConfirmed) as caught:
            registration.unregister(at, [id], sleep=at.sleep)
        assert str(caught.value) == (
            "Altoviz's list still shows webhooks that were removed. It is safe to run this again."
        )


def list_with(drawn, **options):
    """Return a fake with the drawn webhooks, and those of them that are not ours."""
    at = WebhookList(**options)
    for name, url, types, secret in drawn:
        at.add(name, url, types, secret)
    return at, [each for each in at.alive if not is_ours(each)]


lags = st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=5)
modes = st.sampled_from(["clear", "masked", "null"])


@given(st.lists(webhooks, max_size=5), lags, modes, st.booleans())
def test_a_second_run_changes_nothing(drawn, lags, mode, replaces):
    at, strangers = list_with(drawn, lags=lags, shows_secrets=mode)
    register(at, replace=replaces)
    webhook = check(at)
    at.sleep(10)
    assert not register(at).created
    assert check(at) is webhook
    if replaces or mode == "clear":
        assert webhook.secret == SECRET
    assert [each for each in at.alive if each in strangers] == strangers


@given(
    st.lists(webhooks, max_size=4),
    lags,
    modes,
    st.integers(1, 14),
    st.booleans(),
    st.sampled_from([0.0, 10.0]),
    st.booleans(),
)
@hypothesis_settings(max_examples=examples(300))
def test_another_run_repairs_a_crash_at_any_step(drawn, lags, mode, step, after, pause, replaces):
    at, strangers = list_with(
        drawn, lags=lags, shows_secrets=mode, crash_at=step, crash_after=after
    )
    worked = any({*each.types} == {*ALL} and each.url == URL for each in ours_at(at))
    with suppress(Crash):
        register(at, replace=replaces)
    if worked:
        assert ours_at(at), "a working webhook is not removed before its replacement exists"
    at.crash_at = 0
    at.sleep(pause)
    register(at)
    check(at)
    assert [each for each in at.alive if each in strangers] == strangers


@given(st.lists(webhooks, max_size=4), lags, modes, st.integers(1, 10), st.booleans())
@hypothesis_settings(max_examples=examples(300))
def test_another_run_in_the_middle_does_no_harm(drawn, lags, mode, step, replaces):
    at, strangers = list_with(drawn, lags=lags, shows_secrets=mode)

    def interrupt(name):
        if len(at.calls) + 1 >= step:
            at.before_call = None
            register(at, replace=replaces)

    at.before_call = interrupt
    register(at, replace=replaces)
    check(at)
    assert [each for each in at.alive if each in strangers] == strangers


class RealTimeList(WebhookList):
    """A fake on the real clock, for threads."""

    def clock(self):
        return time.monotonic()

    def sleep(self, seconds):
        time.sleep(seconds / 50)


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("number", [2, 5])
def test_concurrent_runs_end_with_one_webhook(number, replaces):
    at = RealTimeList(lags=[0.02, 0.0, 0.04])
    at.add("n8n", "https://n8n.example/webhook/1", ALL, "theirs")
    at.add(WANTED.name, URL, ALL[1:], SECRET)
    start = threading.Barrier(number)
    failures = []

    def run():
        start.wait()
        try:
            register(at, replace=replaces)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    check(at)
    assert [each.name for each in at.alive] == ["n8n", WANTED.name]


def test_a_failing_request_is_raised():
    at = WebhookList()

    def fail(name):
        raise ConnectionFailed("POST v1/Webhooks")

    at.before_call = fail
    with pytest.raises(ConnectionFailed):
        register(at)
