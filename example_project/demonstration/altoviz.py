"""Checks of the project against the fake Altoviz: registration, deliveries, sync."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from io import StringIO
from itertools import groupby
from typing import Any

from django.core.management import call_command
from shop.models import Offer, PriceChange, ReceiverLog, Sale

from django_altoviz.event_types import SENT_TYPES, Entity
from django_altoviz.models import MIRRORS, WebhookEvent
from django_altoviz.testing import FakeAltoviz

from .changes import describe, make_changes
from .checks import Check


def register(altoviz: FakeAltoviz, url: str) -> tuple[str, list[Check]]:
    """Register the project's webhook with the command. Return its output, and checks."""
    # Without --force the command refuses a URL on this machine: the real Altoviz can't reach it.
    arguments = ["altoviz_register_webhook", "--force", "--url", url]
    output = command(*arguments)
    first = altoviz.webhooks.registered()
    output += command(*arguments)
    found = altoviz.webhooks.registered()
    return output, [
        Check(("Webhook", "URL"), [webhook.url for webhook in found], [url]),
        Check(("Webhook", "event types"), [len(webhook.types) for webhook in found], [15]),
        Check(("Webhook", "unchanged by the second run"), found == first, True),
    ]


def command(*arguments: str) -> str:
    """Run a management command of the project and return its output."""
    output = StringIO()
    call_command(*arguments, stdout=output, stderr=StringIO())
    return output.getvalue()


def check_changes(altoviz: FakeAltoviz) -> list[Check]:
    """Make all the changes at the fake, and check that the events of each arrive."""
    return [
        Check((change,), grouped(map(describe, arrived)), grouped(expected))
        for change, arrived, expected in make_changes(altoviz)
    ]


def grouped(events: Iterable[str]) -> list[str]:
    """Return the events in order, with repeated ones grouped as "2 × event"."""
    runs = ((event, len(list(run))) for event, run in groupby(events))
    return [event if times == 1 else f"{times} × {event}" for event, times in runs]


def check_import(altoviz: FakeAltoviz) -> list[Check]:
    """Check that the first sync has mirrored all objects without calling receivers."""
    runs = Check(("Receivers", "runs for imported objects"), ReceiverLog.objects.count(), 0)
    return [*check_mirror(altoviz), runs]


def check_final_state(altoviz: FakeAltoviz) -> list[Check]:
    """Check that the mirror equals Altoviz, and that the receivers ran once per event."""
    runs = Counter(ReceiverLog.objects.values_list("receiver", "event_id"))
    bodies = {delivery.body for delivery in altoviz.deliveries}
    lost = ["InvoiceDeleted", "ProductUpdated", "QuoteCreated"]
    never_sent = ["CreditCreated"]  # the credit of the cancelled invoice
    types = _types("sync")
    found_lost = [type for type in types if type in {*SENT_TYPES}]
    found_never_sent = [type for type in types if type not in {*SENT_TYPES}]
    return [
        Check(("Webhook events", "stored, processed"), _events("webhook"), [len(bodies)] * 2),
        Check(("Sync events", "stored, processed"), _events("sync"), [len(types)] * 2),
        Check(("Sync events", "types: the lost events"), found_lost, lost),
        Check(("Sync events", "types: never sent"), found_never_sent, never_sent),
        *check_mirror(altoviz),
        Check(("Sales", "states"), _values(Sale, "state"), _SALES),
        Check(("Offers", "statuses"), _values(Offer, "status"), ["Invoiced", "Refused", "Pending"]),
        Check(("Price changes", "newest price"), _last_price(), Decimal(210)),
        Check(("Receivers", "most runs for one event"), max(runs.values(), default=0), 1),
    ]


_SALES = ["paid", "deleted", "cancelled", "deleted"]


def check_mirror(altoviz: FakeAltoviz) -> list[Check]:
    return [_check_entity(altoviz, entity) for entity in Entity]


def _events(source: str) -> list[int]:
    events = WebhookEvent.objects.filter(source=source)
    return [events.count(), events.filter(status="processed").count()]


def _types(source: str) -> list[str]:
    return sorted(WebhookEvent.objects.filter(source=source).values_list("type", flat=True))


def _check_entity(altoviz: FakeAltoviz, entity: Entity) -> Check:
    """Check how many mirrored objects equal those at Altoviz, and how many do not exist there."""
    at_altoviz = {each["id"]: each for each in getattr(altoviz, f"{entity.value}s").all()}
    mirrored = dict(MIRRORS[entity].objects.values_list("altoviz_id", "data"))
    same = sum(mirrored.get(id) == each for id, each in at_altoviz.items())
    others = len(mirrored.keys() - at_altoviz.keys())
    return Check(
        (f"{entity.value.title()}s", "equal to Altoviz, extra"),
        (same, others),
        (len(at_altoviz), 0),
    )


def _values(model: Any, column: str) -> Sequence[Any]:
    return list(model.objects.order_by("pk").values_list(column, flat=True))


def _last_price() -> Decimal | None:
    return PriceChange.objects.order_by("pk").values_list("new_price", flat=True).last()
