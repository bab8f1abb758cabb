"""Read an event's object again at Altoviz, if its account asks for that (``REFETCH``).

Deliveries may come in the wrong order. The object as it is now makes the order irrelevant.
"""

from __future__ import annotations

import threading
from dataclasses import replace

from django_altoviz.client import AltovizClient
from django_altoviz.conf import Account, get_account
from django_altoviz.event_types import EventType
from django_altoviz.exact_json import dumps_storable
from django_altoviz.exceptions import NotFound, UnknownAccount, ends_task
from django_altoviz.models import MIRRORS, Source, WebhookEvent
from django_altoviz.models.mirrors.relations import key_of
from django_altoviz.processing import claims
from django_altoviz.processing.mirroring import Reading, reading_of

# Connect and read timeouts, and the limit of the whole request, in seconds. They are short, because
# the event waits, and with the inline dispatcher Altoviz waits too.
_TIMEOUT = (3.0, 8.0)
_TIME_LIMIT = 8.0
_clients = threading.local()


def refetch(event: WebhookEvent) -> Reading | None:
    """Return the event's object as it is at Altoviz now, or ``None`` to use what the event shows.

    That is the case if the account does not ask for more, the mirror shows a newer reading already,
    or the object can't be read: the quota is used up, Altoviz does not answer, or it does not know
    an object that the event does not call deleted.

    Raises:
        Exception: the time limit that a queue raises into its task.
    """
    if event.source != Source.WEBHOOK or event.object_id is None or event.mirrored_at is not None:
        return None
    account = _account(event)
    if account is None or _is_shown(event, event.object_id) or claims.is_blocked(event):
        return None
    number = _last_event(event)
    try:
        return replace(_read(account, event, event.object_id), number=number, from_api=True)
    except Exception as error:
        if ends_task(error):
            raise
        # By its class only, because the text of an error may quote what was sent.
        reason = type(error).__name__
        event.log.warning("Event %s: its object could not be read again: %s", event.pk, reason)
        return None


def _account(event: WebhookEvent) -> Account | None:
    try:
        account = get_account(event.account)
    except UnknownAccount:
        return None
    return account if account.refetch and account.api_key else None


def _is_shown(event: WebhookEvent, object_id: int) -> bool:
    """Return True if the mirror shows the object as it was read after the event was stored."""
    rows = MIRRORS[EventType(event.type).entity].with_deleted.using(event._state.db)
    return rows.filter(key=key_of(event.account, object_id), last_event_id__gte=event.pk).exists()


def _last_event(event: WebhookEvent) -> int:
    """Return the last event of the object. What is read from now on is at least as new."""
    events = WebhookEvent.with_pruned.using(event._state.db).of_object(event).order_by("-pk")
    return events.values_list("pk", flat=True).first() or event.pk


def _read(account: Account, event: WebhookEvent, object_id: int) -> Reading:
    event_type = EventType(event.type)
    try:
        data = _client(account).resource(event_type.entity).get(object_id)
    except NotFound:
        if event_type.is_deletion:
            return reading_of(event)
        # A new object may not be readable yet [inferred], and with a wrong BASE_URL or another
        # company's key no object is. If it is gone, an event or a sync will say so.
        raise
    return replace(reading_of(event), data=data, raw=dumps_storable(data), is_gone=False)


def _client(account: Account) -> AltovizClient:
    """Return this thread's client for the account."""
    clients: dict[Account, AltovizClient] = vars(_clients).setdefault("by_account", {})
    if account not in clients:
        clients[account] = impatient_client(account.name)
    return clients[account]


def impatient_client(account: str) -> AltovizClient:
    """Return a client that answers within seconds: it neither repeats a request nor waits.

    Raises:
        UnknownAccount: ``ALTOVIZ`` has no such account.
        ImproperlyConfigured: the account has no ``API_KEY``.
    """
    return AltovizClient.impatient(account, timeout=_TIMEOUT, time_limit=_TIME_LIMIT)
