from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_altoviz.event_types import Entity
from django_altoviz.exceptions import SyncTakenOver
from django_altoviz.management.api_command import APICommand, api_client, configured_account
from django_altoviz.management.interruption import INTERRUPTED, interruptible
from django_altoviz.management.progress import Progress, runs_as_json, runs_as_table
from django_altoviz.management.rounds import (
    TAKEN_OVER,
    Rounds,
    add_watch_options,
    refuse_with_watch,
)
from django_altoviz.models import SyncRun
from django_altoviz.sync import ENTITIES, sync

#: The exit code of a dry run that finds drift.
DRIFTED = 3


def entity_in_plural(text: str) -> Entity:
    """Parse a kind of object from the command line, such as ``customers``."""
    kinds = {f"{entity}s": entity for entity in ENTITIES}
    if text not in kinds:
        raise ArgumentTypeError(f"{text!r} is not a kind of object: choose from {', '.join(kinds)}")
    return kinds[text]


class Command(APICommand):
    help = (
        "Reconcile the mirror with Altoviz: read all objects, and apply each difference as an event. "
        "The first sync fills the mirror without events. A sync that was interrupted is resumed. "
        "Exits with 3 if --dry-run finds differences. With --watch it keeps the mirror in step until "
        "it is stopped."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "kinds",
            nargs="*",
            type=entity_in_plural,
            metavar="KIND",
            help="customers, contacts, products, invoices, quotes or credits. Default: all.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Count the differences, but change nothing."
        )
        parser.add_argument(
            "--signals", action="store_true", help="Call receivers in the first sync, too."
        )
        parser.add_argument(
            "--all-gone",
            action="store_true",
            help="Accept that Altoviz has none of the objects left.",
        )
        add_watch_options(parser)

    def handle(
        self, *, account: str, kinds: Sequence[Entity], dry_run: bool, format: str, **options: Any
    ) -> None:
        configured = configured_account(account)
        if options["watch"]:
            refuse_with_watch(kinds=kinds, dry_run=dry_run, all_gone=options["all_gone"])
            Rounds(self, configured, format=format, **options).run()
        progress = Progress(self.stderr, is_quiet=options["verbosity"] == 0)
        try:
            with api_client(configured) as client, interruptible():
                sync(
                    account,
                    [entity for entity in ENTITIES if entity in (kinds or ENTITIES)],
                    dry_run=dry_run,
                    signals=options["signals"],
                    all_gone=options["all_gone"],
                    client=client,
                    watcher=progress,
                )
        except KeyboardInterrupt:
            self.stderr.write(_("Interrupted. Run it again to resume."))
            raise SystemExit(INTERRUPTED) from None
        except SyncTakenOver as error:
            raise CommandError(TAKEN_OVER) from error
        finally:
            if format == "json" or (progress.runs and options["verbosity"] > 0):
                self.write_result(format, runs_as_table(progress.runs), runs_as_json(progress.runs))
        exit_with_outcome(progress.runs, dry_run)


def exit_with_outcome(runs: list[SyncRun], dry_run: bool) -> None:
    """Set the exit code, if it is not 0."""
    if dry_run and not all(run.is_in_step for run in runs):
        raise SystemExit(DRIFTED)
    if failed := sum(run.failed for run in runs):
        raise CommandError(
            ngettext(
                "%(count)s object failed. See its event in the admin, or the log.",
                "%(count)s objects failed. See their events in the admin, or the log.",
                failed,
            )
            % {"count": failed}
        )
