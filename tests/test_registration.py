"""Whatever is registered, lags, crashes or happens at the same time: one right webhook in the end."""

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
from django_altoviz.event_types import EventType
from django_altoviz.exceptions import ConnectionFailed, NotConfirmed, StoredOtherwise
from django_altoviz.registration import Registered, Wanted, differences, has_secret, plan
from tests.conftest import examples
from tests.webhook_list import Crash, WebhookList

URL = "https://shop.example/altoviz/webhook/"
SECRET = "the secret of these tests"
ALL = [*EventType.values]
WANTED = Wanted("django-altoviz (default)", URL, frozenset(EventType), SECRET)


def row(id=1, **changes):
    values = {"name": WANTED.name, "url": URL, "types": ALL, "secretKey": SECRET}
    return {"id": id} | values | changes


def planned(*rows, **options):
    """The ids: which is kept, which go, which are doubtful."""
    made = plan(rows, WANTED, **options)
    assert made.create == (made.keep is None)
    assert made.is_done == (made.keep is not None and not made.remove)
    ids = [[webhook.id for webhook in some] for some in (made.remove, made.doubtful)]
    return (made.keep.id if made.keep else None, *ids)


class TestPlan:
    def test_nothing_is_registered(self):
        assert planned() == (None, [], [])

    def test_what_is_right_stays(self):
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
            {"secretKey": "XXXXXX"},
            {"secretKey": "tests"},
        ],
    )
    def test_what_does_not_count_as_a_difference(self, same):
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
    def test_what_is_ours_and_wrong_is_replaced(self, other):
        assert planned(row(4, **other)) == (None, [4], [])

    def test_of_several_right_ones_the_newest_stays(self):
        assert planned(row(4), row(6), row(5), row(3, types=[])) == (6, [3, 4, 5], [])

    def test_others_are_left_alone(self):
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
    def test_our_name_elsewhere_is_doubtful_and_left_alone(self, elsewhere):
        assert planned(row(4), row(5, url=elsewhere)) == (4, [], [5])

    @pytest.mark.parametrize("id", [None, 0, -3, True, "7"])
    def test_what_has_no_id_is_left_alone(self, id):
        assert planned(row(id)) == (None, [], [0])

    def test_a_url_that_is_none_of_the_apps_owns_nothing_but_itself(self):
        wanted = replace(WANTED, url="https://shop.example/hook/")
        made = plan([row(1, url="https://shop.example/hooks/"), row(2, url=wanted.url)], wanted)
        assert (made.keep.id, made.remove, made.doubtful[0].id) == (2, (), 1)

    def test_what_is_distrusted_goes(self):
        assert planned(row(4), row(5), distrusted={4, 5}) == (None, [4, 5], [])
        assert planned(row(4), row(5), distrusted={4}) == (5, [4], [])

    def test_what_came_since_has_the_wanted_secret_however_it_is_shown(self):
        hashed = row(5, secretKey="9f86d081884c7d65")
        assert planned(row(4), hashed, known={4}) == (5, [4], [])
        assert planned(hashed, known={5}) == (None, [5], [])
        assert planned(hashed | {"types": []}, known={4}) == (None, [5], [])

    def test_a_webhook_twice_in_the_list_is_one(self):
        assert planned(row(4), row(4)) == (4, [], [])


def test_what_differs_is_named():
    webhook = Registered.read(row(1, url="https://a.example", types=[], name="x", secretKey="y"))
    assert differences(webhook, WANTED) == ["url", "types", "name", "secretKey"]
    assert differences(Registered.read(row()), WANTED) == []


def test_secrets_are_not_in_what_is_printed():
    assert SECRET not in f"{WANTED} {Registered.read(row())} {plan([row()], WANTED)}"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [(SECRET, True), ("", None), ("***", None), ("the ", None), ("other", False), ("he s", False)],
)
def test_what_a_shown_secret_tells(shown, expected):
    assert has_secret(Registered.read(row(secretKey=shown)), SECRET) is expected


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
def test_no_plan_removes_what_is_kept_or_not_ours(drawn):
    rows = [
        row(id, name=name, url=url, types=types, secretKey=secret)
        for (name, url, types, secret), id in drawn
    ]
    made = plan(rows, WANTED)
    removed = {webhook.id for webhook in made.remove}
    assert 0 not in removed
    assert made.keep is None or made.keep.id not in removed
    for webhook in made.remove:
        assert is_ours(webhook)
    assert removed.isdisjoint(webhook.id for webhook in made.doubtful)


def is_ours(webhook):
    return registration.is_ours(webhook, name=WANTED.name, url=WANTED.url)


def register(at, **options):
    return registration.register(at, options.pop("wanted", WANTED), sleep=at.sleep, **options)


def ours_at(at):
    return [each for each in at.alive if is_ours(each)]


def check(at, wanted=WANTED):
    """Exactly one of ours is there, and it is right in truth."""
    (webhook,) = ours_at(at)
    assert (webhook.url.rstrip("/"), webhook.name) == (wanted.url.rstrip("/"), wanted.name)
    assert {*webhook.types} == {*wanted.types}
    return webhook


