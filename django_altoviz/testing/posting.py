"""Post sample events to the project's own webhook, without an Altoviz."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponseBase
from django.test import Client
from django.urls import reverse

from django_altoviz.conf import DEFAULT_ACCOUNT, get_account
from django_altoviz.event_types import EventType, sent_type
from django_altoviz.intake import signing
from django_altoviz.intake.envelopes import Envelope
from django_altoviz.samples import new_event_id, sample, to_body
from django_altoviz.testing.fake.deliveries import Delivery

_CONTENT_TYPE = "text/plain; charset=utf-8"  # although the body is JSON [documented]


def event_body(
    event_type: EventType | str, *, event_id: str | None = None, **changes: Any
) -> bytes:
    """Return the body of an event of that type: a plausible object with some fields changed.

    A dictionary changes only the keys that it has: ``billingAddress={"city": "Brest"}``. The event
    has a new id unless ``event_id`` is given.

    Raises:
        ValueError: Altoviz sends no events of that type.
    """
    envelope = sample(sent_type(event_type))
    data = _merge(envelope.data, changes)
    return to_body(Envelope(event_id or new_event_id(), envelope.type, data))


def _merge(old: Any, changes: Any) -> Any:
    if not isinstance(old, Mapping) or not isinstance(changes, Mapping):
        return changes
    return {**old, **{name: _merge(old.get(name), new) for name, new in changes.items()}}


def post_event(
    event: EventType | str | bytes,
    *,
    account: str = DEFAULT_ACCOUNT,
    client: Client | None = None,
    event_id: str | None = None,
    **changes: Any,
) -> HttpResponseBase:
    """Post an event to the project's webhook with Django's test client, signed as Altoviz signs.

    ``event`` is an event type, with ``changes`` as for ``event_body``, or a whole body.

    Raises:
        ImproperlyConfigured: the account has no ``WEBHOOK_SECRET``.
        NoReverseMatch: the project does not include ``django_altoviz.urls``.
    """
    body = event if isinstance(event, bytes) else event_body(event, event_id=event_id, **changes)
    secrets = get_account(account).webhook_secrets
    if not secrets:
        raise ImproperlyConfigured(f'Account "{account}" has no WEBHOOK_SECRET in ALTOVIZ.')
    return (client or Client()).generic(
        "POST",
        webhook_path(account),
        body,
        _CONTENT_TYPE,
        headers={signing.SIGNATURE_HEADER: signing.sign(body, secrets[0])},
    )


def webhook_path(account: str = DEFAULT_ACCOUNT) -> str:
    """Return the path of the account's webhook in the project's URLs."""
    kwargs = {} if account == DEFAULT_ACCOUNT else {"account": account}
    return reverse("altoviz:webhook", kwargs=kwargs)


def through_test_client(delivery: Delivery) -> None:
    """Deliver to the project under test with Django's test client. The host of the URL is ignored."""
    url = urlsplit(delivery.url)
    others = {name: text for name, text in delivery.headers.items() if name != "Content-Type"}
    response = Client().generic(
        "POST",
        url.path + (f"?{url.query}" if url.query else ""),
        delivery.body,
        delivery.headers.get("Content-Type", ""),
        headers=others,
    )
    delivery.status = response.status_code
