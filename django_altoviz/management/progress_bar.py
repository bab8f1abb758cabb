"""How far a sync is, as a bar on a terminal. Needs tqdm: the extra ``progress``."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm

from django_altoviz.management.progress import Progress, name_of, pause_explained, total_of
from django_altoviz.models import SyncRun


class Bar(Progress):
    _bar: Any = None

    def began(self, run: SyncRun, *, goes_on: bool) -> None:
        super().began(run, goes_on=goes_on)
        self._bar = tqdm(desc=name_of(run), total=total_of(run), initial=run.seen, file=self.output)

    def progressed(self, run: SyncRun) -> None:
        self._bar.total = total_of(run)
        self._bar.update(run.seen - self._bar.n)

    def paused(self, seconds: float) -> None:
        tqdm.write(pause_explained(seconds), file=self.output)

    def ended(self, run: SyncRun) -> None:
        self.close()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
