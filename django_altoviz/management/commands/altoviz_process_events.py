from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error, close_old_connections, router
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_altoviz.log import log_about
from django_altoviz.management.database_command import DatabaseCommand
from django_altoviz.management.interruption import on_signals
from django_altoviz.management.progress import EventProgress
from django_altoviz.management.selection import add_format, add_selection, selected
from django_altoviz.models import Status, WebhookEvent, WebhookEventQuerySet, tables
from django_altoviz.processing import drain, ready_keys, replay

#: The statuses after an attempt.
_OUTCOMES = (Status.PROCESSED, Status.IGNORED, Status.FAILED, Status.DEAD)
#: The count of chosen events that could not be processed.
_REFUSED = "refused"
# The longest time until a signal is noticed, in seconds.
_NAP = 0.2


class Command(DatabaseCommand):
    help = (
        "Process the events that are due, each once and in order of arrival: new events, failed "
        "events whose retry is due, and events of workers that died. With --status, process all "
        "events of that status. Exits with 1 if an event failed, with 3 if a chosen event could "
        "not be processed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_selection(parser)
        parser.add_argument(
            "--status",
            type=Status,
            action="append",
            choices=[status for status in Status if status != Status.MALFORMED],
            metavar="STATUS",
            help="Process events of this status again, due or not: failed, dead, ignored, "
            "processed. May be repeated.",
        )
        parser.add_argument(
            "--from-scratch",
            action="store_true",
            help="With --status: call receivers again that have already handled an event.",
        )
        parser.add_argument(
            "--limit",
            type=int,
            metavar="N",
            help="Process at most N events, and the events of their objects that wait for them.",
        )
        parser.add_argument(
            "--watch", action="store_true", help="Keep running until SIGTERM or Control-C."
        )
        parser.add_argument(
            "--interval",
            type=float,
            default=1.0,
            metavar="SECONDS",
            help="With --watch: the pause when no event is due (default: %(default)s).",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Count the events, but process none."
        )
        add_format(parser)

    def handle(self, *, watch: bool, from_scratch: bool, dry_run: bool, **options: Any) -> None:
        if options["status"] is None and from_scratch:
            raise CommandError(_("--from-scratch needs --status, which chooses the events."))
        if watch and (options["status"] or options["limit"] is not None or dry_run):
            raise CommandError(_("--watch can't be combined with --status, --limit or --dry-run."))
        events = selected(**options)
        if dry_run:
            is_chosen = options["status"] is not None
            number = events.count() if is_chosen else sum(map(len, ready_keys(events)))
            self.count(number, **options)
            return
        self.is_stopped = False
        outcomes: Counter[str] = Counter()
        if watch:
            with on_signals(self.stop, signal.SIGTERM, signal.SIGINT):
                self.watch(events, outcomes, options["interval"])
        else:
            progress = EventProgress(self.stderr, is_quiet=options["verbosity"] == 0)
            for outcome in self.process(events, from_scratch, **options):
                outcomes[outcome] += 1
                progress.processed(outcomes.total())
        if options["verbosity"] > 0 or options["format"] == "json":
            self.report(outcomes, options["format"])
        if not watch:
            raise_for(outcomes)

    def process(
        self, events: WebhookEventQuerySet[WebhookEvent], from_scratch: bool, **options: Any
    ) -> Iterator[str]:
        """Process the events, and yield the outcome of each."""
        if options["status"] is None:
            for event in drain(events, limit=options["limit"]):
                yield event.status
            return
        for event, outcome in replay(events, limit=options["limit"], from_scratch=from_scratch):
            if outcome.is_refusal:
                text = _("Event %(event)s was not processed: %(reason)s.")
                self.stderr.write(text % {"event": event, "reason": outcome.label})
            yield _REFUSED if outcome.is_refusal else event.status

    def watch(
        self, events: WebhookEventQuerySet[WebhookEvent], outcomes: Counter[str], interval: float
    ) -> None:
        """Process due events until a signal arrives. Finish the current event first."""
        while not self.is_stopped:
            before = outcomes.total()
            try:
                for event in drain(events, stopped=lambda: self.is_stopped):
                    outcomes[event.status] += 1
            except Error:
                if tables.missing(router.db_for_write(WebhookEvent)):
                    raise  # they will not come by waiting
                log_about().exception("The database does not answer. Trying again.")
            if outcomes.total() == before:
                # A connection that the server has closed would fail for ever.
                close_old_connections()
                self.pause(interval)

    def stop(self, *args: object) -> None:
        # Only set a flag. The code that the signal has interrupted may hold any lock.
        self.is_stopped = True

    def pause(self, seconds: float) -> None:
        """Sleep in short naps, because a signal does not end a call of ``sleep``."""
        ends_at = time.monotonic() + seconds
        while not self.is_stopped and (left := ends_at - time.monotonic()) > 0:
            time.sleep(min(left, _NAP))

    def count(self, number: int, **options: Any) -> None:
        limit = options["limit"]
        number = number if limit is None else min(number, limit)
        if options["format"] == "json":
            self.stdout.write(json.dumps({"would_process": number}))
        else:
            self.stdout.write(_("Would process: %(count)s") % {"count": number})

    def report(self, outcomes: Counter[str], format: str) -> None:
        stored = WebhookEvent.objects.for_write()
        left = stored.unsettled().count()
        if format == "json":
            counts = {str(outcome): outcomes[outcome] for outcome in (*_OUTCOMES, _REFUSED)}
            self.stdout.write(json.dumps(counts | {"left": left}))
            return
        counts_shown = [f"{status.label}: {outcomes[status]}" for status in _OUTCOMES]
        self.stdout.write(", ".join(counts_shown))
        if left:
            self.stdout.write(
                _(
                    "%(count)s not settled: waiting for a retry or being processed elsewhere. "
                    "--status failed retries the failed events now."
                )
                % {"count": left}
            )


def raise_for(outcomes: Counter[str]) -> None:
    """Raise ``CommandError`` with the exit code if events failed or could not be processed."""
    if failed := outcomes[Status.FAILED] + outcomes[Status.DEAD]:
        text = ngettext(
            "%(count)s event failed. See its error in the admin.",
            "%(count)s events failed. See their errors in the admin.",
            failed,
        )
        raise CommandError(text % {"count": failed})
    if refused := outcomes[_REFUSED]:
        text = ngettext(
            "%(count)s event was not processed.", "%(count)s events were not processed.", refused
        )
        raise CommandError(text % {"count": refused}, returncode=3)
