"""Whether all is well: what is stuck, what has failed, and since when nothing has come in."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, fields

from django.db import router
from django.db.models import Count, Min
from django.utils import timezone

from django_altoviz.models import Source, Status, WebhookEvent


@dataclass(frozen=True)
class Health:
    """The state of an account's events.

    ``backlog`` counts what is not settled, the ``failed`` among it; ``oldest`` is when the first of
    it was received, ``last_received_at`` when the last delivery of Altoviz came in.
    """

    account: str
    backlog: int
    failed: int
    dead: int
    malformed: int
    oldest: datetime.datetime | None
    last_received_at: datetime.datetime | None

    @property
    def age(self) -> datetime.timedelta:
        """How long the oldest event has waited: none where nothing waits."""
        return _since(self.oldest) or datetime.timedelta()

    @property
    def silence(self) -> datetime.timedelta | None:
        """How long nothing has come in: ``None`` where nothing ever has."""
        return _since(self.last_received_at)

    def as_json(self) -> dict[str, object]:
        """Numbers, and times in ISO format."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime.datetime) else value
            for name, value in values.items()
        }


def _since(moment: datetime.datetime | None) -> datetime.timedelta | None:
    return None if moment is None else timezone.now() - moment


def health_of(accounts: list[str]) -> Iterator[Health]:
    """The health of each of these accounts, and of others that have events which are not settled."""
    looked_at = (*_UNSETTLED, Status.DEAD, Status.MALFORMED)
    events = WebhookEvent.objects.using(_using()).filter(status__in=looked_at).order_by()
    counted = events.values("account", "status").annotate(n=Count("pk"), first=Min("received_at"))
    rows = {(row["account"], row["status"]): (row["n"], row["first"]) for row in counted}
    for account in dict.fromkeys([*accounts, *(name for name, _status in rows)]):
        found = {status: rows.get((account, status), (0, None)) for status in looked_at}
        waiting = [found[status] for status in _UNSETTLED]
        yield Health(
            account=account,
            backlog=sum(number for number, _first in waiting),
            failed=found[Status.FAILED][0],
            dead=found[Status.DEAD][0],
            malformed=found[Status.MALFORMED][0],
            oldest=min((first for _number, first in waiting if first), default=None),
            last_received_at=_last_received(account),
        )


_UNSETTLED = (Status.PENDING, Status.PROCESSING, Status.FAILED)


def _using() -> str:
    # A replica that has come to a stop would say that all is well.
    return router.db_for_write(WebhookEvent)


def _last_received(account: str) -> datetime.datetime | None:
    # By the primary key, which has an index and the same order.
    events = WebhookEvent.with_pruned.using(_using())
    received = events.filter(account=account, source=Source.WEBHOOK)
    return received.order_by("-pk").values_list("received_at", flat=True).first()
