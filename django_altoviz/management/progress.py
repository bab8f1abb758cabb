"""How far a sync is, told on the way and in the end."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import OutputWrapper
from django.utils.translation import gettext as _

from django_altoviz.event_types import Entity
from django_altoviz.models import MIRRORS, SyncRun
from django_altoviz.models.sync_runs import COUNTS
from django_altoviz.sync import Watcher

# The seconds between two lines about the same list.
_EVERY = 10.0


class Plain:
    """The error output, for what is none: not red, and without a line break of its own."""

    def __init__(self, output: OutputWrapper) -> None:
        self._output = output

    def write(self, text: str) -> None:
        self._output.write(text, str, "")

    def flush(self) -> None:
        self._output.flush()


class Progress(Watcher):
    """Remembers what was begun, and tells nothing on the way."""

    def __init__(self, output: OutputWrapper) -> None:
        self.output = Plain(output)
        self.runs: list[SyncRun] = []

    def began(self, run: SyncRun, *, goes_on: bool) -> None:
        self.runs.append(run)

    def close(self) -> None:
        """Nothing more is told on the way."""


class Lines(Progress):
    """Writes a line at the beginning of each list, every ten seconds, and at each pause."""

    _last = 0.0

    def began(self, run: SyncRun, *, goes_on: bool) -> None:
        super().began(run, goes_on=goes_on)
        self._last = time.monotonic()
        text = _("%(objects)s: going on after %(seen)s.") if goes_on else _("%(objects)s: reading.")
        self.write(text % {"objects": name_of(run), "seen": run.seen})

    def progressed(self, run: SyncRun) -> None:
        if time.monotonic() - self._last < _EVERY:
            return
        self._last = time.monotonic()
        about = {"objects": name_of(run), "seen": run.seen, "total": total_of(run) or "?"}
        self.write(_("%(objects)s: %(seen)s of %(total)s.") % about)

    def paused(self, seconds: float) -> None:
        self.write(pause_explained(seconds))

    def write(self, text: str) -> None:
        self.output.write(f"{text}\n")
        self.output.flush()


def name_of(run: SyncRun) -> str:
    return str(MIRRORS[Entity(run.entity)]._meta.verbose_name_plural)


def total_of(run: SyncRun) -> int | None:
    """How many objects there are, as far as Altoviz has told."""
    total: int | None = run.position.get("records")
    return total


def pause_explained(seconds: float) -> str:
    return _(
        "Waiting %(seconds)d s: Altoviz takes about 100 requests a minute, and "
        "API_REQUESTS_PER_MINUTE keeps below that."
    ) % {"seconds": max(round(seconds), 1)}


def table(runs: list[SyncRun]) -> str:
    """What was found, a line for each kind of object."""
    columns = {field.name: str(field.verbose_name) for field in SyncRun._meta.concrete_fields}
    rows = [["", *(columns[name] for name in COUNTS)]]
    rows += [[name_of(run), *(str(n) for n in run.counts.values())] for run in runs]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def as_json(runs: list[SyncRun]) -> dict[str, Any]:
    return {
        f"{run.entity}s": run.counts
        | {"import": run.is_import, "finished": run.finished_at is not None, "error": run.error}
        for run in runs
    }
