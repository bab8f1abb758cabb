"""Judge the end state from the senders' log and the contents of the database."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from tests.chaos.senders import Sending

RECEIVERS = ["first", "second"]

Evidence = dict[str, Any]


def judge(log: Sequence[Sending], evidence: Evidence) -> list[str]:
    """Return all violations of the promises."""
    return [
        *_nothing_is_lost(log, evidence),
        *_nothing_is_stuck(evidence),
        *_one_effect(evidence),
        *_arrival_follows_the_senders(log, evidence),
        *_effects_in_order(log, evidence),
        *_the_mirror_converges(evidence),
        *_accounts_are_apart(evidence),
        *_only_the_late_is_ignored(log, evidence),
    ]


def _nothing_is_lost(log: Sequence[Sending], evidence: Evidence) -> Iterator[str]:
    """Check that accepted events are stored once, byte for byte, and that no others exist."""
    stored = Counter(event["event_id"] for event in evidence["events"])
    rows = {event["event_id"]: event for event in evidence["events"]}
    sent = {sending.event.event_id: sending.event for sending in log}
    sendings = Counter(sending.event.event_id for sending in log)
    accepted = Counter(sending.event.event_id for sending in log if sending.is_accepted)
    for event_id in accepted:
        if event_id not in stored:
            yield f"{event_id} was accepted and is lost"
    for event_id, times in stored.items():
        if times > 1:
            yield f"{event_id} is stored {times} times"
        if event_id not in sent:
            yield f"{event_id} was never sent"
        elif rows[event_id]["body"].encode() != sent[event_id].body:
            yield f"{event_id} is stored with another body"
        elif not accepted[event_id] <= rows[event_id]["deliveries"] <= sendings[event_id]:
            yield f"{event_id} counts {rows[event_id]['deliveries']} deliveries"


def _nothing_is_stuck(evidence: Evidence) -> Iterator[str]:
    for event in evidence["events"]:
        if event["status"] not in ("processed", "ignored"):
            yield f"{_name(event)} is {event['status']}: {event['error'][-300:]}"


def _one_effect(evidence: Evidence) -> Iterator[str]:
    """Check that each receiver has handled exactly the processed events, each once."""
    effects = Counter(tuple(effect) for effect in evidence["effects"])
    runs = Counter(tuple(run) for run in evidence["runs"])
    for (event, receiver), times in effects.items():
        if times > 1:
            yield f"event {event}: {times} effects of {receiver}"
    expected = {
        (event["pk"], receiver)
        for event in evidence["events"]
        if event["status"] == "processed"
        for receiver in RECEIVERS
    }
    for event, receiver in expected - effects.keys():
        yield f"event {event}: no effect of {receiver}"
    for event, receiver in effects.keys() - expected:
        yield f"event {event}: an effect of {receiver} that must not be"
    if len(runs) != len(effects):
        yield f"{len(effects)} effects, but {len(runs)} are recorded"


class Precedence:
    """Certain order of two events: the first was accepted before the second was ever sent.

    If the deliveries of two events overlap, either order is right.
    """

    def __init__(self, log: Sequence[Sending]) -> None:
        self.sent: dict[str, float] = {}
        self.accepted: dict[str, float] = {}
        for sending in log:
            name = sending.event.event_id
            self.sent[name] = min(sending.sent_at, self.sent.get(name, sending.sent_at))
            if sending.is_accepted:
                at = self.accepted.get(name, sending.answered_at)
                self.accepted[name] = min(sending.answered_at, at)

    def __call__(self, one: str, other: str) -> bool:
        never = float("inf")
        return self.accepted.get(one, never) < self.sent.get(other, 0)


def _arrival_follows_the_senders(log: Sequence[Sending], evidence: Evidence) -> Iterator[str]:
    """Check that the events' primary keys, their order of arrival, fit the order of sending."""
    precedes = Precedence(log)
    for events in _by_object(evidence).values():
        for position, earlier in enumerate(events):
            for later in events[position + 1 :]:
                if precedes(later["event_id"], earlier["event_id"]):
                    yield f"{_name(later)} came before {_name(earlier)}"


def _effects_in_order(log: Sequence[Sending], evidence: Evidence) -> Iterator[str]:
    """Check that the effects of an object's events are in the order of the events."""
    precedes = Precedence(log)
    names = {event["pk"]: event["event_id"] for event in evidence["events"]}
    places = defaultdict(list)
    for place, (event, _receiver) in enumerate(evidence["effects"]):
        places[event].append(place)
    for events in _by_object(evidence).values():
        with_effects = [event["pk"] for event in events if event["pk"] in places]
        for one in with_effects:
            for other in with_effects:
                if precedes(names[one], names[other]) and max(places[one]) > min(places[other]):
                    yield f"the effects of {names[one]} come after those of {names[other]}"


def _the_mirror_converges(evidence: Evidence) -> Iterator[str]:
    """Check that each object in the mirror shows its deletion or else its last event."""
    mirrors = {_object(row): row for row in evidence["mirrors"]}
    by_object = _by_object(evidence)
    for name in by_object.keys() ^ mirrors.keys():
        yield f"{name} is mirrored without an event, or not mirrored"
    for name in by_object.keys() & mirrors.keys():
        row, events = mirrors[name], by_object[name]
        deletions = [event for event in events if event["type"].endswith("Deleted")]
        if bool(deletions) != (row["deleted_at"] is not None):
            yield f"{name} has {len(deletions)} deletions, and is deleted at {row['deleted_at']}"
        expected = [*deletions, events[-1]][0]
        if row["data"] != json.loads(expected["body"])["data"]:
            yield f"{name} does not show {_name(expected)}, but {row['data'].get('internalId')}"


def _accounts_are_apart(evidence: Evidence) -> Iterator[str]:
    """Check that each document has the customer of its account, or none if that is not mirrored."""
    mirrored = {_object(row) for row in evidence["mirrors"]}
    for row in evidence["mirrors"]:
        if "customer_altoviz_id" in row:
            account, id = row["account"], row["customer_altoviz_id"]
            is_there = (account, "customer", id) in mirrored
            found = (row["customer__account"], row["customer__altoviz_id"])
            if found != ((account, id) if is_there else (None, None)):
                yield f"{_object(row)} has the customer {found}"


def _only_the_late_is_ignored(log: Sequence[Sending], evidence: Evidence) -> Iterator[str]:
    """Check that only events that may have come after their object's deletion are ignored."""
    precedes = Precedence(log)
    for events in _by_object(evidence).values():
        deletions = [event for event in events if event["type"].endswith("Deleted")]
        for event in events:
            excused = [d for d in deletions if not precedes(event["event_id"], d["event_id"])]
            if event["status"] == "ignored" and (event in deletions or not excused):
                yield f"{_name(event)} is ignored: {event['error']}"


def _object(row: dict[str, Any]) -> tuple[str, str, int]:
    return row["account"], row["entity"], row["altoviz_id"]


def _by_object(evidence: Evidence) -> dict[tuple[str, str, int], list[Any]]:
    """Return the events of each object, in the order of arrival."""
    by_object = defaultdict(list)
    for event in evidence["events"]:
        by_object[event["account"], event["entity"], event["object_id"]].append(event)
    return by_object


def _name(event: dict[str, Any]) -> str:
    return f"{event['event_id']} (number {event['pk']})"
