from __future__ import annotations

import signal
from argparse import ArgumentTypeError
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.core.management.base import CommandError, CommandParser, OutputWrapper
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_altoviz.event_types import Entity
from django_altoviz.exceptions import SyncTakenOver
from django_altoviz.management.api_command import APICommand, api_client, configured_account
from django_altoviz.management.interruption import on_signals
from django_altoviz.management.progress import Lines, Progress, as_json, table
from django_altoviz.models import SyncRun
from django_altoviz.sync import ENTITIES, sync

terminal_progress: type[Progress] = Lines
with suppress(ImportError):  # of the extra "progress"
    from django_altoviz.management.progress_bar import Bar

    terminal_progress = Bar

#: The exit code of a dry run that found differences.
DRIFTED = 3
#: The exit code of whatever was ended with Ctrl-C.
INTERRUPTED = 130


def kind(text: str) -> Entity:
    """A kind of object from the command line, in the plural."""
    kinds = {f"{entity}s": entity for entity in ENTITIES}
    if text not in kinds:
        raise ArgumentTypeError(f"{text!r}: no such kind; choose from {', '.join(kinds)}")
    return kinds[text]


class Command(APICommand):
    help = (
        "Bring the mirror to what is at Altoviz: read all of it, and bring in each difference as an "
        "event. The first time, the mirror is filled without events. Can be interrupted, and goes "
        "on where it was. Exits with 3 if a --dry-run finds differences."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "kinds",
            nargs="*",
            type=kind,
            metavar="KIND",
            help="customers, contacts, products, invoices or quotes; by default all.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say what differs.")
        parser.add_argument(
            "--signals", action="store_true", help="Call receivers in the first sync, too."
        )
        parser.add_argument(
            "--all-gone",
            action="store_true",
            help="Believe it if none of the objects is left. Otherwise the key is doubted.",
        )

    def handle(
        self, *, account: str, kinds: Sequence[Entity], dry_run: bool, format: str, **options: Any
    ) -> None:
        configured = configured_account(account)
        progress = progress_on(self.stderr, options["verbosity"])
        try:
            with api_client(configured) as client, on_signals(interrupt, signal.SIGTERM):
                sync(
                    account,
                    kinds or ENTITIES,
                    dry_run=dry_run,
                    signals=options["signals"],
                    all_gone=options["all_gone"],
                    client=client,
                    watcher=progress,
                )
        except KeyboardInterrupt:
            self.stderr.write(_("Interrupted. Run it again: it goes on where it was."))
            raise SystemExit(INTERRUPTED) from None
        except SyncTakenOver as error:
            raise CommandError(_("Another run of altoviz_sync goes on with it.")) from error
        finally:
            progress.close()
            self.write_result(format, table(progress.runs), as_json(progress.runs))
        judge(progress.runs, dry_run)


def progress_on(output: OutputWrapper, verbosity: int) -> Progress:
    if verbosity == 0:
        return Progress(output)
    return terminal_progress(output) if output.isatty() else Lines(output)


def interrupt(*args: object) -> None:
    """SIGTERM ends the work as Ctrl-C does."""
    raise KeyboardInterrupt


def judge(runs: list[SyncRun], dry_run: bool) -> None:
    """Exit as the outcome deserves."""
    if dry_run and not all(run.is_in_step for run in runs):
        raise SystemExit(DRIFTED)
    if failed := sum(run.failed for run in runs):
        raise CommandError(
            ngettext(
                "%(count)s object failed. Its event in the admin, or the log, says why.",
                "%(count)s objects failed. Their events in the admin, or the log, say why.",
                failed,
            )
            % {"count": failed}
        )
