"""Checks of the state after the unusual deliveries. Import after ``django.setup()``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests
from django.db.models import Model, Sum
from shop.models import (
    AddressBookEntry,
    CatalogueItem,
    Client,
    Offer,
    PriceChange,
    ReceiverLog,
    Sale,
)

from django_altoviz.models import MIRRORS, Customer, Invoice, Product, Quote, WebhookEvent

from .deliveries import Delivery


@dataclass(frozen=True)
class Check:
    """A found value and the expected one. ``about`` fills the first columns of the table."""

    about: tuple[str, ...]
    found: Any
    expected: Any

    @property
    def passed(self) -> bool:
        return bool(self.found == self.expected)


def check_answer(delivery: Delivery, response: requests.Response) -> Check:
    try:
        answer = response.json()
    except requests.JSONDecodeError:
        answer = {}
    return Check(
        (delivery.what, delivery.how),
        (response.status_code, answer.get("status") or answer.get("error")),
        (delivery.status, delivery.answer),
    )


def check_events(deliveries: Sequence[Delivery]) -> list[Check]:
    """Check that each event is stored once, as it was sent, with the number of its deliveries."""
    times = Counter(delivery.body for delivery in deliveries)
    expected = {
        delivery.body.decode(): (delivery.event, times[delivery.body])
        for delivery in deliveries
        if delivery.event
    }
    events = list(WebhookEvent.objects.order_by("pk"))
    checks = [
        Check(
            (event.type or "(none)", str(event.object_id or ""), event.event_id),
            (event.status, event.deliveries),
            expected.get(event.body, "not stored"),
        )
        for event in events
    ]
    return [*checks, Check(("events in all", "", ""), len(events), len(expected))]


def check_mirror() -> list[Check]:
    live_and_deleted = {
        "contact": (1, 1),
        "customer": (1, 1),
        "product": (1, 1),
        "invoice": (1, 1),
        "quote": (2, 1),
        "credit": (0, 0),  # no delivery brings one in
    }
    return [
        *(
            Check(
                (f"{entity}s".title(), "live, deleted"),
                _count(MIRRORS[entity]),
                live_and_deleted[entity],
            )
            for entity in MIRRORS
        ),
        _row(Customer, 418206, email="compta@fonderie-brule.example"),
        _row(Product, 203915, unit_price=Decimal("189.5")),
        _row(Invoice, 531884, number="FA001043", is_draft=False, customer__number="C001042"),
        _row(Invoice, 531884, gross_tax_excluded_amount=Decimal("2690.42")),
        Check(("Invoice 531884", "sum of the lines"), _sum_of_lines(531884), Decimal("2690.42")),
        _row(Quote, 98141, status="Pending"),
        _row(Quote, 98155, status="Invoiced"),
    ]


def _count(mirror: Any) -> tuple[int, int]:
    live = mirror.objects.count()
    return live, mirror.with_deleted.count() - live


def _sum_of_lines(altoviz_id: int) -> Decimal | None:
    lines = Invoice.objects.filter(altoviz_id=altoviz_id)
    total: Decimal | None = lines.aggregate(total=Sum("lines__tax_excluded_amount"))["total"]
    return total


def _row(model: type[Model], altoviz_id: int, **columns: Any) -> Check:
    """Check columns of one object. ``found`` is None if there is no such object."""
    rows = model.objects.filter(altoviz_id=altoviz_id)
    found = rows.values_list(*columns).first()
    about = (f"{model.__name__} {altoviz_id}", ", ".join(columns))
    return Check(about, found, tuple(columns.values()))


def check_receivers() -> list[Check]:
    """Check that each receiver ran once for each processed event."""
    expected = {
        "keep_address_book": 3,
        "keep_catalogue": 3,
        "keep_client": 3,
        "keep_offer": 6,
        "keep_sale": 3,
        "note_price_change": 2,
    }
    found = Counter(ReceiverLog.objects.values_list("receiver", flat=True))
    runs = Counter(ReceiverLog.objects.values_list("receiver", "event_id"))
    return [
        *(
            Check((name, "runs"), found[name], expected.get(name, 0))
            for name in sorted({*expected, *found})
        ),
        Check(("all of them", "most runs for one event"), max(runs.values(), default=0), 1),
    ]


def check_shop() -> list[Check]:
    """Check the data that the receivers wrote."""
    name = "Fonderie Brûlé & Fils"
    prices = list(PriceChange.objects.values_list("old_price", "new_price"))
    entries = list(AddressBookEntry.objects.values_list("name", flat=True))
    return [
        _row(Client, 418206, name=name, is_closed=False),
        _row(Client, 418206, email="compta@fonderie-brule.example"),
        _row(Client, 418311, name="Gaël Noël-Lœwen", is_closed=True),
        _row(CatalogueItem, 203915, number="MOULE-AL-07", is_withdrawn=False),
        _row(CatalogueItem, 203811, number="LIVRE-FONT", is_withdrawn=True),
        Check(("Price changes", "old, new"), prices, [(Decimal("184.9"), Decimal("189.5"))]),
        _row(Sale, 531884, client__name=name, total=Decimal("3056.61"), state="open"),
        _row(Sale, 531902, number="000024", state="deleted"),
        _row(Offer, 98141, status="Pending", is_withdrawn=False),
        _row(Offer, 98155, status="Invoiced", is_withdrawn=False),
        _row(Offer, 98160, status="Refused", is_withdrawn=True),
        Check(("Address book", "names"), entries, ["Lefèvre Jérôme"]),
    ]
