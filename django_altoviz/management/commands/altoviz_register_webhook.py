from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from django_altoviz import registration
from django_altoviz.client import AltovizClient
from django_altoviz.conf import Account
from django_altoviz.management.api_command import APICommand, api_of, configured_account
from django_altoviz.management.webhooks import chosen_url, event_types, shown, wanted_webhook
from django_altoviz.registration import Outcome, Plan, Registered, Wanted, endpoints

#: The exit code of a dry run that found something to do.
WOULD_CHANGE = 3


class Command(APICommand):
    help = (
        "Register the account's webhook at Altoviz, or change or replace what is registered, so "
        "that exactly one is there and is right. Can be run at any time, and again. Exits with 3 "
        "if a --dry-run finds something to do."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--url", help="Its public URL (the account's WEBHOOK_URL).")
        parser.add_argument(
            "--types",
            type=event_types,
            action="append",
            metavar="TYPE[,TYPE…]",
            help="The event types; by default all. May be repeated.",
        )
        parser.add_argument("--name", help="Its name at Altoviz: “django-altoviz (ACCOUNT)”.")
        parser.add_argument(
            "--replace", action="store_true", help="Create a new one even if one is right."
        )
        parser.add_argument(
            "--force", action="store_true", help="Also a URL that can't receive deliveries."
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")

    def handle(self, *, account: str, dry_run: bool, replace: bool, **options: Any) -> None:
        configured = configured_account(account)
        url = chosen_url(configured, options["url"])
        if not options["force"]:
            check_url(url, configured)
        elif not url:
            raise no_url(configured)
        wanted = wanted_webhook(configured, url, options["name"], options["types"])
        with api_of(configured) as client:
            if dry_run:
                self.rehearse(client, wanted, replace, options["format"])
            else:
                outcome = registration.register(client.webhooks, wanted, replace=replace)
                self.tell(options["format"], *report(outcome, wanted))

    def rehearse(self, client: AltovizClient, wanted: Wanted, replace: bool, format: str) -> None:
        rows = client.webhooks.all()
        distrusted = {registration.id_of(row) for row in rows} if replace else ()
        plan = registration.plan(rows, wanted, distrusted=distrusted)
        self.tell(format, *forecast(plan, wanted))
        if not plan.is_done:
            raise SystemExit(WOULD_CHANGE)


def check_url(url: str, account: Account) -> None:
    """Fail where Altoviz could not deliver to the URL, or this project would not know whose."""
    about = {"name": account.name, "url": url}
    if not url:
        raise no_url(account)
    if reason := endpoints.why_not_public(url):
        raise CommandError(
            _("Altoviz can't deliver to %(url)s: %(reason)s. With --force it is registered anyway.")
            % {"url": url, "reason": reason}
        )
    if not endpoints.leads_to_webhook(url, account.name):
        raise CommandError(
            _(
                "%(url)s does not lead to the webhook of account “%(name)s” in this project's "
                'URLs: compare its path with reverse("altoviz:webhook"). With --force it is '
                "registered anyway."
            )
            % about
        )


def no_url(account: Account) -> CommandError:
    return CommandError(
        _("No URL: give --url, or account “%(name)s” a WEBHOOK_URL in ALTOVIZ.")
        % {"name": account.name}
    )


def report(outcome: Outcome, wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """What was done, as text and as JSON."""
    if outcome.created:
        lines = [_("Registered: %(webhook)s") % {"webhook": shown(outcome.kept)}]
    else:
        lines = [_("Registered already: %(webhook)s") % {"webhook": shown(outcome.kept)}]
    lines += [_("Removed: %(id)s") % {"id": id} for id in outcome.removed]
    # A new one has the wanted secret, whatever the list shows.
    is_known = outcome.created or knows_secret(outcome.kept, wanted)
    value = {
        "webhook": outcome.kept.id,
        "created": outcome.created,
        "removed": [*outcome.removed],
        "left": [each.id for each in outcome.doubtful],
        "secret_compared": is_known,
    }
    return "\n".join([*lines, *remarks(is_known, outcome.doubtful)]), value


def forecast(plan: Plan, wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """What would be done, as text and as JSON."""
    lines = []
    if plan.keep:
        lines.append(_("Would keep: %(webhook)s") % {"webhook": shown(plan.keep)})
    else:
        lines.append(_("Would register: %(url)s") % {"url": wanted.url})
    lines += [_("Would remove: %(webhook)s") % {"webhook": shown(each)} for each in plan.remove]
    is_known = plan.keep is None or knows_secret(plan.keep, wanted)
    value = {
        "keep": plan.keep.id if plan.keep else None,
        "create": plan.create,
        "remove": [each.id for each in plan.remove],
        "left": [each.id for each in plan.doubtful],
        "secret_compared": is_known,
    }
    return "\n".join([*lines, *remarks(is_known, plan.doubtful)]), value


def knows_secret(webhook: Registered, wanted: Wanted) -> bool:
    return registration.has_secret(webhook, wanted.secret) is not None


def remarks(is_known: bool, doubtful: tuple[Registered, ...]) -> list[str]:
    lines = [
        _("Left alone, for it may be another project's: %(webhook)s") % {"webhook": shown(each)}
        for each in doubtful
    ]
    if not is_known:
        lines.append(
            _(
                "Altoviz does not show its secret, so it could not be compared. If it may be "
                "another one, run again with --replace."
            )
        )
    return lines
