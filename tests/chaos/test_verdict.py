"""The judge accepts a right end state and finds each kind of violation."""

from __future__ import annotations

import copy
import json
import random

import pytest

from tests.chaos.deliveries import plan
from tests.chaos.senders import Sending
from tests.chaos.verdict import RECEIVERS, judge


@pytest.fixture
def log():
    """A log in which each event is sent after the answer to the one before."""
    events = plan(60, 3, random.Random("without deletions"))
    assert not any(event.is_deletion for event in events)
    return [
        Sending(event, sent_at=number, answered_at=number + 0.5, status=200)
        for number, event in enumerate(events)
    ]


@pytest.fixture
def evidence(log):
    """The end state of a system without faults."""
    events, mirrors = {}, {}
    for sending in log:
        event = sending.event
        body = event.body.decode()
        row = events.setdefault(
            event.event_id,
            {
                "pk": len(events) + 1,
                "event_id": event.event_id,
                "type": json.loads(body)["type"],
                "account": event.object[0],
                "entity": event.object[1],
                "object_id": event.object[2],
                "status": "processed",
                "body": body,
                "deliveries": 0,
                "attempts": 1,
                "error": "",
            },
        )
        row["deliveries"] += 1
        if row["deliveries"] == 1:
            mirrors[event.object] = {
                "account": event.object[0],
                "entity": event.object[1],
                "altoviz_id": event.object[2],
                "data": json.loads(body)["data"],
                "deleted_at": None,
            }
    effects = [[row["pk"], receiver] for row in events.values() for receiver in RECEIVERS]
    return {
        "events": list(events.values()),
        "effects": effects,
        "runs": copy.deepcopy(effects),
        "mirrors": list(mirrors.values()),
    }


def test_a_right_end_state_has_no_problems(log, evidence):
    assert judge(log, evidence) == []


def test_the_plan_repeats_events_and_mixes_objects(log):
    names = [sending.event.event_id for sending in log]
    assert len(names) == 60
    assert len({*names}) == 42
    assert len({sending.event.object for sending in log}) == 3
    assert names != sorted(names)


def test_the_same_seed_makes_the_same_plan():
    one, other, third = (plan(100, 20, random.Random(seed)) for seed in ("a", "a", "b"))
    assert one == other != third
    assert any(event.is_deletion for event in one)


def lose_an_event(evidence):
    evidence["events"].pop()


def store_an_event_twice(evidence):
    evidence["events"].append(evidence["events"][0] | {"pk": 99})


def change_a_body(evidence):
    evidence["events"][0]["body"] += " "


def add_an_unknown_event(evidence):
    evidence["events"][0]["event_id"] = "evt_nobody_sent"


def miscount_deliveries(evidence):
    evidence["events"][0]["deliveries"] += 1


def leave_an_event_failed(evidence):
    evidence["events"][0]["status"] = "failed"


def repeat_an_effect(evidence):
    evidence["effects"].append(evidence["effects"][-1])


def lose_an_effect(evidence):
    evidence["effects"].pop()


def lose_a_record(evidence):
    evidence["runs"].pop()


def swap_two_events(evidence):
    """Swap the order of arrival of two events of one object."""
    first = evidence["events"][0]
    object = (first["account"], first["object_id"])
    second = next(
        row for row in evidence["events"][1:] if (row["account"], row["object_id"]) == object
    )
    first["pk"], second["pk"] = second["pk"], first["pk"]
    evidence["events"].sort(key=lambda row: row["pk"])


def delay_an_effect(evidence):
    evidence["effects"].append(evidence["effects"].pop(0))


def show_an_older_event(evidence):
    row = evidence["mirrors"][0]
    row["data"] = row["data"] | {"internalId": "of another event"}


def lose_an_object(evidence):
    evidence["mirrors"].pop()


def delete_an_object(evidence):
    evidence["mirrors"][0]["deleted_at"] = "2026-11-25"


def give_an_invoice_to_another_account(evidence):
    customer = {
        "customer_altoviz_id": 1000,
        "customer__account": "acme",
        "customer__altoviz_id": 1000,
    }
    evidence["mirrors"][0] |= {"account": "default"} | customer


def ignore_without_a_deletion(evidence):
    row = evidence["events"][0]
    row["status"] = "ignored"
    for name in ("effects", "runs"):
        evidence[name] = [each for each in evidence[name] if each[0] != row["pk"]]


@pytest.mark.parametrize(
    ("violate", "verdict"),
    [
        (lose_an_event, "was accepted and is lost"),
        (store_an_event_twice, "is stored 2 times"),
        (change_a_body, "with another body"),
        (add_an_unknown_event, "was never sent"),
        (miscount_deliveries, "deliveries"),
        (leave_an_event_failed, "is failed"),
        (repeat_an_effect, "2 effects of second"),
        (lose_an_effect, "no effect of second"),
        (lose_a_record, "are recorded"),
        (swap_two_events, "came before"),
        (delay_an_effect, "come after those of"),
        (show_an_older_event, "does not show"),
        (lose_an_object, "not mirrored"),
        (delete_an_object, "0 deletions"),
        (give_an_invoice_to_another_account, "has the customer"),
        (ignore_without_a_deletion, "is ignored"),
    ],
)
def test_each_violation_is_found(log, evidence, violate, verdict):
    violate(evidence)
    assert any(verdict in problem for problem in judge(log, evidence)), judge(log, evidence)


def test_if_two_deliveries_overlap_either_order_is_right(log, evidence):
    swap_two_events(evidence)
    together = [Sending(each.event, 0.0, 100.0, each.status) for each in log]
    assert not [each for each in judge(together, evidence) if "before" in each or "after" in each]


def test_an_event_that_was_not_accepted_may_be_stored_or_not(log, evidence):
    once = next(s for s in log if [e.event for e in log].count(s.event) == 1)
    refused = [
        Sending(each.event, each.sent_at, each.answered_at, 0 if each is once else each.status)
        for each in log
    ]
    assert judge(refused, evidence) == []
