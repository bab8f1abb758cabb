from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from django_altoviz import registration
from django_altoviz.management.api_command import APICommand, configured_account
from django_altoviz.management.webhooks import (
    describe_webhook,
    event_types,
    url_or_default,
    wanted_webhook,
)
from django_altoviz.registration import Plan, Registered, compare_webhook, webhook_as_json


class Command(APICommand):
    help = (
        "List the account's webhooks at Altoviz. Show which of them belong to this app and how they "
        "differ from what altoviz_register_webhook would register with the same options."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--url", help="The wanted URL (default: the account's WEBHOOK_URL).")
        parser.add_argument(
            "--types",
            type=event_types,
            action="append",
            metavar="TYPE[,TYPE…]",
            help="The wanted event types (default: all). Can be repeated.",
        )
        parser.add_argument("--name", help="The wanted name (default: “django-altoviz (ACCOUNT)”).")

    def handle(self, *, account: str, format: str, **options: Any) -> None:
        configured = configured_account(account)
        url = url_or_default(configured, options["url"])
        wanted = wanted_webhook(configured, url, options["name"], options["types"])
        with self.client_of(configured) as client:
            rows = client.webhooks.all()
        plan = registration.plan(rows, wanted)
        webhooks = [Registered.read(row) for row in rows]
        findings = [compare_webhook(webhook, wanted) for webhook in webhooks]
        listed = list(zip(webhooks, findings, strict=True))
        value = {
            "account": account,
            "drift": not plan.is_done,
            "webhooks": [webhook_as_json(webhook) | finding for webhook, finding in listed],
        }
        lines = [f"{describe_webhook(webhook)}: {verdict(finding)}" for webhook, finding in listed]
        self.write_result(format, "\n".join([*lines, summary(plan)]), value)


def verdict(finding: dict[str, Any]) -> str:
    if not finding["ours"]:
        return _("not this app's")
    if finding["differs"]:
        return _("would be replaced, because it differs in %(fields)s") % {
            "fields": ", ".join(finding["differs"])
        }
    return _("right") if finding["secret_compared"] else _("right, but its secret is not shown")


def summary(plan: Plan) -> str:
    if plan.is_done:
        return _("Everything is as it should be.")
    if plan.create:
        return _("The webhook is missing. Run altoviz_register_webhook.")
    return _("There is more than one. Run altoviz_register_webhook.")
