"""The base of the commands that use Altoviz's API: options, output and error messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext_lazy as _

from django_altoviz.client import AltovizClient
from django_altoviz.client.secrecy import without_password
from django_altoviz.conf import DEFAULT_ACCOUNT, Account, get_account
from django_altoviz.exceptions import (
    AllGone,
    APIFailure,
    ConnectionFailed,
    NotAuthorized,
    NotConfirmed,
    RateLimited,
    Unreachable,
)
from django_altoviz.management.database_command import DatabaseCommand
from django_altoviz.management.progress import retry_text
from django_altoviz.management.selection import add_account, add_format


class APICommand(DatabaseCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        add_account(parser, default=DEFAULT_ACCOUNT)
        add_format(parser)

    @contextmanager
    def client_of(self, account: Account) -> Iterator[AltovizClient]:
        """Provide the account's client, as ``api_client`` does, and print its longer pauses."""
        with api_client(account) as client:
            client.on_pause = lambda seconds: self.stderr.write(retry_text(seconds), str)
            yield client

    def write_result(self, format: str, text: str, value: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(value) if format == "json" else text)


_UNREACHABLE = _(
    "%(url)s can't be reached, or its answer broke off. Check the network, the proxy and BASE_URL, "
    "then run the command again: that is safe."
)
#: Messages that name the account and say what to do. Other failures explain themselves.
_MESSAGES = {
    NotAuthorized: _(
        "Altoviz does not accept the API key of account “%(name)s”. Check its API_KEY and BASE_URL "
        "in ALTOVIZ."
    ),
    RateLimited: _(
        "Altoviz's rate limit is exceeded. Run the command again in a few minutes: that is safe."
    ),
    ConnectionFailed: _UNREACHABLE,
    Unreachable: _UNREACHABLE,
    AllGone: _(
        "Altoviz has none of the objects in the mirror of account “%(name)s”, so its API_KEY may be "
        "another company's. Nothing was marked as deleted. If the objects really are gone, run the "
        "command with --all-gone."
    ),
    NotConfirmed: _(
        "Altoviz accepted the change, but its list does not show it yet. No webhook was removed "
        "before its replacement was listed. Run the command again in a minute: that is safe."
    ),
}


@contextmanager
def api_client(account: Account) -> Iterator[AltovizClient]:
    """Provide the account's client. Turn its failures into ``CommandError``."""
    if not account.api_key:
        raise CommandError(
            _(
                "Account “%(name)s” has no API_KEY. Create one in Altoviz, under API keys, and add "
                "it to ALTOVIZ."
            )
            % {"name": account.name}
        )
    try:
        with AltovizClient.for_account(account.name) as client:
            yield client
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
    except APIFailure as error:
        # By the exact class: StoredOtherwise, a subclass of NotConfirmed, explains itself.
        text = str(error)
        if message := _MESSAGES.get(type(error)):
            text = message % {"name": account.name, "url": without_password(account.base_url)}
        raise CommandError(text) from error


def configured_account(name: str) -> Account:
    """Return the account of that name. Raise ``CommandError`` if its settings are invalid."""
    try:
        return get_account(name)
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
