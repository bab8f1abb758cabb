from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import ngettext

from django_altoviz.conf import account_names
from django_altoviz.models import Status, WebhookEvent
from django_altoviz.processing import process

_BATCH = 100


class Command(BaseCommand):
    help = (
        "Process the events that wait: new ones, failed ones, and those that a worker left behind. "
        "Each is tried once, in order of arrival. Exits with 1 if any of them failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", choices=account_names(), help="Only this account's.")
        parser.add_argument(
            "--limit", type=int, help="At most so many, and what waits behind them."
        )
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(
        self, *, account: str | None, limit: int | None, format: str, **options: Any
    ) -> None:
        outcomes = Counter({Status.PROCESSED: 0, Status.IGNORED: 0, Status.FAILED: 0})
        tried: set[int] = set()
        for event in waiting(account, limit):
            # One that has failed behind another of its object waits for the next run.
            if event.pk not in tried:
                for each in process(event):
                    tried.add(each.pk)
                    outcomes[Status(each.status)] += 1
        if format == "json":
            self.stdout.write(json.dumps({status.value: n for status, n in outcomes.items()}))
        else:
            counts = [f"{status.label}: {number}" for status, number in outcomes.items()]
            self.stdout.write(", ".join(counts))
        if failed := outcomes[Status.FAILED]:
            raise CommandError(
                ngettext(
                    "%(count)s event failed. Its error is in the admin; it will be tried again.",
                    "%(count)s events failed. Their errors are in the admin; they will be tried "
                    "again.",
                    failed,
                )
                % {"count": failed}
            )


def waiting(account: str | None, limit: int | None) -> Iterator[WebhookEvent]:
    """The events that are due, each once, in order of arrival, read a batch at a time."""
    due = WebhookEvent.objects.due().order_by("pk")
    if account is not None:
        due = due.filter(account=account)
    given, last = 0, 0
    while limit is None or given < limit:
        size = _BATCH if limit is None else min(_BATCH, limit - given)
        batch = list(due.filter(pk__gt=last)[:size])
        if not batch:
            return
        yield from batch
        given, last = given + len(batch), batch[-1].pk
