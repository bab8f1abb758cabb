"""The conditions of the queue: every form of a condition selects the same events."""

from __future__ import annotations

import datetime
import uuid
from itertools import chain

import pytest
from django.db import IntegrityError, transaction
from django.test import override_settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.models import Status, WebhookEvent, queue
from django_altoviz.models.queue import IN_LINE, SETTLED, UNSETTLED, WAITING
from django_altoviz.models.statements import exists, holds, update, where
from django_altoviz.processing import backlog, claims, ready_keys
from tests.settings import ALTOVIZ

HOUR = datetime.timedelta(hours=1)
MOMENTS = st.sampled_from([None, -HOUR, HOUR])


@st.composite
def states(draw):
    """Draw the columns that decide whose turn an event is."""
    status = draw(st.sampled_from(Status))
    lease = draw(st.sampled_from([-HOUR, HOUR])) if status == Status.PROCESSING else None
    return {
        "status": status,
        "lease_expires_at": lease,
        "next_attempt_at": draw(MOMENTS),
        "mirrored_at": draw(MOMENTS),
        "attempts": draw(st.integers(0, 2)),
        "account": draw(st.sampled_from(["default", "acme"])),
        "entity": draw(st.sampled_from(["invoice", "customer"])),
        "object_id": draw(st.sampled_from([None, 1, 2])),
    }


def stored(rows):
    now = timezone.now()
    for row in rows:
        moments = {
            name: now + value for name, value in row.items() if name.endswith("_at") and value
        }
        WebhookEvent.objects.create(**row | moments, dedupe_key=uuid.uuid4())
    return list(WebhookEvent.objects.order_by("pk"))


def keys(events):
    return {event.pk for event in events}


class Reference:
    """A second, plain implementation of the rules of the queue, to compare the others with."""

    def __init__(self, events, waits_for_retries):
        self.events, self.waits_for_retries = events, waits_for_retries

    def siblings(self, event):
        place = (event.account, event.entity, event.object_id)
        if event.object_id is None:
            return []
        others = [other for other in self.events if other.pk != event.pk]
        return [
            other for other in others if place == (other.account, other.entity, other.object_id)
        ]

    def holds_up_later(self, event):
        is_retried = event.status == Status.FAILED and event.mirrored_at is not None
        return event.status in IN_LINE or (self.waits_for_retries and is_retried)

    def ahead(self, event):
        siblings = self.siblings(event)
        return [each for each in siblings if each.pk < event.pk and self.holds_up_later(each)]

    def is_blocked(self, event):
        later = [each for each in self.siblings(event) if each.pk > event.pk]
        return bool(self.ahead(event)) or any(each.status == Status.PROCESSING for each in later)

    def is_ready(self, event):
        return event.is_due and all(each.is_due for each in self.ahead(event))


@pytest.mark.django_db
@pytest.mark.parametrize("waits_for_retries", [True, False])
@given(rows=st.lists(states(), min_size=1, max_size=5))
def test_all_forms_of_a_condition_agree(waits_for_retries, rows):
    own = ALTOVIZ | {"WAIT_FOR_RETRIES": waits_for_retries}
    with override_settings(ALTOVIZ=own), transaction.atomic():
        events = stored(rows)
        reference = Reference(events, waits_for_retries)
        queryset, now = WebhookEvent.objects.all(), timezone.now()
        assert keys(queryset.settled()) == keys(e for e in events if e.is_settled)
        assert keys(queryset.filter(queue.leased(now))) == keys(e for e in events if e.is_leased)
        assert keys(queryset.lease_expired()) == keys(e for e in events if e.has_expired_lease)
        assert keys(queryset.due()) == keys(e for e in events if e.is_due)
        ready = {e.pk for e in events if reference.is_ready(e)}
        assert {*chain.from_iterable(ready_keys(queryset))} == ready
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(backlog, "_FEW_OBJECTS", 0)  # as if there were many
            assert {*chain.from_iterable(ready_keys(queryset))} == ready
        for event in events:
            assert keys(queryset.of_object(event).exclude(pk=event.pk)) == keys(
                reference.siblings(event)
            )
            assert keys(queryset.ahead_of(event)) == keys(reference.ahead(event))
            blocking = queryset.filter(queue.blocking(event, waits_for_retries))
            is_blocked = event.object_id is not None and blocking.exists()
            assert claims.is_blocked(event) == is_blocked == reference.is_blocked(event)
            unsettled = [each for each in reference.siblings(event) if not each.is_settled]
            assert claims.has_unsettled_siblings(event) == bool(unsettled)
        transaction.set_rollback(True)


@pytest.mark.django_db
@given(row=states(), change=states())
def test_a_claim_notices_every_change_since_the_event_was_read(row, change):
    with transaction.atomic():
        (event,) = stored([row])
        fence = ("status", "attempts", "lease_expires_at")
        if change["lease_expires_at"]:
            change["lease_expires_at"] += timezone.now()
        WebhookEvent.objects.update(**{name: change[name] for name in fence})
        is_same = all(getattr(event, name) == change[name] for name in fence)
        assert WebhookEvent.objects.as_read(event).exists() == is_same
        assert update(event, {"error": "seen"}, claims._as_read(event)) == is_same
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_a_compiled_condition_gets_new_parameters_for_each_event():
    first, second = stored([pending(1), pending(1)])
    sql, parameters = where(first, queue.same_object, claims._GIVEN)
    assert where(second, queue.same_object, claims._GIVEN) == (sql, parameters)
    second.object_id = 2
    assert where(second, queue.same_object, claims._GIVEN)[1] != parameters
    assert not holds(exists(second, queue.same_object, claims._GIVEN), "default")


def pending(object_id):
    return {
        "status": Status.PENDING,
        "account": "default",
        "entity": "invoice",
        "object_id": object_id,
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    "impossible",
    [
        {"status": Status.PROCESSING, "lease_expires_at": None},
        *({"status": each, "lease_expires_at": -HOUR} for each in {*SETTLED, *WAITING}),
    ],
)
def test_an_event_has_a_lease_if_and_only_if_it_is_being_processed(impossible):
    with pytest.raises(IntegrityError, match="altoviz_event_lease"), transaction.atomic():
        stored([pending(1) | impossible])


def test_every_status_is_in_exactly_one_group():
    assert sorted([*SETTLED, *UNSETTLED]) == sorted(Status)
    assert {*WAITING} | {*IN_LINE} == {*UNSETTLED}


@pytest.mark.django_db
@pytest.mark.parametrize("few", [0, 500])
def test_only_what_waits_for_no_earlier_event_is_ready(monkeypatch, few):
    monkeypatch.setattr(backlog, "_FEW_OBJECTS", few)
    pending = {"status": Status.PENDING, "account": "default", "entity": "customer"}
    places = [(1, HOUR), (1, None), (2, None), (2, HOUR), (2, None), (3, HOUR), (None, None)]
    events = stored(
        pending | {"object_id": object_id, "next_attempt_at": moment}
        for object_id, moment in places
    )
    queryset = WebhookEvent.objects.all()
    assert [*chain.from_iterable(ready_keys(queryset))] == [events[2].pk, events[6].pk]
    assert (queryset.settled().count(), queryset.unsettled().count()) == (0, 7)
