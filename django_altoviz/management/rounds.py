"""Make the rounds of ``altoviz_sync --watch`` until it is stopped."""

from __future__ import annotations

import json
import time
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_altoviz.conf import Account
from django_altoviz.exceptions import AllGone, APIFailure, NotAuthorized, SyncTakenOver
from django_altoviz.management.api_command import api_client
from django_altoviz.management.interruption import INTERRUPTED, interruptible
from django_altoviz.management.progress import Progress, runs_as_json, runs_as_table
from django_altoviz.models import SyncRun, Watch
from django_altoviz.sync import Round, claim_watch, watch_round

#: The message of a sync and of a watch that another process has taken over.
TAKEN_OVER = gettext_lazy("Another altoviz_sync has taken over this sync.")
#: The default of ``--interval`` and of ``--full-every``, in seconds.
_INTERVAL, _FULL_EVERY = 300.0, 3600.0
# Waiting does not help with these, so they end the watch.
_FATAL = (NotAuthorized, AllGone)


def add_watch_options(parser: CommandParser) -> None:
    parser.add_argument(
        "--watch",
        action="store_true",
        help="Keep the mirror in step, in rounds of few requests, until SIGTERM or Control-C.",
    )
    parser.add_argument(
        "--interval",
        type=float,
        default=_INTERVAL,
        metavar="SECONDS",
        help="With --watch: from the start of a round to the next (default: %(default)s).",
    )
    parser.add_argument(
        "--full-every",
        type=float,
        default=_FULL_EVERY,
        metavar="SECONDS",
        help="With --watch: from the end of a whole sync to the next (default: %(default)s).",
    )


def refuse_with_watch(**options: Any) -> None:
    """Raise ``CommandError`` if an option was given that makes no sense with ``--watch``."""
    if any(options.values()):
        raise CommandError(_("--watch can't be combined with KIND, --dry-run or --all-gone."))


class Rounds:
    """The rounds of one process that watches an account."""

    def __init__(
        self,
        command: BaseCommand,
        account: Account,
        *,
        format: str,
        interval: float,
        full_every: float,
        signals: bool,
        verbosity: int,
        **options: Any,
    ) -> None:
        self.command, self.account, self.format = command, account, format
        self.interval, self.full_every, self.signals = interval, full_every, signals
        self.is_quiet = verbosity == 0

    def run(self) -> NoReturn:
        """Make rounds until Control-C or SIGTERM, or until another process watches the account."""
        try:
            with interruptible():
                watch = claim_watch(self.account.name)
                while True:
                    started = time.monotonic()
                    self._round(watch)
                    # A connection that the server has closed would fail for ever.
                    close_old_connections()
                    time.sleep(max(0.0, self.interval - (time.monotonic() - started)))
        except KeyboardInterrupt:
            self.command.stderr.write(_("Interrupted. Run it again to resume."))
            raise SystemExit(INTERRUPTED) from None
        except SyncTakenOver as error:
            raise CommandError(TAKEN_OVER) from error

    def _round(self, watch: Watch) -> None:
        """Make a round. If it fails, say why, and leave the rest to the next round."""
        progress = Progress(self.command.stderr, is_quiet=self.is_quiet)
        try:
            with api_client(self.account) as client:
                result = watch_round(
                    self.account.name,
                    seconds=self.interval,
                    full_every=self.full_every,
                    signals=self.signals,
                    client=client,
                    watcher=progress,
                    watch=watch,
                )
        except CommandError as error:
            if not isinstance(error.__cause__, APIFailure) or isinstance(error.__cause__, _FATAL):
                raise
            self.command.stderr.write(str(error))
        else:
            self._tell(result, progress.runs)

    def _tell(self, result: Round, syncs: list[SyncRun]) -> None:
        if self.format == "json":
            self.command.stdout.write(json.dumps(result.as_json() | {"syncs": runs_as_json(syncs)}))
        elif not self.is_quiet:
            if syncs:
                self.command.stdout.write(runs_as_table(syncs))
            now = timezone.localtime() if timezone.is_aware(timezone.now()) else timezone.now()
            text = _(
                "%(time)s: %(new)s new, %(changed)s changed, %(deleted)s deleted, "
                "%(failed)s failed, %(overdue)s overdue; %(requests)s requests."
            )
            self.command.stdout.write(text % (result.as_json() | {"time": f"{now:%H:%M:%S}"}))
        self.command.stdout.flush()
