"""An event is a hint: what it tells of is read again at Altoviz, so that deliveries that come in the
wrong order end right."""

from __future__ import annotations

import threading

from django_altoviz.client import AltovizClient
from django_altoviz.client.retries import AltovizRetry
from django_altoviz.conf import Account, get_account
from django_altoviz.event_types import EventType
from django_altoviz.exact_json import dumps_storable
from django_altoviz.exceptions import APIFailure, NotFound, QuotaUsedUp, UnknownAccount
from django_altoviz.intake.envelopes import object_id_of
from django_altoviz.models import MIRRORS, Source, WebhookEvent
from django_altoviz.processing.mirroring import News

# Seconds to connect, and between two bytes: an event waits for it, and perhaps Altoviz itself.
_TIMEOUT = (3.0, 10.0)
_clients = threading.local()


def read_again(event: WebhookEvent) -> News | None:
    """The event's object as it is at Altoviz now.

    ``None`` where what the event says has to do: its account does not ask for more, a reading that
    was made for another event of the object is newer than this one, the quota is used up, Altoviz
    does not answer, whatever else keeps it from being read, or Altoviz does not know an object that
    the event has whole.
    """
    if event.source != Source.WEBHOOK or event.object_id is None or event.mirrored_at is not None:
        return None
    account = _account(event)
    if account is None or _is_shown(event, event.object_id) or event.is_blocked():
        return None
    number = _last_event(event)
    try:
        data = _read(account, event)
    except Exception as error:  # an unread object is no reason to lose what the event says
        # By its class, for the text of an error may quote what was sent.
        reason = type(error).__name__
        event.log.warning("Event %s: its object could not be read again: %s", event.pk, reason)
        return None
    return News(data, dumps_storable(data), number, is_certain=True)


def _account(event: WebhookEvent) -> Account | None:
    try:
        account = get_account(event.account)
    except UnknownAccount:
        return None
    return account if account.refetch and account.api_key else None


def _is_shown(event: WebhookEvent, object_id: int) -> bool:
    """Whether the mirror shows the object as it was after the event came in."""
    rows = MIRRORS[EventType(event.type).entity].with_deleted.using(event._state.db)
    return rows.filter(altoviz_id=object_id, last_event_id__gte=event.pk).exists()


def _last_event(event: WebhookEvent) -> int:
    """The last event of the object: what is read from now on is at least as new."""
    events = WebhookEvent.with_pruned.using(event._state.db).of_object(event).order_by("-pk")
    return events.values_list("pk", flat=True).first() or event.pk


def _read(account: Account, event: WebhookEvent) -> dict[str, object] | None:
    event_type = EventType(event.type)
    resource = getattr(_client(account), f"{event_type.entity}s")
    try:
        data: dict[str, object] = resource.get(event.object_id)
    except NotFound:
        if event_type.is_deletion:
            return None
        # What is new may not be there to be read yet [inferred], and with a wrong BASE_URL or another
        # company's key nothing is. If it is gone indeed, its deletion is told, or found by a sync.
        raise
    if object_id_of(data) != event.object_id:
        raise APIFailure("Altoviz answered with another object.")
    return data


def _client(account: Account) -> AltovizClient:
    """This thread's client of the account, which neither repeats a request nor waits for the quota."""
    clients: dict[Account, AltovizClient] = vars(_clients).setdefault("by_account", {})
    if account not in clients:
        client = AltovizClient.for_account(
            account.name, retry=AltovizRetry(total=0), timeout=_TIMEOUT, reads=1
        )
        client.pace.on_pause = _refuse
        clients[account] = client
    return clients[account]


def _refuse(seconds: float) -> None:
    raise QuotaUsedUp(f"The quota is used up for {seconds:.0f} seconds.")
