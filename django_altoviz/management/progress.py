"""Print the progress and the result of a sync."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import OutputWrapper
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_altoviz.event_types import Entity
from django_altoviz.models import MIRRORS, SyncRun
from django_altoviz.models.sync_runs import COUNTS
from django_altoviz.sync import Watcher

# The seconds between two lines about the same list, or about events.
_INTERVAL = 10.0


class _Lines:
    """Print lines about the progress, unless the command is to be quiet."""

    def __init__(self, output: OutputWrapper, *, is_quiet: bool) -> None:
        self._output, self._is_quiet = output, is_quiet
        self._printed_at = time.monotonic()

    def _is_time(self) -> bool:
        """Return True once in an interval."""
        if time.monotonic() - self._printed_at < _INTERVAL:
            return False
        self._printed_at = time.monotonic()
        return True

    def _print(self, text: str) -> None:
        if not self._is_quiet:
            self._output.write(text, str)  # without the red of errors
            self._output.flush()


class EventProgress(_Lines):
    """Print a line every ten seconds while events are processed."""

    def processed(self, number: int) -> None:
        if self._is_time():
            text = ngettext("%(count)s event so far.", "%(count)s events so far.", number)
            self._print(text % {"count": number})


class Progress(_Lines, Watcher):
    """Print a line when a list begins, every ten seconds, and at each pause. Keep the runs."""

    def __init__(self, output: OutputWrapper, *, is_quiet: bool) -> None:
        super().__init__(output, is_quiet=is_quiet)
        self.runs: list[SyncRun] = []

    def began(self, run: SyncRun, *, goes_on: bool) -> None:
        self.runs.append(run)
        self._printed_at = time.monotonic()
        text = _("%(objects)s: resuming after %(seen)s.") if goes_on else _("%(objects)s: reading.")
        self._print(text % {"objects": plural_name(run), "seen": run.seen})

    def progressed(self, run: SyncRun) -> None:
        if not self._is_time():
            return
        # Altoviz may not say how many objects there are.
        total = run.position.get("records") or "?"
        values = {"objects": plural_name(run), "seen": run.seen, "total": total}
        self._print(_("%(objects)s: %(seen)s of %(total)s.") % values)

    def paused(self, seconds: float) -> None:
        self._print(
            _(
                "Waiting %(seconds)d s: Altoviz accepts about 100 requests a minute, and "
                "API_REQUESTS_PER_MINUTE keeps below this rate limit."
            )
            % {"seconds": max(round(seconds), 1)}
        )

    def retrying(self, seconds: float) -> None:
        self._print(retry_text(seconds))


def retry_text(seconds: float) -> str:
    """Say that a request will be repeated after a pause."""
    return _("Waiting %(seconds)d s to try again: Altoviz did not answer, or asked to wait.") % {
        "seconds": round(seconds)
    }


def plural_name(run: SyncRun) -> str:
    return str(MIRRORS[Entity(run.entity)]._meta.verbose_name_plural)


def runs_as_table(runs: list[SyncRun]) -> str:
    """Return a table with the counts of each run."""
    columns = {field.name: str(field.verbose_name) for field in SyncRun._meta.concrete_fields}
    rows = [["", *(columns[name] for name in COUNTS)]]
    rows += [[plural_name(run), *(str(n) for n in run.counts.values())] for run in runs]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def runs_as_json(runs: list[SyncRun]) -> dict[str, Any]:
    """Return the counts and the state of each run, by kind of object."""
    return {
        f"{run.entity}s": run.counts
        | {"import": run.is_import, "finished": run.finished_at is not None, "error": run.error}
        for run in runs
    }
