"""Who wants to know how far a sync is."""

from __future__ import annotations

from django_altoviz.models import SyncRun


class Watcher:
    """Is told what a sync does, and makes nothing of it. The commands' watchers print it."""

    def began(self, run: SyncRun, *, goes_on: bool) -> None:
        """A sync of one kind of object begins, or goes on from where it was interrupted."""

    def progressed(self, run: SyncRun) -> None:
        """More was read and brought in."""

    def paused(self, seconds: float) -> None:
        """Altoviz takes no more requests for so long."""

    def ended(self, run: SyncRun) -> None:
        """All of it was read and brought in."""
