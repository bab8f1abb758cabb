from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from django_altoviz import registration
from django_altoviz.management.api_command import APICommand, api_of, configured_account
from django_altoviz.management.webhooks import (
    as_json,
    chosen_url,
    event_types,
    shown,
    wanted_webhook,
)
from django_altoviz.registration import Plan, Registered, Wanted


class Command(APICommand):
    help = (
        "List the account's webhooks at Altoviz, which of them are this app's, and what in them is "
        "not as altoviz_register_webhook with the same options would have it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--url", help="The URL wanted (the account's WEBHOOK_URL).")
        parser.add_argument(
            "--types",
            type=event_types,
            action="append",
            metavar="TYPE[,TYPE…]",
            help="The event types wanted; by default all. May be repeated.",
        )
        parser.add_argument("--name", help="The name wanted: “django-altoviz (ACCOUNT)”.")

    def handle(self, *, account: str, format: str, **options: Any) -> None:
        configured = configured_account(account)
        url = chosen_url(configured, options["url"])
        wanted = wanted_webhook(configured, url, options["name"], options["types"])
        with api_of(configured) as client:
            rows = client.webhooks.all()
        plan = registration.plan(rows, wanted)
        listed = [described(Registered.read(row), wanted) for row in rows]
        value = {
            "account": account,
            "drift": not plan.is_done,
            "webhooks": [as_json(webhook) | about for webhook, about in listed],
        }
        lines = [f"{shown(webhook)}: {judged(about)}" for webhook, about in listed]
        self.tell(format, "\n".join([*lines, verdict(plan)]), value)


def described(webhook: Registered, wanted: Wanted) -> tuple[Registered, dict[str, Any]]:
    """A webhook and what is to be said of it; only of ours it is said what differs."""
    ours = registration.is_ours(webhook, name=wanted.name, url=wanted.url)
    differs = registration.differences(webhook, wanted) if ours else []
    return webhook, {
        "ours": ours,
        "right": ours and not differs,
        "differs": differs,
        "secret_compared": registration.has_secret(webhook, wanted.secret) is not None,
    }


def judged(about: dict[str, Any]) -> str:
    if not about["ours"]:
        return _("not this app's")
    if about["differs"]:
        return _("to be replaced, for it differs in %(fields)s") % {
            "fields": ", ".join(about["differs"])
        }
    return _("right") if about["secret_compared"] else _("right, as far as is shown")


def verdict(plan: Plan) -> str:
    if plan.is_done:
        return _("All is as it should be.")
    if plan.create:
        return _("The webhook is missing. Run altoviz_register_webhook.")
    return _("There are more than one. Run altoviz_register_webhook.")
