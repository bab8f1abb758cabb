from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from django_altoviz import registration
from django_altoviz.conf import Account
from django_altoviz.management.api_command import APICommand, configured_account
from django_altoviz.management.webhooks import describe_webhook, url_or_default
from django_altoviz.registration import Registered


def webhook_id(text: str) -> int:
    """Parse the id of a webhook from the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is not the id of a webhook: give a number from 1")
    return int(text)


class Command(APICommand):
    help = (
        "Remove the account's webhook from Altoviz: all webhooks that deliver to its WEBHOOK_URL or "
        "to --url, or the webhook with --id. A webhook that does not exist counts as removed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--id", type=webhook_id, help="Remove the webhook with this id.")
        which.add_argument("--url", help="Remove all webhooks that deliver to this URL.")
        parser.add_argument(
            "--force",
            action="store_true",
            help="Also remove webhooks that this app did not register.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Only show what would be removed."
        )

    def handle(self, *, account: str, force: bool, dry_run: bool, **options: Any) -> None:
        configured = configured_account(account)
        id, url = options["id"], url_or_default(configured, options["url"])
        if id is None and not url:
            raise CommandError(
                _(
                    "No webhook to remove: give --id or --url, or set the WEBHOOK_URL of account "
                    "“%(name)s” in ALTOVIZ."
                )
                % {"name": account}
            )
        with self.client_of(configured) as client:
            listed = [Registered.read(row) for row in client.webhooks.all()]
            chosen = [webhook for webhook in listed if is_chosen(webhook, id, url)]
            if not force:
                refuse_foreign(chosen, configured)
            if not dry_run:
                registration.unregister(client.webhooks, [webhook.id for webhook in chosen])
        self.report(chosen, dry_run, options["format"])

    def report(self, chosen: list[Registered], dry_run: bool, format: str) -> None:
        text = _("Would remove: %(webhook)s") if dry_run else _("Removed: %(webhook)s")
        lines = [text % {"webhook": describe_webhook(webhook)} for webhook in chosen]
        lines = lines or [_("There is no such webhook.")]
        ids = [webhook.id for webhook in chosen]
        self.write_result(format, "\n".join(lines), {"remove" if dry_run else "removed": ids})


def is_chosen(webhook: Registered, id: int | None, url: str) -> bool:
    """Return True if the webhook has the id if one is given, or else delivers to the URL."""
    if id is not None:
        return webhook.id == id
    # Webhooks are removed by id, so one without an id can't be.
    return bool(webhook.id) and registration.delivers_to(webhook, url)


def refuse_foreign(chosen: list[Registered], account: Account) -> None:
    """Fail if a webhook has neither the app's name nor the account's URL."""
    for webhook in chosen:
        has_our_name = registration.has_name(webhook, registration.default_name(account.name))
        if not has_our_name and not registration.delivers_to(webhook, account.webhook_url):
            raise CommandError(
                _(
                    "This app did not register %(webhook)s. Nothing was removed. Use --force to "
                    "remove it anyway."
                )
                % {"webhook": describe_webhook(webhook)}
            )
