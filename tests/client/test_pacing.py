from __future__ import annotations

import threading

import pytest
from django.core.cache.backends.locmem import LocMemCache
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.client.pacing import Pace


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def cache():
    cache = LocMemCache("pacing", {"timeout": None})
    cache.clear()
    return cache


def pace_of(cache, clock, name="one", requests=10, seconds=60.0):
    return Pace(name, requests, seconds, cache, clock, clock.sleep)


def test_up_to_the_budget_nobody_waits(cache):
    pace = pace_of(cache, Clock())
    assert [pace.wait() for _ in range(10)] == [0] * 10


def test_beyond_it_one_waits_until_the_first_have_left_the_window(cache):
    clock = Clock()
    pace = pace_of(cache, clock)
    for _ in range(10):
        pace.wait()
    assert 60 <= pace.wait() <= 66


@given(st.lists(st.floats(0, 30), min_size=1, max_size=60), st.integers(1, 20))
def test_no_window_ever_has_more_than_the_budget(pauses, budget):
    cache = LocMemCache("pacing property", {"timeout": None})
    cache.clear()
    clock = Clock()
    pace = pace_of(cache, clock, requests=budget)
    sent = []
    for pause in pauses:
        clock.now += pause
        pace.wait()
        sent.append(clock.now)
    for moment in sent:
        assert sum(moment <= other < moment + 60 for other in sent) <= budget


def test_whatever_runs_on_an_account_shares_the_budget(cache):
    clock = Clock()
    one, same, other = pace_of(cache, clock), pace_of(cache, clock), pace_of(cache, clock, "other")
    for _ in range(5):
        one.wait()
        same.wait()
    assert other.wait() == 0
    assert one.wait() > 0


def test_threads_share_it_too(cache):
    clock = Clock()
    pace = pace_of(cache, clock, requests=1000)
    threads = [threading.Thread(target=lambda: [pace.wait() for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = pace._slice()
    assert cache.get(pace._key(now)) == 200


def test_a_count_that_expires_meanwhile_begins_anew(cache, monkeypatch):
    pace = pace_of(cache, Clock())
    pace.wait()

    def expired(key):
        raise ValueError

    monkeypatch.setattr(cache, "incr", expired)
    pace.wait()
    assert cache.get(pace._key(pace._slice())) == 1


def test_the_cache_does_not_show_whose_budget_it_is(cache):
    pace = pace_of(cache, Clock(), name="a secret")
    pace.wait()
    assert not any("secret" in key for key in cache._cache)


def test_by_default_it_uses_the_projects_cache():
    assert Pace("x", 1).cache.get("nothing") is None
