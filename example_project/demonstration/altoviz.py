"""The project at the fake Altoviz: registered there, and in step with what happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from io import StringIO
from itertools import groupby
from typing import Any

from django.core.management import call_command
from shop.models import Offer, PriceChange, ReceiverLog, Sale

from django_altoviz.event_types import Entity
from django_altoviz.models import MIRRORS, WebhookEvent
from django_altoviz.testing import FakeAltoviz

from .checks import Check
from .life import live, told


def register(altoviz: FakeAltoviz, url: str) -> tuple[str, list[Check]]:
    """Register the project's webhook as an operator would. What the command says, and checks."""
    # The webhook is on this machine, where the real Altoviz could not deliver to.
    arguments = ["altoviz_register_webhook", "--force", "--url", url]
    said = command(*arguments)
    first = altoviz.webhooks.registered()
    said += command(*arguments)
    found = altoviz.webhooks.registered()
    return said, [
        Check(("Webhooks", "URLs"), [webhook.url for webhook in found], [url]),
        Check(("... of it", "event types"), [len(webhook.types) for webhook in found], [15]),
        Check(("... again", "the same one"), found == first, True),
    ]


def command(*arguments: str) -> str:
    """Run a command of the project, and return what it says."""
    output = StringIO()
    call_command(*arguments, stdout=output, stderr=StringIO())
    return output.getvalue()


def check_life(altoviz: FakeAltoviz) -> list[Check]:
    """Let everything happen, and look whether it arrives."""
    return [
        Check((what,), counted(map(told, arrived)), counted(expected))
        for what, arrived, expected in live(altoviz)
    ]


def counted(events: Iterable[str]) -> list[str]:
    """The events in their order, the same ones after each other as one."""
    runs = ((event, len(list(run))) for event, run in groupby(events))
    return [event if times == 1 else f"{times} × {event}" for event, times in runs]


def check_filled(altoviz: FakeAltoviz) -> list[Check]:
    """Whether the mirror has what was at Altoviz before, of which no receiver was told."""
    return [*check_mirror(altoviz), Check(("Receivers", "runs"), ReceiverLog.objects.count(), 0)]


def check_step(altoviz: FakeAltoviz) -> list[Check]:
    """Whether the mirror is what is at Altoviz, and what the receivers made of it."""
    runs = Counter(ReceiverLog.objects.values_list("receiver", "event_id"))
    bodies = {delivery.body for delivery in altoviz.deliveries}
    lost = ["InvoiceDeleted", "ProductUpdated", "QuoteCreated"]
    return [
        Check(("Events", "delivered, processed"), _events("webhook"), [len(bodies)] * 2),
        Check(("Events", "of the sync, processed"), _events("sync"), [len(lost)] * 2),
        Check(("... of it", "what was lost"), _types("sync"), lost),
        *check_mirror(altoviz),
        Check(("Sales", "states"), _values(Sale, "state"), _SALES),
        Check(("Offers", "statuses"), _values(Offer, "status"), ["Invoiced", "Refused", "Pending"]),
        Check(("Prices", "the last"), _last_price(), Decimal(210)),
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
    """How many objects the mirror has exactly as they are at Altoviz, and how many others."""
    at_altoviz = {each["id"]: each for each in getattr(altoviz, f"{entity.value}s").all()}
    mirrored = dict(MIRRORS[entity].objects.values_list("altoviz_id", "data"))
    same = sum(mirrored.get(id) == each for id, each in at_altoviz.items())
    others = len(mirrored.keys() - at_altoviz.keys())
    return Check(
        (f"{entity.value.title()}s", "as at Altoviz, others"),
        (same, others),
        (len(at_altoviz), 0),
    )


def _values(model: Any, column: str) -> Sequence[Any]:
    return list(model.objects.order_by("pk").values_list(column, flat=True))


def _last_price() -> Decimal | None:
    return PriceChange.objects.order_by("pk").values_list("new_price", flat=True).last()
