from __future__ import annotations

import threading
from contextlib import suppress
from uuid import uuid4

import pytest
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.client.rate_limit import Pace


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


def test_many_at_once_see_the_same_room_once(cache, monkeypatch):
    """Looked at first and counted then, each of them would find room for one."""
    looks, start = threading.local(), threading.Barrier(20)
    look = cache.get_many

    def look_together(keys):
        found = look(keys)
        if not getattr(looks, "done", False):
            looks.done = True
            start.wait(timeout=60)
        return found

    clock, passed = Clock(), []
    pace = pace_of(cache, clock, requests=10)
    for _ in range(9):
        pace.wait()
    monkeypatch.setattr(cache, "get_many", look_together)

    def work():
        with suppress(Full):
            pace_of_one = Pace("one", 10, 60.0, cache, clock, clock.sleep, refuse)
            pace_of_one.wait()
            passed.append(1)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 1


class Full(Exception):
    pass


def refuse(seconds):
    raise Full


def test_who_found_no_room_has_taken_none(cache):
    pace = pace_of(cache, Clock(), requests=3)
    for _ in range(3):
        pace.wait()
    pace.on_pause = refuse
    for _ in range(10):
        with pytest.raises(Full):
            pace.wait()
    assert cache.get(pace._key(pace._slice())) == 3


def test_what_another_has_counted_in_the_next_slice_meanwhile_counts(cache):
    """Of two at the turn of a slice, one sees the other."""
    clock = Clock()
    pace, late = pace_of(cache, clock, requests=1), pace_of(cache, Clock(), requests=1)
    clock.now += 5
    pace.wait()
    late.on_pause = refuse
    with pytest.raises(Full):
        late.wait()


def test_a_count_that_expires_meanwhile_does_no_harm(cache, monkeypatch):
    pace = pace_of(cache, Clock(), requests=1)
    pace.wait()
    monkeypatch.setattr(cache, "decr", lambda key: cache.incr("nothing"))
    assert pace.wait() > 0


class Broken(LocMemCache):
    """A cache that cannot be reached, or that keeps nothing."""

    def incr(self, key, delta=1, version=None):
        raise ConnectionError("Error 111 connecting to redis:6379")


@pytest.mark.parametrize("kind", [Broken, DummyCache])
def test_where_the_cache_fails_each_process_counts_for_itself(kind, caplog):
    clock = Clock()
    name = f"{kind.__name__} {uuid4()}"
    one, same = (pace_of(kind("broken", {}), clock, name) for _ in range(2))
    for _ in range(5):
        assert one.wait() == 0
        assert same.wait() == 0
    assert 60 <= one.wait() <= 66
    (told,) = caplog.records
    assert told.levelname == "WARNING"
    assert "does not count Altoviz's quota" in told.getMessage()


def test_the_cache_does_not_show_whose_budget_it_is(cache):
    pace = pace_of(cache, Clock(), name="a secret")
    pace.wait()
    assert not any("secret" in key for key in cache._cache)


def test_by_default_it_uses_the_projects_cache():
    assert Pace("x", 1).cache.get("nothing") is None
