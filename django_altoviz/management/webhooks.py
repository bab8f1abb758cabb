"""Options and output of the commands that manage webhooks."""

from __future__ import annotations

from argparse import ArgumentTypeError

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from django_altoviz.conf import Account
from django_altoviz.event_types import SENT_TYPES, EventType
from django_altoviz.registration import Registered, Wanted


def event_types(text: str) -> list[EventType]:
    """Parse a comma-separated list of event types from the command line."""
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in {*SENT_TYPES}]:
        raise ArgumentTypeError(
            f"{', '.join(map(repr, unknown))}: no such event type; choose from "
            f"{', '.join(SENT_TYPES)}"
        )
    return [EventType(name) for name in names]


def url_or_default(account: Account, url: str | None) -> str:
    """Return the option's value, or the account's URL if the option is missing.

    Keep an empty value, which comes from an unset variable in a script: the default would be a URL
    that nobody asked for.
    """
    return account.webhook_url if url is None else url


def wanted_webhook(
    account: Account, url: str, name: str | None, types: list[list[EventType]] | None
) -> Wanted:
    """Return the account's webhook as it should be. Fail if the account has no webhook secret."""
    if not account.webhook_secrets:
        raise CommandError(
            _(
                "Account “%(name)s” has no WEBHOOK_SECRET. Add one to ALTOVIZ, because unsigned "
                "deliveries are rejected."
            )
            % {"name": account.name}
        )
    chosen = [type for group in types for type in group] if types else SENT_TYPES
    return Wanted.by(account, url=url, name=name, types=chosen)


def describe_webhook(webhook: Registered) -> str:
    """Describe a webhook in one line, without its secret."""
    has_all_types = webhook.types == {*SENT_TYPES}
    return _("%(id)s “%(name)s” %(url)s (event types: %(types)s)") % {
        "id": webhook.id,
        "name": printable(webhook.name),
        "url": printable(webhook.url),
        "types": _("all") if has_all_types else len(webhook.types),
    }


def printable(text: str) -> str:
    """Replace non-printable characters: remote text must not send escapes to the terminal."""
    return "".join(each if each.isprintable() else "?" for each in text)
