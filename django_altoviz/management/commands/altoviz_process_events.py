from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, close_old_connections, router
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_altoviz.log import log_about
from django_altoviz.management.interruption import on_signals
from django_altoviz.management.selection import add_selection, selected
from django_altoviz.models import Status, WebhookEvent, WebhookEventQuerySet
from django_altoviz.processing import drain, replay

#: How an attempt can end.
_OUTCOMES = (Status.PROCESSED, Status.IGNORED, Status.FAILED, Status.DEAD)
#: What was chosen and could not be tried.
_REFUSED = "refused"
# How long it may take to notice a signal, in seconds.
_NAP = 0.2


class Command(BaseCommand):
    help = (
        "Process the events that are due: new ones, failed ones whose next attempt is due, and "
        "those that a worker left behind; in order of arrival, and each once. With --status, "
        "process those of a status whatever became of them. Exits with 1 if any of them failed, "
        "with 3 if any that was chosen could not be processed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_selection(parser)
        parser.add_argument(
            "--status",
            type=Status,
            action="append",
            choices=[status for status in Status if status != Status.MALFORMED],
            metavar="STATUS",
            help="Events of this status, due or not: failed, dead, ignored, processed. May be "
            "repeated.",
        )
        parser.add_argument(
            "--from-scratch",
            action="store_true",
            help="With --status: call the receivers that have handled an event once more.",
        )
        parser.add_argument(
            "--limit", type=int, help="At most so many, and what waits behind them."
        )
        parser.add_argument(
            "--watch", action="store_true", help="Go on until told to end (SIGTERM, Control-C)."
        )
        parser.add_argument(
            "--interval",
            type=float,
            default=1.0,
            metavar="SECONDS",
            help="How long to wait where nothing is due, with --watch (%(default)s).",
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say how many they are.")
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *, watch: bool, from_scratch: bool, dry_run: bool, **options: Any) -> None:
        if options["status"] is None and from_scratch:
            raise CommandError(_("--from-scratch goes with --status: say which events you mean."))
        if watch and (options["status"] or options["limit"] is not None or dry_run):
            raise CommandError(_("--watch goes with neither --status, --limit nor --dry-run."))
        events = selected(**options)
        if dry_run:
            self.rehearse(events if options["status"] else events.ready(), **options)
            return
        self.is_stopped = False
        outcomes: Counter[str] = Counter()
        if watch:
            with on_signals(self.stop, signal.SIGTERM, signal.SIGINT):
                self.watch(events, outcomes, options["interval"])
        else:
            outcomes.update(self.processed(events, from_scratch, **options))
        self.report(outcomes, options["format"])
        if not watch:
            complain(outcomes)

    def processed(
        self, events: WebhookEventQuerySet, from_scratch: bool, **options: Any
    ) -> Iterator[str]:
        """What becomes of each event."""
        if options["status"] is None:
            for event in drain(events, limit=options["limit"]):
                yield event.status
            return
        for event, outcome in replay(events, limit=options["limit"], from_scratch=from_scratch):
            if outcome.is_refusal:
                text = _("Event %(event)s was not processed: %(reason)s.")
                self.stderr.write(text % {"event": event, "reason": outcome.label})
            yield _REFUSED if outcome.is_refusal else event.status

    def watch(self, events: WebhookEventQuerySet, outcomes: Counter[str], interval: float) -> None:
        """Until a signal comes; what is being processed then is brought to its end."""
        while not self.is_stopped:
            before = outcomes.total()
            try:
                for event in drain(events, stopped=lambda: self.is_stopped):
                    outcomes[event.status] += 1
            except Error:
                log_about().exception("The database does not answer; trying again.")
            if outcomes.total() == before:
                close_old_connections()
                self.pause(interval)

    def stop(self, *args: object) -> None:
        # No lock is taken here: what the signal has interrupted may have it.
        self.is_stopped = True

    def pause(self, seconds: float) -> None:
        """Sleep, in short naps, for a signal does not end one."""
        ends_at = time.monotonic() + seconds
        while not self.is_stopped and (left := ends_at - time.monotonic()) > 0:
            time.sleep(min(left, _NAP))

    def rehearse(self, events: WebhookEventQuerySet, **options: Any) -> None:
        limit = options["limit"]
        number = events.count() if limit is None else min(events.count(), limit)
        if options["format"] == "json":
            self.stdout.write(json.dumps({"would_process": number}))
        else:
            self.stdout.write(_("Would process: %(count)s") % {"count": number})

    def report(self, outcomes: Counter[str], format: str) -> None:
        stored = WebhookEvent.objects.using(router.db_for_write(WebhookEvent))
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
                    "Left: %(count)s, which wait for their next attempt or are in other hands. "
                    "--status failed tries what has failed at once."
                )
                % {"count": left}
            )


def complain(outcomes: Counter[str]) -> None:
    """Raises ``CommandError`` where not all that was to be processed was, with the exit code."""
    if failed := outcomes[Status.FAILED] + outcomes[Status.DEAD]:
        text = ngettext(
            "%(count)s event failed. Its error is in the admin.",
            "%(count)s events failed. Their errors are in the admin.",
            failed,
        )
        raise CommandError(text % {"count": failed})
    if refused := outcomes[_REFUSED]:
        text = ngettext(
            "%(count)s event was not processed.", "%(count)s events were not processed.", refused
        )
        raise CommandError(text % {"count": refused}, returncode=3)