class Altered(WebhookList):
    """One that keeps some of what it is sent in its own way."""

    def __init__(self, **altered):
        super().__init__()
        self.altered = altered

    def register(self, **sent):
        super().register(**sent)
        for name, alter in self.altered.items():
            setattr(self.rows[-1], name, alter(getattr(self.rows[-1], name)))


class TestRegister:
    def test_creates_what_is_missing(self):
        at = WebhookList(lags=[2.0])
        outcome = register(at)
        assert outcome.created
        assert outcome.kept.id == check(at).id
        assert check(at).secret == SECRET
        assert at.calls.count("register") == 1

    def test_again_is_some_looks_and_no_more(self):
        at = WebhookList()
        first = register(at)
        at.calls.clear()
        second = register(at)
        assert (second.kept, second.created, second.removed) == (first.kept, False, ())
        assert at.calls == ["list"] * 4

    @pytest.mark.parametrize("lags", [[2.0], [2.0, 0.0], [0.0, 2.0, 2.0], [1.0, 2.0, 1.0]])
    @pytest.mark.parametrize("ago", [0.0, 0.5, 1.5])
    def test_a_ghost_is_not_taken_for_what_is_registered_already(self, lags, ago):
        """After an unregistration that crashed, or a deletion in Altoviz itself, a moment ago."""
        at = WebhookList(lags=lags)
        ghost = at.add(WANTED.name, URL, ALL, SECRET)
        at.unregister(id=ghost)
        at.sleep(ago)
        assert register(at).created
        assert check(at).id != ghost

    def test_what_works_is_not_removed_for_a_ghost(self):
        at = WebhookList(lags=[2.0])
        old, ghost = (at.add(WANTED.name, URL, ALL, SECRET) for _ in range(2))
        at.unregister(id=ghost)
        assert register(at).kept.id == check(at).id == old

    def test_what_altoviz_keeps_otherwise_is_named_and_not_piled_up(self):
        at = Altered(name=lambda name: name[:10])
        for _ in range(3):
            with pytest.raises(StoredOtherwise) as caught:
                register(at)
            assert str(caught.value) == (
                "Altoviz lists the new webhook otherwise than it was sent: name: 'django-alt' "
                "instead of 'django-altoviz (default)'. Webhook 100 is left. Ask for what Altoviz "
                "keeps; to run this again changes nothing."
            )
            assert at.ids == [100]
        register(at, wanted=replace(WANTED, name="shop"))
        assert [each.name for each in at.alive] == ["shop"]

    @pytest.mark.parametrize(
        ("altered", "told"),
        [
            ({"url": str.upper}, "url: 'HTTPS://SHOP.EXAMPLE/ALTOVIZ/WEBHOOK/' instead of 'https"),
            ({"url": lambda url: url.split("altoviz")[0]}, "url: 'https://shop.example/' instead"),
            ({"types": lambda types: types[2:]}, "types: [] instead of ['ContactCreated', 'Con"),
            ({"types": lambda types: [*types, "X"]}, "types: ['X'] instead of []."),
        ],
    )
    def test_whatever_it_is(self, altered, told):
        at = Altered(**altered)
        at.add("n8n", "https://n8n.example/webhook/1", ALL, "theirs")
        for _ in range(3):
            with pytest.raises(StoredOtherwise) as caught:
                register(at)
            assert f"than it was sent: {told}" in str(caught.value)
            assert at.ids == [100, 101]

    def test_what_was_there_before_stays_where_its_successor_is_kept_otherwise(self):
        at = WebhookList()
        old = register(at, wanted=replace(WANTED, types=frozenset([EventType.QUOTE_CREATED])))
        at.__class__, at.altered = Altered, {"types": lambda types: types[2:]}
        with pytest.raises(StoredOtherwise):
            register(at)
        assert at.ids == [old.kept.id]

    def test_what_cannot_be_removed_is_told_and_nothing_is_created(self, monkeypatch):
        at = WebhookList()
        for _ in range(2):
            at.add(WANTED.name, URL, ALL, SECRET)
        monkeypatch.setattr(at, "unregister", lambda id: None)
        with pytest.raises(NotConfirmed):
            register(at)
        assert at.ids == [100, 101]

    def test_what_somebody_else_registers_meanwhile_is_not_taken_for_ours(self):
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
    def test_replaces_when_told_to(self, shows):
        at = WebhookList(shows, lags=[1.0])
        first = register(at)
        second = register(at, replace=True)
        assert second.removed == (first.kept.id,)
        assert check(at).id == second.kept.id != first.kept.id

    def test_the_old_one_goes_only_when_the_new_one_is_seen(self):
        at = WebhookList(lags=[2.0])
        old = register(at).kept.id
        at.calls.clear()
        at.sleep(60)
        wanted = replace(WANTED, types=frozenset([EventType.INVOICE_CREATED]))
        assert register(at, wanted=wanted).removed == (old,)
        assert check(at, wanted)
        assert at.calls[:5] == ["list", "register", "list", "list", "list"]
        assert at.calls[5] == f"unregister {old}"

    def test_what_is_not_seen_in_time_costs_nothing_that_works(self):
        at = WebhookList(lags=[120.0])
        old = at.add(WANTED.name, URL, ALL, "another secret")
        with pytest.raises(NotConfirmed) as caught:
            register(at)
        assert str(caught.value) == (
            "Altoviz's list does not show the webhook as it should be, or went on changing. "
            "Nothing is removed before its successor is listed, and to run this again is safe."
        )
        assert at.ids == [old, old + 1]
        assert at.calls.count("register") == 1
        at.turns = itertools.repeat(2.0)
        at.sleep(600)
        assert register(at).removed == (old,)
        assert check(at)

    def test_a_ghost_that_is_removed_again_is_no_failure(self):
        at = WebhookList(lags=[0.0, 0.0, 5.0])
        for _ in range(3):
            at.add(WANTED.name, URL, ALL, SECRET)
        assert register(at).removed == (100, 101)
        assert check(at).id == 102

    def test_what_somebody_else_has_removed_is_removed(self):
        at = WebhookList()
        at.add(WANTED.name, URL, ALL, SECRET)
        at.add(WANTED.name, URL, ALL, SECRET)

        def remove_first(name):
            at.before_call = None if name.startswith("unregister") else remove_first
            if name == "unregister 100":
                at.unregister(id=100)

        at.before_call = remove_first
        assert register(at).kept.id == check(at).id == 101

    def test_a_secret_that_is_shown_as_something_else_does_not_stop_it(self):
        at = WebhookList("hashed")
        register(at)
        assert check(at)
        register(at)
        assert check(at)


