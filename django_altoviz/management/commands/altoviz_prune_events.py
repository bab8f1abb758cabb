from __future__ import annotations

from argparse import SUPPRESS, ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from django_altoviz.conf import app_settings
from django_altoviz.management.database_command import DatabaseCommand
from django_altoviz.retention import PRUNABLE, longest, prune

_MAX_DAYS = 36_500


def days(text: str) -> int:
    """Parse a number of days from the command line."""
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_DAYS:
        raise ArgumentTypeError(f"{text!r} is not a number of days: write 1 to {_MAX_DAYS}")
    return int(text)


def window(text: str) -> tuple[str, int | None]:
    """Parse ``STATUS=DAYS`` or ``STATUS=never`` from the command line."""
    status, _, number = text.partition("=")
    if status not in PRUNABLE:
        raise ArgumentTypeError(f"{status!r} is not one of {', '.join(PRUNABLE)}")
    return status, None if number == "never" else days(number)


class Command(DatabaseCommand):
    help = (
        "Remove the content of old events that were processed, ignored or malformed. Their ids "
        "stay, so that redeliveries are still recognised. Failed and dead events stay, unless they "
        "have a window of their own."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days",
            type=days,
            default=SUPPRESS,
            metavar="N",
            help="Keep the events of the last N days (default: ALTOVIZ['RETENTION_DAYS']).",
        )
        parser.add_argument(
            "--status",
            type=window,
            action="append",
            default=[],
            metavar="STATUS=DAYS",
            help=(
                "Keep the events of this status for that many days, or “never” prune them "
                "(default: ALTOVIZ['RETENTION_BY_STATUS']). May be repeated."
            ),
        )
        parser.add_argument(
            "--dedupe-days",
            type=days,
            default=SUPPRESS,
            metavar="N",
            help="Delete the ids, too, after N days (default: ALTOVIZ['DEDUPE_DAYS']).",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Count the events, but remove nothing."
        )

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        # Not in add_arguments: --help must work even if ALTOVIZ is broken. None is not the default,
        # because call_command may pass dedupe_days=None to keep the ids for ever.
        days: int = options.get("days", app_settings.RETENTION_DAYS)
        dedupe_days: int | None = options.get("dedupe_days", app_settings.DEDUPE_DAYS)
        by_status = {**app_settings.RETENTION_BY_STATUS} | dict(options["status"])
        if dedupe_days is not None and dedupe_days < longest(days, by_status):
            raise CommandError(
                _("--dedupe-days must not be shorter than the windows for which events are kept.")
            )
        pruned = prune(days, dedupe_days, by_status=by_status, dry_run=dry_run)
        counts = {"emptied": pruned.emptied, "deleted": pruned.deleted}
        if dry_run:
            text = _("Events to empty: %(emptied)s, to delete: %(deleted)s.")
        else:
            text = _("Events emptied: %(emptied)s, deleted: %(deleted)s.")
        if options["verbosity"] > 0:
            self.stdout.write(text % counts)
