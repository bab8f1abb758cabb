"""Which events a command is about, from its options."""

from __future__ import annotations

import datetime
from argparse import ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.db import router
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from django_altoviz.conf import account_names
from django_altoviz.event_types import Entity, EventType
from django_altoviz.models import Status, WebhookEvent, WebhookEventQuerySet


def add_selection(parser: CommandParser) -> None:
    parser.add_argument("--account", choices=account_names(), help="Only this account's.")
    parser.add_argument(
        "--type",
        dest="types",
        action="append",
        choices=EventType.values,
        metavar="TYPE",
        help="Only of this type: InvoiceUpdated… May be repeated.",
    )
    parser.add_argument(
        "--object", type=object_key, metavar="KIND:ID", help="Only of this object: invoice:531884."
    )
    parser.add_argument("--event", metavar="ID", help="Only the one of this event id.")
    parser.add_argument(
        "--since", type=moment, metavar="TIME", help="Only received then or later: 2026-11-25."
    )
    parser.add_argument("--until", type=moment, metavar="TIME", help="Only received before.")


def selected(
    *,
    account: str | None,
    types: list[str] | None,
    object: tuple[Entity, int] | None,
    event: str | None,
    since: datetime.datetime | None,
    until: datetime.datetime | None,
    status: list[Status] | None = None,
    **options: Any,
) -> WebhookEventQuerySet:
    """The events that the options of ``add_selection``, and ``--status``, choose."""
    entity, object_id = object or (None, None)
    chosen = {
        "account": account,
        "type__in": types,
        "entity": entity,
        "object_id": object_id,
        "event_id": event,
        "received_at__gte": since,
        "received_at__lt": until,
        "status__in": status,
    }
    # Not from a replica, which may lag behind: what is chosen is processed where it was read.
    events: WebhookEventQuerySet = WebhookEvent.objects.using(router.db_for_write(WebhookEvent))
    return events.filter(**{name: value for name, value in chosen.items() if value is not None})


def object_key(text: str) -> tuple[Entity, int]:
    """``invoice:531884`` from the command line."""
    kind, _colon, id = text.partition(":")
    if kind not in Entity.values or not id.isdecimal():
        raise ArgumentTypeError(
            f"{text!r} names no object: write KIND:ID, for example invoice:531884, with one of "
            f"{', '.join(Entity.values)}"
        )
    return Entity(kind), int(id)


def moment(text: str) -> datetime.datetime:
    """A date or a time in ISO format from the command line, of the project's time zone if it names
    none."""
    try:
        value = parse_datetime(text if ":" in text else f"{text}T00:00")
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r}: {error}") from error
    if value is None:
        raise ArgumentTypeError(f"{text!r} is no time: write 2026-11-25 or 2026-11-25T08:30")
    if timezone.is_aware(value) == settings.USE_TZ:
        return value
    return timezone.make_aware(value) if settings.USE_TZ else timezone.make_naive(value)
