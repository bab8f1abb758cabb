"""Add the options by which commands choose an account or events."""

from __future__ import annotations

import datetime
from argparse import ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from django_altoviz.conf import DEFAULT_ACCOUNT, account_names
from django_altoviz.event_types import Entity, EventType
from django_altoviz.models import Status, WebhookEvent, WebhookEventQuerySet


def add_account(parser: CommandParser, **options: Any) -> None:
    """Add the option ``--account``.

    The names of the accounts are not its ``choices``: these are evaluated when the parser is built,
    and if ALTOVIZ is broken even ``--help`` would fail.
    """
    options.setdefault("help", "The account.")
    parser.add_argument("--account", type=account_name, metavar="NAME", **options)


def add_format(parser: CommandParser, *others: str) -> None:
    """Add the option ``--format``. Each command can print text and JSON."""
    formats = ["text", "json", *others]
    parser.add_argument(
        "--format", choices=formats, default="text", help="The format of the outcome."
    )


def account_name(text: str) -> str:
    """Parse the name of an account from the command line."""
    if text == DEFAULT_ACCOUNT:  # argparse parses the default too, and this account always exists
        return text
    try:
        names = account_names()
    except ImproperlyConfigured as error:
        raise ArgumentTypeError(str(error)) from error
    if text not in names:
        raise ArgumentTypeError(f"invalid choice: {text!r} (choose from {', '.join(names)})")
    return text


def add_selection(parser: CommandParser) -> None:
    """Add the options that ``selected`` evaluates."""
    add_account(parser, help="Only events of this account.")
    parser.add_argument(
        "--type",
        dest="types",
        action="append",
        choices=EventType.values,
        metavar="TYPE",
        help="Only events of this type, such as InvoiceUpdated. May be repeated.",
    )
    parser.add_argument(
        "--object",
        type=object_key,
        metavar="KIND:ID",
        help="Only events of this object, such as invoice:531884.",
    )
    parser.add_argument("--event", metavar="ID", help="Only the event with this event id.")
    parser.add_argument(
        "--since",
        type=point_in_time,
        metavar="TIME",
        help="Only events received at this time or later: 2026-11-25 or 2026-11-25T08:30.",
    )
    parser.add_argument(
        "--until", type=point_in_time, metavar="TIME", help="Only events received before this time."
    )


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
) -> WebhookEventQuerySet[WebhookEvent]:
    """Return the events that match the options of ``add_selection``, and ``--status``."""
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
    # Not from a replica, which may lag behind. Events are also processed in the database that they
    # were read from.
    events: WebhookEventQuerySet[WebhookEvent] = WebhookEvent.objects.for_write()
    if event is None:
        # Nobody has compared them with the events whose ids they have.
        events = events.without_set_aside()
    return events.filter(**{name: value for name, value in chosen.items() if value is not None})


def object_key(text: str) -> tuple[Entity, int]:
    """Parse an object from the command line, such as ``invoice:531884``."""
    kind, _colon, id = text.partition(":")
    if kind not in Entity.values or not id.isdecimal():
        raise ArgumentTypeError(
            f"{text!r} is not an object: write KIND:ID, for example invoice:531884. KIND is one of "
            f"{', '.join(Entity.values)}"
        )
    return Entity(kind), int(id)


def point_in_time(text: str) -> datetime.datetime:
    """Parse an ISO date or time from the command line.

    Without a UTC offset it is in the project's time zone.
    """
    try:
        value = parse_datetime(text if ":" in text else f"{text}T00:00")
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r}: {error}") from error
    if value is None:
        raise ArgumentTypeError(f"{text!r} is not a time: write 2026-11-25 or 2026-11-25T08:30")
    if timezone.is_aware(value) == settings.USE_TZ:
        return value
    return timezone.make_aware(value) if settings.USE_TZ else timezone.make_naive(value)
