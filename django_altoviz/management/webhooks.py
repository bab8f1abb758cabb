"""How the commands read and show webhooks."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from django_altoviz import registration
from django_altoviz.conf import Account
from django_altoviz.event_types import EventType
from django_altoviz.registration import Registered, Wanted


def event_types(text: str) -> list[EventType]:
    """Names of event types from the command line, separated by commas."""
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in EventType.values]:
        raise ArgumentTypeError(
            f"{', '.join(map(repr, unknown))}: no such event type; choose from "
            f"{', '.join(EventType.values)}"
        )
    return [EventType(name) for name in names]


def chosen_url(account: Account, given: str | None) -> str:
    """What was given, also if that is nothing: an unset variable of a script's is not a default."""
    return account.webhook_url if given is None else given


def wanted_webhook(
    account: Account, url: str, name: str | None, types: list[list[EventType]] | None
) -> Wanted:
    """The account's webhook as it should be. Fails where the account has no secret for it."""
    if not account.webhook_secrets:
        raise CommandError(
            _(
                "Account “%(name)s” has no WEBHOOK_SECRET. Put one into ALTOVIZ: unsigned "
                "deliveries are not accepted."
            )
            % {"name": account.name}
        )
    chosen = [type for some in types for type in some] if types else list(EventType)
    return Wanted(
        name=name or registration.default_name(account.name),
        url=url,
        types=frozenset(chosen),
        secret=account.webhook_secrets[0],
    )


def types_shown(types: frozenset[str]) -> str:
    """How many, or that they are all."""
    return _("all") if types == {*EventType.values} else str(len(types))


def shown(webhook: Registered) -> str:
    """One line on a webhook, without its secret."""
    return _("%(id)s “%(name)s” %(url)s (event types: %(types)s)") % {
        "id": webhook.id,
        "name": printable(webhook.name),
        "url": printable(webhook.url),
        "types": types_shown(webhook.types),
    }


def printable(text: str) -> str:
    """What others have written, without what moves a terminal's cursor."""
    return "".join(each if each.isprintable() else "?" for each in text)


def as_json(webhook: Registered) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "types": sorted(webhook.types),
    }