class TestUnregister:
    def test_waits_until_it_is_gone(self):
        at = WebhookList(lags=[2.0])
        id = at.add("any", URL, ALL, SECRET)
        registration.unregister(at, [id, 7], sleep=at.sleep)
        assert at.alive == []

    def test_nothing_is_nothing(self):
        at = WebhookList()
        registration.unregister(at, [], sleep=at.sleep)
        assert at.calls == []

    def test_says_so_where_it_stays(self):
        at = WebhookList(lags=[120.0])
        id = at.add("any", URL, ALL, SECRET)
        with pytest.raises(NotConfirmed) as caught:
            registration.unregister(at, [id], sleep=at.sleep)
        assert str(caught.value) == (
            "Altoviz's list still shows what was removed. To run this again is safe."
        )


def world(drawn, **options):
    at = WebhookList(**options)
    for name, url, types, secret in drawn:
        at.add(name, url, types, secret)
    return at, [each for each in at.alive if not is_ours(each)]


lags = st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=5)
modes = st.sampled_from(["clear", "masked", "null"])


@given(st.lists(webhooks, max_size=5), lags, modes, st.booleans())
def test_once_or_twice_ends_the_same(drawn, lags, mode, force):
    at, strangers = world(drawn, lags=lags, shows_secrets=mode)
    register(at, replace=force)
    webhook = check(at)
    at.sleep(10)
    assert not register(at).created
    assert check(at) is webhook
    if force or mode == "clear":
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
def test_after_a_crash_at_any_step_another_run_ends_right(
    drawn, lags, mode, step, after, pause, force
):
    at, strangers = world(drawn, lags=lags, shows_secrets=mode, crash_at=step, crash_after=after)
    worked = any({*each.types} == {*ALL} and each.url == URL for each in ours_at(at))
    with suppress(Crash):
        register(at, replace=force)
    if worked:
        assert ours_at(at), "what works is not removed before its successor is there"
    at.crash_at = 0
    at.sleep(pause)
    register(at)
    check(at)
    assert [each for each in at.alive if each in strangers] == strangers


@given(st.lists(webhooks, max_size=4), lags, modes, st.integers(1, 10), st.booleans())
@hypothesis_settings(max_examples=examples(300))
def test_another_run_in_between_does_no_harm(drawn, lags, mode, step, force):
    at, strangers = world(drawn, lags=lags, shows_secrets=mode)

    def interrupt(name):
        if len(at.calls) + 1 >= step:
            at.before_call = None
            register(at, replace=force)

    at.before_call = interrupt
    register(at, replace=force)
    check(at)
    assert [each for each in at.alive if each in strangers] == strangers


class Live(WebhookList):
    """One on the real clock, for threads."""

    def clock(self):
        return time.monotonic()

    def sleep(self, seconds):
        time.sleep(seconds / 50)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("number", [2, 5])
def test_at_the_same_time(number, force):
    at = Live(lags=[0.02, 0.0, 0.04])
    at.add("n8n", "https://n8n.example/webhook/1", ALL, "theirs")
    at.add(WANTED.name, URL, ALL[1:], SECRET)
    start = threading.Barrier(number)
    failures = []

    def run():
        start.wait()
        try:
            register(at, replace=force)
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


def test_a_failing_request_is_not_hidden():
    at = WebhookList()

    def fail(name):
        raise ConnectionFailed("POST v1/Webhooks")

    at.before_call = fail
    with pytest.raises(ConnectionFailed):
        register(at)
