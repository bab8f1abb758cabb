"""Report the progress of a sync."""

from __future__ import annotations

from django_altoviz.models import SyncRun


class Watcher:
    """Progress callbacks that do nothing; subclass to report."""

    def began(self, run: SyncRun, *, goes_on: bool) -> None:
        """Report that one kind of object is being read, from where it stopped if ``goes_on``."""

    def progressed(self, run: SyncRun) -> None:
        """Report that more objects were read and applied."""

    def paused(self, seconds: float) -> None:
        """Report that the client waits for that long because of the rate limit."""

    def retrying(self, seconds: float) -> None:
        """Report that the client waits for that long before it repeats a request."""

    def ended(self, run: SyncRun) -> None:
        """Report that all objects of this kind were read and applied."""
