"""What the commands that ask Altoviz's API have in common."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext_lazy as _

from django_altoviz.client import AltovizClient
from django_altoviz.conf import DEFAULT_ACCOUNT, Account, get_account
from django_altoviz.exceptions import (
    AllGone,
    APIFailure,
    ConnectionFailed,
    NotAuthorized,
    NotConfirmed,
    RateLimited,
)
from django_altoviz.management.selection import add_account


class APICommand(BaseCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        add_account(parser, default=DEFAULT_ACCOUNT)
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def tell(self, format: str, text: str, value: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(value) if format == "json" else text)


#: What the operator can do; what is not among these says it itself.
_CURES = {
    NotAuthorized: _(
        "Altoviz does not accept the API key of account “%(name)s”. Check its API_KEY and BASE_URL "
        "in ALTOVIZ."
    ),
    RateLimited: _(
        "Altoviz takes no more requests for now. Run the command again in some minutes: that is "
        "safe."
    ),
    ConnectionFailed: _(
        "%(url)s can't be reached, or its answer broke off. Check the network, the proxy and "
        "BASE_URL, and run the command again: that is safe."
    ),
    AllGone: _(
        "Altoviz has none of the objects that the mirror of account “%(name)s” has: its API_KEY may be "
        "another company's. Nothing was marked as deleted. If they are gone indeed, run it with "
        "--all-gone."
    ),
    NotConfirmed: _(
        "Altoviz took the change, but its list does not show it yet. Nothing was removed whose "
        "successor is not listed. Run the command again in a minute: that is safe."
    ),
}


@contextmanager
def api_of(account: Account) -> Iterator[AltovizClient]:
    """The account's client; what goes wrong with it is told with its cure."""
    if not account.api_key:
        raise CommandError(
            _(
                "Account “%(name)s” has no API_KEY. Create one in Altoviz, under API keys, and put "
                "it into ALTOVIZ."
            )
            % {"name": account.name}
        )
    try:
        with AltovizClient.for_account(account.name) as client:
            yield client
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
    except APIFailure as error:
        text = str(error)
        if cure := _CURES.get(type(error)):
            text = cure % {"name": account.name, "url": account.base_url}
        raise CommandError(text) from error


def configured_account(name: str) -> Account:
    try:
        return get_account(name)
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
