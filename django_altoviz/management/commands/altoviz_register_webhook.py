from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from django_altoviz import registration
from django_altoviz.client import AltovizClient
from django_altoviz.conf import Account
from django_altoviz.management.api_command import APICommand, configured_account
from django_altoviz.management.webhooks import (
    describe_webhook,
    event_types,
    url_or_default,
    wanted_webhook,
)
from django_altoviz.registration import Plan, Registered, RegistrationResult, Wanted, endpoints

#: The exit code of a dry run that found something to do.
WOULD_CHANGE = 3


class Command(APICommand):
    help = (
        "Make sure that exactly one webhook of the account is registered at Altoviz and is right: "
        "create, keep or replace it. Safe to run at any time and repeatedly. Exits with 3 if a "
        "--dry-run finds something to do."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--url", help="The public URL (default: the account's WEBHOOK_URL).")
        parser.add_argument(
            "--types",
            type=event_types,
            action="append",
            metavar="TYPE[,TYPE…]",
            help="The event types (default: all). Can be repeated.",
        )
        parser.add_argument(
            "--name", help="The name at Altoviz (default: “django-altoviz (ACCOUNT)”)."
        )
        parser.add_argument(
            "--replace", action="store_true", help="Create a new webhook even if one is right."
        )
        parser.add_argument("--force", action="store_true", help="Skip the URL checks.")
        parser.add_argument("--dry-run", action="store_true", help="Only show what would be done.")

    def handle(self, *, account: str, dry_run: bool, replace: bool, **options: Any) -> None:
        configured = configured_account(account)
        url = url_or_default(configured, options["url"])
        if not url:
            raise CommandError(
                _("No URL: give --url, or set the WEBHOOK_URL of account “%(name)s” in ALTOVIZ.")
                % {"name": account}
            )
        if not options["force"]:
            check_url(url, configured)
        wanted = wanted_webhook(configured, url, options["name"], options["types"])
        with self.client_of(configured) as client:
            if dry_run:
                self.show_plan(client, wanted, replace, options["format"])
            else:
                result = registration.register(client.webhooks, wanted, replace=replace)
                self.write_result(options["format"], *describe_result(result, wanted))

    def show_plan(self, client: AltovizClient, wanted: Wanted, replace: bool, format: str) -> None:
        rows = client.webhooks.all()
        replaced = {registration.id_of(row) for row in rows} if replace else ()
        plan = registration.plan(rows, wanted, replace=replaced)
        self.write_result(format, *describe_plan(plan, wanted))
        if not plan.is_done:
            raise SystemExit(WOULD_CHANGE)


def check_url(url: str, account: Account) -> None:
    """Fail if Altoviz can't deliver to the URL, or if the URL is not the account's webhook."""
    about = {"name": account.name, "url": url}
    if reason := endpoints.why_not_public(url):
        raise CommandError(
            _(
                "Altoviz can't deliver to %(url)s: %(reason)s. To develop without a public URL, use "
                "altoviz_fake or a tunnel. Use --force to register it anyway."
            )
            % {"url": url, "reason": reason}
        )
    if not endpoints.leads_to_webhook(url, account.name):
        raise CommandError(
            _(
                "%(url)s does not lead to the webhook of account “%(name)s” in this project's "
                'URLs. Compare its path with reverse("altoviz:webhook"), or use --force to '
                "register it anyway."
            )
            % about
        )


def describe_result(result: RegistrationResult, wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """Describe what was done, as text and as JSON."""
    text = _("Registered: %(webhook)s") if result.created else _("Already registered: %(webhook)s")
    lines = [text % {"webhook": describe_webhook(result.kept)}]
    lines += [_("Removed: %(id)s") % {"id": id} for id in result.removed]
    # A webhook that was created now has the wanted secret, whatever the list shows.
    is_compared = result.created or is_secret_shown(result.kept, wanted)
    value = {
        "webhook": result.kept.id,
        "created": result.created,
        "removed": [*result.removed],
        "left": [webhook.id for webhook in result.left],
        "secret_compared": is_compared,
    }
    return "\n".join([*lines, *remarks(is_compared, result.left)]), value


def describe_plan(plan: Plan, wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """Describe what would be done, as text and as JSON."""
    if plan.keep:
        lines = [_("Would keep: %(webhook)s") % {"webhook": describe_webhook(plan.keep)}]
    else:
        lines = [_("Would register: %(url)s") % {"url": wanted.url}]
    lines += [
        _("Would remove: %(webhook)s") % {"webhook": describe_webhook(webhook)}
        for webhook in plan.remove
    ]
    is_compared = plan.keep is None or is_secret_shown(plan.keep, wanted)
    value = {
        "keep": plan.keep.id if plan.keep else None,
        "create": plan.create,
        "remove": [webhook.id for webhook in plan.remove],
        "left": [webhook.id for webhook in plan.leave],
        "secret_compared": is_compared,
    }
    return "\n".join([*lines, *remarks(is_compared, plan.leave)]), value


def is_secret_shown(webhook: Registered, wanted: Wanted) -> bool:
    return registration.has_secret(webhook, wanted.secret) is not None


def remarks(is_secret_compared: bool, left: tuple[Registered, ...]) -> list[str]:
    lines = [
        _("Left alone, because it may belong to another project: %(webhook)s")
        % {"webhook": describe_webhook(webhook)}
        for webhook in left
    ]
    if not is_secret_compared:
        lines.append(
            _(
                "Altoviz does not show the webhook's secret, so it could not be compared. If the "
                "secret may be another one, run the command again with --replace."
            )
        )
    return lines
