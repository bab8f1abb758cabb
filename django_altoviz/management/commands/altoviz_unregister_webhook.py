from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from django_altoviz import registration
from django_altoviz.conf import Account
from django_altoviz.management.api_command import APICommand, api_of, configured_account
from django_altoviz.management.webhooks import chosen_url, shown
from django_altoviz.registration import Registered


def webhook_id(text: str) -> int:
    """The id of a webhook from the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is no id of a webhook: give 1 or more")
    return int(text)


class Command(APICommand):
    help = (
        "Remove the account's webhook from Altoviz: those that deliver to its WEBHOOK_URL, to "
        "--url, or the one of --id. One that is not there counts as removed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--id", type=webhook_id, help="The one of this id.")
        which.add_argument("--url", help="All that deliver to this URL.")
        parser.add_argument(
            "--force", action="store_true", help="Also what this app did not register."
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say what would go.")

    def handle(self, *, account: str, force: bool, dry_run: bool, **options: Any) -> None:
        configured = configured_account(account)
        id, url = options["id"], chosen_url(configured, options["url"])
        if id is None and not url:
            raise CommandError(
                _("No webhook: give --id or --url, or account “%(name)s” a WEBHOOK_URL in ALTOVIZ.")
                % {"name": account}
            )
        with api_of(configured) as client:
            listed = [Registered.read(row) for row in client.webhooks.all()]
            chosen = [each for each in listed if is_meant(each, id, url)]
            if not force:
                refuse_foreign(chosen, configured)
            if not dry_run:
                registration.unregister(client.webhooks, [each.id for each in chosen])
        self.report(chosen, dry_run, options["format"])

    def report(self, chosen: list[Registered], dry_run: bool, format: str) -> None:
        text = _("Would remove: %(webhook)s") if dry_run else _("Removed: %(webhook)s")
        lines = [text % {"webhook": shown(each)} for each in chosen]
        lines = lines or [_("There is no such webhook.")]
        ids = [each.id for each in chosen]
        self.tell(format, "\n".join(lines), {"remove" if dry_run else "removed": ids})


def is_meant(webhook: Registered, id: int | None, url: str) -> bool:
    """By its id if one is given, else by its URL. What has no id can't be removed by it."""
    if id is not None:
        return webhook.id == id
    return bool(webhook.id) and registration.delivers_to(webhook, url)


def refuse_foreign(chosen: list[Registered], account: Account) -> None:
    """Fail where one of them has neither the app's name nor the account's URL."""
    for webhook in chosen:
        named = webhook.name.strip() == registration.default_name(account.name)
        if not named and not registration.delivers_to(webhook, account.webhook_url):
            raise CommandError(
                _(
                    "Not registered by this app: %(webhook)s. Nothing was removed; with --force "
                    "it is."
                )
                % {"webhook": shown(webhook)}
            )
