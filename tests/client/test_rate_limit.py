from __future__ import annotations

import threading
from contextlib import suppress
from uuid import uuid4

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.client.rate_limit import RateLimiter


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
    cache = LocMemCache("rate limit", {"timeout": None})
    cache.clear()
    return cache


def limiter_on(cache, clock, name="one", requests=10, seconds=60.0):
    return RateLimiter(name, requests, seconds, cache, clock, clock.sleep)


def test_requests_within_the_limit_do_not_wait(cache):
    limiter = limiter_on(cache, Clock())
    assert [limiter.acquire() for _ in range(10)] == [0] * 10


def test_a_request_beyond_the_limit_waits_until_the_first_have_left_the_window(cache):
    clock = Clock()
    limiter = limiter_on(cache, clock)
    for _ in range(10):
        limiter.acquire()
    assert 60 <= limiter.acquire() <= 66


def test_a_request_waits_for_the_oldest_request_only(cache):
    clock = Clock()
    limiter = limiter_on(cache, clock, requests=2)
    limiter.acquire()
    clock.now += 30
    limiter.acquire()
    assert 30 <= limiter.acquire() <= 36


@given(st.lists(st.floats(0, 30), min_size=1, max_size=60), st.integers(1, 20))
def test_no_window_has_more_requests_than_the_limit(pauses, limit):
    cache = LocMemCache("rate limit property", {"timeout": None})
    cache.clear()
    clock = Clock()
    limiter = limiter_on(cache, clock, requests=limit)
    sent = []
    for pause in pauses:
        clock.now += pause
        limiter.acquire()
        sent.append(clock.now)
    for start in sent:
        assert sum(start <= other < start + 60 for other in sent) <= limit


def test_limiters_with_the_same_name_share_the_limit(cache):
    clock = Clock()
    one, same = limiter_on(cache, clock), limiter_on(cache, clock)
    other = limiter_on(cache, clock, "other")
    for _ in range(5):
        one.acquire()
        same.acquire()
    assert other.acquire() == 0
    assert one.acquire() > 0


def test_threads_share_the_limit(cache):
    clock = Clock()
    limiter = limiter_on(cache, clock, requests=1000)
    threads = [
        threading.Thread(target=lambda: [limiter.acquire() for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.get(limiter._key(limiter._slice())) == 200


def test_of_many_concurrent_requests_only_one_gets_the_last_place(cache, monkeypatch):
    """Checking before counting would fail here: each thread would find the same free place."""
    state, all_have_checked = threading.local(), threading.Barrier(20)
    get_many = cache.get_many

    def get_many_together(keys):
        found = get_many(keys)
        if not getattr(state, "has_checked", False):
            state.has_checked = True
            all_have_checked.wait(timeout=10)
        return found

    clock, passed = Clock(), []
    limiter = limiter_on(cache, clock, requests=10)
    for _ in range(9):
        limiter.acquire()
    monkeypatch.setattr(cache, "get_many", get_many_together)

    def request():
        with suppress(LimitReached):
            RateLimiter("one", 10, 60.0, cache, clock, clock.sleep, fail).acquire()
            passed.append(1)

    threads = [threading.Thread(target=request) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 1


class LimitReached(Exception):
    pass


def fail(seconds):
    raise LimitReached


def test_a_refused_request_is_not_counted(cache):
    limiter = limiter_on(cache, Clock(), requests=3)
    for _ in range(3):
        limiter.acquire()
    limiter.on_wait = fail
    for _ in range(10):
        with pytest.raises(LimitReached):
            limiter.acquire()
    assert cache.get(limiter._key(limiter._slice())) == 3


def test_a_request_that_another_process_counted_in_the_next_slice_counts(cache):
    """Two processes at the turn of a slice: at least one must see the other's request."""
    clock = Clock()
    limiter = limiter_on(cache, clock, requests=1)
    late = limiter_on(cache, Clock(), requests=1)
    clock.now += 5
    limiter.acquire()
    late.on_wait = fail
    with pytest.raises(LimitReached):
        late.acquire()


def test_a_counter_that_expires_before_it_is_decremented_does_no_harm(cache, monkeypatch):
    limiter = limiter_on(cache, Clock(), requests=1)
    limiter.acquire()
    monkeypatch.setattr(cache, "decr", lambda key: cache.incr("nothing"))
    assert limiter.acquire() > 0


class Broken(LocMemCache):
    """A cache whose server can't be reached."""

    def incr(self, key, delta=1, version=None):
        raise ConnectionError("Error 111 connecting to redis:6379")


@pytest.mark.parametrize("backend", [Broken, DummyCache])
def test_if_the_cache_fails_each_process_has_a_limit_of_its_own(backend, caplog):
    clock = Clock()
    name = f"{backend.__name__} {uuid4()}"
    one, same = (limiter_on(backend("broken", {}), clock, name) for _ in range(2))
    for _ in range(5):
        assert one.acquire() == 0
        assert same.acquire() == 0
    assert 60 <= one.acquire() <= 66
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "The cache can't count the requests to Altoviz" in record.getMessage()


def test_if_the_cache_fails_a_thousand_accounts_have_their_limits():
    limiters = [
        limiter_on(Broken("broken", {}), Clock(), str(uuid4()), requests=1) for _ in range(1000)
    ]
    for limiter in limiters:
        assert limiter.acquire() == 0
    assert all(limiter.acquire() > 0 for limiter in limiters)


def test_the_time_limit_of_a_task_is_not_taken_for_a_broken_cache():
    class Slow(LocMemCache):
        def incr(self, key, delta=1, version=None):
            raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        limiter_on(Slow("slow", {}), Clock()).acquire()


def test_cache_keys_do_not_show_the_name_of_the_limiter(cache):
    limiter = limiter_on(cache, Clock(), name="a secret")
    limiter.acquire()
    assert not any("secret" in key for key in cache._cache)


def test_the_default_cache_is_used_by_default():
    assert RateLimiter("x", 1).cache.get("nothing") is None


class TestAShare:
    def test_takes_its_part_and_counts_in_the_whole(self, cache):
        clock = Clock()
        whole = limiter_on(cache, clock)
        share = whole.share(0.5)
        assert [share.acquire() for _ in range(5)] == [0] * 5
        assert 60 <= share.acquire() <= 66
        assert (share.acquired, whole.acquired) == (6, 0)
        assert [whole.acquire() for _ in range(9)] == [0] * 9
        assert whole.acquire() > 0

    def test_waits_if_others_have_used_up_the_whole(self, cache):
        clock = Clock()
        whole = limiter_on(cache, clock)
        for _ in range(10):
            whole.acquire()
        pauses = []
        share = whole.share(0.5)
        share.on_wait = pauses.append
        assert share.acquire() == sum(pauses) > 0

    def test_has_one_request_at_least(self, cache):
        assert limiter_on(cache, Clock()).share(0.001).requests == 1
