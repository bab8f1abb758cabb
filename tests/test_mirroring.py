"""The decision about the effect of an event on the mirror: a pure function, tested as a table."""

from __future__ import annotations

import pytest
from django.utils import timezone

from django_altoviz.models import Customer
from django_altoviz.processing.mirroring import TOO_LATE, Decision, Reading, decide


def row(last_event_id, *, is_deleted=False):
    deleted_at = timezone.now() if is_deleted else None
    return Customer(altoviz_id=1, last_event_id=last_event_id, deleted_at=deleted_at)


def reading(number, *, from_api=False, is_gone=False):
    return Reading({"id": 1}, '{"id": 1}', number, from_api, is_gone)


def decided(row, reading, *, is_overtaken=False, is_seen_alive=False):
    return decide(row, reading, is_overtaken=is_overtaken, is_seen_alive=is_seen_alive)


@pytest.mark.parametrize(
    ("row", "reading", "decision"),
    [
        (None, reading(5), Decision.SHOW),
        (row(4), reading(5), Decision.SHOW),
        (row(5), reading(5), Decision.KEEP),
        (row(6), reading(5), Decision.KEEP),
        (row(6), reading(5, from_api=True), Decision.KEEP),
        (row(4, is_deleted=True), reading(5), Decision.DELETED),
        (row(4, is_deleted=True), reading(5, from_api=True), Decision.REVIVE),
        (row(6, is_deleted=True), reading(5, from_api=True), Decision.KEEP),
        (None, reading(5, is_gone=True), Decision.DELETE),
        (row(4), reading(5, is_gone=True), Decision.DELETE),
        (row(6), reading(5, is_gone=True), Decision.DELETE),
        (row(4, is_deleted=True), reading(5, is_gone=True), Decision.DELETE),
    ],
)
def test_the_decision_depends_on_the_order_of_arrival(row, reading, decision):
    assert decided(row, reading) is decision


@pytest.mark.parametrize("row", [None, row(4), row(6, is_deleted=True)])
@pytest.mark.parametrize("is_gone", [True, False])
def test_a_difference_is_ignored_if_an_event_came_in_after_the_object_was_read(row, is_gone):
    found = reading(5, from_api=True, is_gone=is_gone)
    assert decided(row, found, is_overtaken=True) is Decision.OVERTAKEN


def test_a_deletion_is_ignored_if_a_sync_found_the_object_later():
    late = reading(5, is_gone=True)
    assert decided(row(6), late, is_seen_alive=True) is Decision.SEEN_ALIVE


def test_the_value_of_a_refusal_is_a_sentence_for_the_event():
    for decision in Decision:
        assert decision.value.endswith(".") == (decision in TOO_LATE)
