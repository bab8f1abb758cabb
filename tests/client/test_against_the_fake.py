"""The client under Altoviz's quota and under faults of the network: whole, or an error that says so."""

from __future__ import annotations

import itertools
import time
from collections import Counter

import pytest
from django.core.cache import cache
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_altoviz.client import AltovizClient, Pace
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
    """To sleep moves the clock on, and takes no time."""
    monkeypatch.setattr(time, "sleep", clock.sleep)


class Watched(AltovizClient):
    """A client whose answers are counted by their statuses."""

    def __init__(self, altoviz, pace):
        super().__init__(altoviz.api_key, altoviz.url, pace=pace)
        self.statuses = Counter()
        self._session.hooks["response"].append(self.count)

    def count(self, response, **options):
        self.statuses[response.status_code] += 1


class TestQuota:
    """Pain of many: an integration that is throttled half-way, and has read half of what there is."""

    @pytest.fixture
    def altoviz(self, clock):
        cache.clear()
        with FakeAltoviz(clock=clock) as altoviz:
            yield altoviz

    @pytest.fixture
    def pace(self, clock):
        return Pace(f"budget {next(names)}", 80, clock=clock, sleep=clock.sleep)

    def test_a_thousand_invoices_without_one_failed_page(self, altoviz, clock, pace):
        altoviz.populate(customers=5, invoices=1_000)
        began = clock.now
        with Watched(altoviz, pace) as client:
            read = [client.invoices.get(row["id"]) for row in client.invoices.all()]
        assert read == [*altoviz.invoices.all()]
        assert client.statuses == {200: 1_010}
        # It waits no more than it has to: 80 a minute, counted in twelfths of it.
        assert 60 * 12 <= clock.now - began <= 65 * 13

    def test_the_same_by_two_who_share_the_budget(self, altoviz, pace):
        with Watched(altoviz, pace) as one, Watched(altoviz, pace) as other:
            for client in itertools.islice(itertools.cycle([one, other]), 400):
                client.hello()
        assert one.statuses + other.statuses == {200: 400}

    @pytest.mark.parametrize("unit", ["milliseconds", "seconds"])
    def test_without_a_pace_it_waits_where_it_is_told_to(self, altoviz, clock, no_pauses, unit):
        altoviz.behave(retry_after=unit)
        unpaced = Pace(f"no budget {next(names)}", 1_000_000)
        began = clock.now
        with Watched(altoviz, unpaced) as client:
            for _ in range(250):
                client.hello()
        assert client.statuses == {200: 250}  # urllib3 has repeated what was refused
        assert 60 * 2 <= clock.now - began <= 65 * 3


FAULTS = st.lists(
    st.sampled_from([None, None, "reset", "break off", "drip", 429, 500, 502, 503]), max_size=30
)


@pytest.fixture(scope="module")
def shaky(clock):
    """An Altoviz without a quota, for faults to be put into."""
    with FakeAltoviz(clock=clock, behaviour=Behaviour(quota=None)) as altoviz:
        altoviz.populate(customers=310, products=210, invoices=120, quotes=20)
        yield altoviz


class TestFaults:
    @given(
        kind=st.sampled_from(["customers", "contacts", "products", "invoices", "quotes"]),
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
    def test_a_list_is_whole_or_an_error(self, shaky, no_pauses, kind, faults, headers):
        shaky.behave(paging_headers=headers)
        shaky.fail_next(*faults)
        pace = Pace(f"no budget {next(names)}", 1_000_000)
        expected = [each["id"] for each in getattr(shaky, kind).all()]
        read = []
        try:
            with AltovizClient(shaky.api_key, shaky.url, pace=pace) as client:
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
    def test_what_was_there_all_the_time_is_in_it(self, shaky, no_pauses, faults, place):
        shaky.behave(paging_headers=True)
        shaky.fail_next(*faults)
        pace = Pace(f"no budget {next(names)}", 1_000_000)
        before = {each["id"] for each in shaky.contacts.all()}
        victim = sorted(before)[place]
        read = []
        try:
            with AltovizClient(shaky.api_key, shaky.url, pace=pace) as client:
                for row in client.contacts.all():
                    read.append(row["id"])
                    if len(read) == 50:
                        shaky.contacts.delete(victim)
        except APIFailure:
            return
        finally:
            shaky.fail_next()
        staying = {each["id"] for each in shaky.contacts.all()} & before
        assert len({*read}) == len(read)
        assert staying <= {*read}
