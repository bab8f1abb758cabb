from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from django_altoviz.conf import app_settings
from django_altoviz.retention import PRUNABLE, longest, prune


def days(text: str) -> int:
    """A number of days from the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is no number of days: give 1 or more")
    return int(text)


def window(text: str) -> tuple[str, int | None]:
    """``STATUS=DAYS`` from the command line."""
    status, _, number = text.partition("=")
    if status not in PRUNABLE:
        raise ArgumentTypeError(f"{status!r} is not one of {', '.join(PRUNABLE)}")
    return status, None if number == "never" else days(number)


class Command(BaseCommand):
    help = (
        "Remove the content of old events that were processed, ignored or malformed. Their ids "
        "stay, so that a delivery that comes again is still known. Failed and dead events stay, "
        "unless they have a window of their own."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days",
            type=days,
            default=app_settings.RETENTION_DAYS,
            help="Keep the events of so many days (ALTOVIZ['RETENTION_DAYS'], %(default)s).",
        )
        parser.add_argument(
            "--status",
            type=window,
            action="append",
            default=[],
            metavar="STATUS=DAYS",
            help=(
                "Keep events of that status for so many days, or “never” prune them "
                "(ALTOVIZ['RETENTION_BY_STATUS']). May be repeated."
            ),
        )
        parser.add_argument(
            "--dedupe-days",
            type=days,
            default=app_settings.DEDUPE_DAYS,
            help="Forget the ids too after so many days (ALTOVIZ['DEDUPE_DAYS'], %(default)s).",
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say what would go.")

    def handle(self, *, days: int, dedupe_days: int | None, dry_run: bool, **options: Any) -> None:
        by_status = {**app_settings.RETENTION_BY_STATUS} | dict(options["status"])
        if dedupe_days is not None and dedupe_days < longest(days, by_status):
            raise CommandError(
                _("--dedupe-days must not be less than the days for which events are kept.")
            )
        pruned = prune(days, dedupe_days, by_status=by_status, dry_run=dry_run)
        counts = {"emptied": pruned.emptied, "deleted": pruned.deleted}
        if dry_run:
            text = _("Events to empty: %(emptied)s, to delete: %(deleted)s.")
        else:
            text = _("Events emptied: %(emptied)s, deleted: %(deleted)s.")
        self.stdout.write(text % counts)
