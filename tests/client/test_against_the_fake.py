"""The client against the fake's rate limit and network faults: a complete result, or an error."""

from __future__ import annotations

import itertools
import time
from collections import Counter

import pytest
from django.core.cache import cache
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_altoviz.client import AltovizClient, RateLimiter
from django_altoviz.exceptions import APIFailure
from django_altoviz.testing import Behaviour, FakeAltoviz
from tests.conftest import examples
from tests.testing.conftest import Clock

names = itertools.count()


@pytest.fixture(scope="module")
def clock():
    return Clock()


@pytest.fixture
def no_pauses(monkeypatch, clock):
    """Make ``time.sleep`` advance the fake's clock and return at once."""
    monkeypatch.setattr(time, "sleep", clock.sleep)


def unlimited():
    return RateLimiter(f"unlimited {next(names)}", 1_000_000)


class CountingClient(AltovizClient):
    """A client that counts the status codes of its answers."""

    def __init__(self, altoviz, rate_limiter):
        super().__init__(altoviz.api_key, altoviz.url, rate_limiter=rate_limiter)
        self.statuses = Counter()
        self._session.hooks["response"].append(self.count)

    def count(self, response, **options):
        self.statuses[response.status_code] += 1


class TestRateLimit:
    """A common failure of integrations: throttled half-way, with half of the objects read."""

    @pytest.fixture
    def altoviz(self, clock):
        cache.clear()
        with FakeAltoviz(clock=clock) as altoviz:
            yield altoviz

    @pytest.fixture
    def rate_limiter(self, clock):
        return RateLimiter(f"limit {next(names)}", 80, clock=clock, sleep=clock.sleep)

    def test_reading_a_thousand_invoices_is_never_refused(self, altoviz, clock, rate_limiter):
        altoviz.populate(customers=5, invoices=1_000)
        began = clock.now
        with CountingClient(altoviz, rate_limiter) as client:
            read = [client.invoices.get(row["id"]) for row in client.invoices.all()]
        assert read == [*altoviz.invoices.all()]
        assert client.statuses == {200: 1_010}
        # The client waits no longer than necessary: 80 requests a minute, in slices of 5 seconds.
        assert 60 * 12 <= clock.now - began <= 65 * 13

    def test_two_clients_that_share_the_limit_are_never_refused(self, altoviz, rate_limiter):
        one, other = (CountingClient(altoviz, rate_limiter) for _ in range(2))
        with one, other:
            for client in itertools.islice(itertools.cycle([one, other]), 400):
                client.hello()
        assert one.statuses + other.statuses == {200: 400}

    @pytest.mark.parametrize("unit", ["milliseconds", "seconds"])
    def test_a_client_without_a_limit_obeys_retry_after(self, altoviz, clock, no_pauses, unit):
        altoviz.behave(retry_after=unit)
        began = clock.now
        with CountingClient(altoviz, unlimited()) as client:
            for _ in range(250):
                client.hello()
        assert client.statuses == {200: 250}  # urllib3 repeats a 429 before the hook sees it
        assert 60 * 2 <= clock.now - began <= 65 * 3


FAULTS = st.lists(
    st.sampled_from([None, None, "reset", "break off", "drip", 429, 500, 502, 503]), max_size=30
)


@pytest.fixture(scope="module")
def shaky(clock):
    """Return a fake Altoviz without a rate limit, in which tests inject faults."""
    with FakeAltoviz(clock=clock, behaviour=Behaviour(quota=None)) as altoviz:
        altoviz.populate(customers=310, products=210, invoices=120, quotes=20, credits=20)
        yield altoviz


class TestFaults:
    @given(
        kind=st.sampled_from(
            ["customers", "contacts", "products", "invoices", "quotes", "credits"]
        ),
        faults=FAULTS,
        headers=st.booleans(),
    )
    @example(kind="customers", faults=["reset", "break off"] * 20, headers=True)
    @example(kind="products", faults=[429] * 40, headers=False)
    @example(kind="products", faults=[500] * 40, headers=True)
    @example(kind="customers", faults=[None, None, None, "break off"], headers=True)
    @hypothesis_settings(
        max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_a_list_is_complete_or_an_error(self, shaky, no_pauses, kind, faults, headers):
        shaky.behave(paging_headers=headers)
        shaky.fail_next(*faults)
        expected = [each["id"] for each in getattr(shaky, kind).all()]
        read = []
        try:
            with AltovizClient(shaky.api_key, shaky.url, rate_limiter=unlimited()) as client:
                for row in getattr(client, kind).all():
                    read.append(row["id"])
        except APIFailure as error:
            assert str(error)
            assert len({*read}) == len(read)
            assert len([fault for fault in faults if fault not in (None, "drip")]) > 3
        else:
            assert read == expected
        finally:
            shaky.fail_next()

    @given(faults=FAULTS, place=st.integers(0, 250))
    @hypothesis_settings(
        max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_a_deletion_while_reading_hides_no_other_object(self, shaky, no_pauses, faults, place):
        shaky.behave(paging_headers=True)
        shaky.fail_next(*faults)
        before = {each["id"] for each in shaky.contacts.all()}
        victim = sorted(before)[place]
        read = []
        try:
            with AltovizClient(shaky.api_key, shaky.url, rate_limiter=unlimited()) as client:
                for row in client.contacts.all():
                    read.append(row["id"])
                    if len(read) == 50:
                        shaky.contacts.delete(victim)
        except APIFailure:
            return
        finally:
            shaky.fail_next()
        remaining = {each["id"] for each in shaky.contacts.all()} & before
        assert len({*read}) == len(read)
        assert remaining <= {*read}
