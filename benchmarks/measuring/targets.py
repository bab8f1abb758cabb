"""Targets of the benchmark: the path of a site, its load, and where to find what it stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from benchmarks.measuring import deliveries
from benchmarks.measuring.load import Delivery
from benchmarks.sites import secrets

ALTOVIZ_PATH = "/altoviz/webhook/"
_STRIPE_PATH = f"/stripe/webhook/{secrets.STRIPE_ENDPOINT}/"
_ALTOVIZ_EVENTS = "SELECT event_id FROM django_altoviz_webhookevent"
_IN_GITHUBS_PAYLOAD = {
    "sqlite": "json_extract(payload, '$.issue.node_id')",
    "postgres": "payload -> 'issue' ->> 'node_id'",
}


@dataclass(frozen=True)
class Target:
    """Row of the table of results.

    ``stored`` has the SQL, by kind of database, that selects the ids of all stored events.
    ``undone`` counts the events that are not in the state that the answer promised.
    """

    name: str
    what: str
    site: str
    path: str
    deliveries: Callable[[str], Iterator[Delivery]]
    settings: dict[str, str] = field(default_factory=dict)
    package: str = "Django"
    stored: dict[str, str] = field(default_factory=dict)
    undone: str = ""

    def load(self) -> Iterator[Delivery]:
        return self.deliveries(self.path)


def _floor(name: str, what: str, table: str = "") -> Target:
    everywhere = {kind: f"SELECT event_id FROM {table}" for kind in ("sqlite", "postgres") if table}
    path = f"/{name.partition('-')[2]}/"
    return Target(name, what, "floors", path, deliveries.customers, stored=everywhere)


def _ours(
    name: str,
    what: str,
    load: Callable[[str], Iterator[Delivery]] = deliveries.customers,
    **settings: str,
) -> Target:
    settled = "pending" if name == "deferred" else "processed"
    return Target(
        name,
        what,
        "altoviz",
        ALTOVIZ_PATH,
        load,
        {"BENCH_DISPATCHER": "django_altoviz.dispatchers.inline", **settings},
        stored=dict.fromkeys(("sqlite", "postgres"), _ALTOVIZ_EVENTS),
        undone=f"SELECT count(*) FROM django_altoviz_webhookevent WHERE status <> '{settled}'",
    )


def _djstripe(name: str, what: str, load: Callable[[str], Iterator[Delivery]]) -> Target:
    events = "SELECT id FROM djstripe_event"
    return Target(
        name,
        what,
        "stripe",
        _STRIPE_PATH,
        load,
        package="dj-stripe",
        stored=dict.fromkeys(("sqlite", "postgres"), events),
        undone="SELECT count(*) FROM djstripe_webhookeventtrigger WHERE NOT processed",
    )


TARGETS = [
    _floor("floor-check", "bare view: signature"),
    _floor("floor-insert", "bare view: signature, INSERT", "floors_event"),
    _floor("floor-upsert", "bare view: signature, INSERT and upsert", "floors_event"),
    _ours(
        "deferred",
        "django-altoviz, stored for later",
        BENCH_DISPATCHER="django_altoviz.dispatchers.deferred",
    ),
    _ours("inline", "django-altoviz, customers mirrored"),
    _ours("inline-receiver", "the same, with one receiver", BENCH_RECEIVER="1"),
    _ours("inline-invoice", "django-altoviz, invoices of ten lines", deliveries.invoices),
    _djstripe("djstripe", "dj-stripe, mirrors the event", deliveries.stripe_payment_methods),
    _djstripe("djstripe-api", "dj-stripe, fetches the customer", deliveries.stripe_customers),
    Target(
        "github-app",
        "django-github-app, keeps the event",
        "github",
        "/gh/",
        deliveries.github_issues,
        package="django-github-app",
        stored={
            kind: f"SELECT {node_id} FROM django_github_app_eventlog"
            for kind, node_id in _IN_GITHUBS_PAYLOAD.items()
        },
    ),
]
BY_NAME = {target.name: target for target in TARGETS}
