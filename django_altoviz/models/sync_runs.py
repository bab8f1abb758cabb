"""Store the progress of a sync, so that the next one resumes it after an interruption."""

from __future__ import annotations

import datetime
from array import array
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db import models, router, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from django_altoviz.event_types import Entity
from django_altoviz.models.claimed import Claimed
from django_altoviz.models.mirrors.fields import ExactDateTimeField, ExactTextField, IdentifierField

#: A sync that has not written anything for so long has lost its process. It may wait for the rate
#: limit, but not for that long.
_MOST_SILENCE = datetime.timedelta(minutes=15)
#: The counts of a sync. Each seen object is also new, changed, unchanged or failed; deleted objects
#: are not seen.
COUNTS = ("seen", "new", "changed", "deleted", "unchanged", "failed")


class SyncState(models.TextChoices):
    """The state of a sync. The next sync resumes one that was ``STOPPED``."""

    RUNNING = "running", pgettext_lazy("a sync", "running")
    STOPPED = "stopped", pgettext_lazy("a sync", "stopped")
    FAILED = "failed", pgettext_lazy("a sync", "failed")
    DONE = "done", pgettext_lazy("a sync", "done")


def in_state(state: SyncState) -> models.Q:
    """Return the condition for syncs in the state, which ``SyncRun.state`` says of one of them."""
    if state in (SyncState.FAILED, SyncState.DONE):
        ended = models.Q(finished_at__isnull=False)
        return (
            ended & models.Q(error="") if state == SyncState.DONE else ended & ~models.Q(error="")
        )
    active = models.Q(error="", active_at__gt=timezone.now() - _MOST_SILENCE)
    return models.Q(finished_at=None) & (active if state == SyncState.RUNNING else ~active)


class SyncRun(Claimed):
    """A sync of one kind of object of an account: its counts and its progress."""

    account = IdentifierField(_("account"), max_length=64)
    entity = models.CharField(_("entity"), max_length=16, choices=Entity.choices)
    is_import = models.BooleanField(
        _("import"), help_text=_("The first sync, which fills the mirror.")
    )
    is_dry_run = models.BooleanField(_("dry run"), default=False)
    started_at = ExactDateTimeField(_("started at"), default=timezone.now)
    finished_at = ExactDateTimeField(_("finished at"), null=True)
    seen = models.PositiveIntegerField(pgettext_lazy("objects of a sync", "seen"), default=0)
    new = models.PositiveIntegerField(pgettext_lazy("objects of a sync", "new"), default=0)
    changed = models.PositiveIntegerField(pgettext_lazy("objects of a sync", "changed"), default=0)
    deleted = models.PositiveIntegerField(pgettext_lazy("objects of a sync", "deleted"), default=0)
    unchanged = models.PositiveIntegerField(
        pgettext_lazy("objects of a sync", "unchanged"), default=0
    )
    failed = models.PositiveIntegerField(pgettext_lazy("objects of a sync", "failed"), default=0)
    error = ExactTextField(_("error"), blank=True, help_text=_("Why the sync stopped early."))
    as_of = models.BigIntegerField(
        _("as of"), help_text=_("The last event that was stored before the sync began.")
    )
    position = models.JSONField(
        _("position"), default=dict, help_text=_("How far the list was read.")
    )

    class Meta:
        verbose_name = _("sync")
        verbose_name_plural = _("syncs")
        indexes = [models.Index(fields=["account", "entity"], name="altoviz_syncrun_entity")]

    def __str__(self) -> str:
        started_at = self.started_at
        local = timezone.localtime(started_at) if timezone.is_aware(started_at) else started_at
        return f"{self.get_entity_display()} {local:%Y-%m-%d %H:%M}"

    @property
    def state(self) -> SyncState:
        if self.finished_at is not None:
            return SyncState.FAILED if self.error else SyncState.DONE
        is_silent = timezone.now() - self.active_at >= _MOST_SILENCE
        return SyncState.STOPPED if self.error or is_silent else SyncState.RUNNING

    @property
    def counts(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in COUNTS}

    @property
    def drift(self) -> int:
        """Return how many objects differed. In the first sync, all of them are new."""
        return self.new + self.changed + self.deleted

    @property
    def is_in_step(self) -> bool:
        """Return True if the sync has finished and found no drift."""
        return self.finished_at is not None and not (self.drift or self.failed)

    def claim(self) -> None:
        """Claim the run. A process that had claimed it before stops at its next write.

        Raises:
            SyncTakenOver: another process has claimed or ended the run since it was read.
        """
        self._claim(models.Q(finished_at=None), error="")

    def add_counts(self, counts: Mapping[str, int], **values: Any) -> None:
        """Add to the counts, and write other columns in the same statement."""
        self.write(**values, **{name: getattr(self, name) + counts[name] for name in COUNTS})

    def finish(self, error: str = "") -> None:
        """Finish the run, with an error if it can't be resumed, and delete its steps."""
        with transaction.atomic(using=self._state.db):
            self.write(finished_at=timezone.now(), error=error)
            self.steps.all().delete()


def last_syncs(account: str) -> list[SyncRun]:
    """Return the last sync of each kind of object, without dry runs."""
    runs = SyncRun.objects.using(router.db_for_write(SyncRun)).filter(is_dry_run=False)
    last = models.Q()
    for entity in Entity:
        of_entity = runs.filter(account=account, entity=entity).order_by("-pk")
        last |= models.Q(pk=of_entity.values("pk")[:1])
    found = {run.entity: run for run in runs.filter(last).defer("position")}
    return [found[entity] for entity in Entity if entity in found]


class SyncStep(models.Model):
    """The ids in one batch of a list.

    Steps are found by their range of ids and unpacked one by one, so the ids of a whole list are
    never in memory.
    """

    run = models.ForeignKey(SyncRun, models.CASCADE, related_name="steps")
    pass_number = models.PositiveSmallIntegerField()
    lowest = models.BigIntegerField()
    highest = models.BigIntegerField()
    ids = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["run", "lowest"], name="altoviz_syncstep_lowest")]

    def __str__(self) -> str:
        return f"{self.lowest}-{self.highest}"

    @classmethod
    def of(cls, run: SyncRun, pass_number: int, ids: Collection[int]) -> SyncStep:
        return cls(
            run=run,
            pass_number=pass_number,
            lowest=min(ids),
            highest=max(ids),
            ids=array("q", ids).tobytes(),
        )

    @classmethod
    def seen(cls, run: SyncRun, ids: Iterable[int], **filters: int) -> set[int]:
        """Return which of the ids a step of the run has read."""
        sought = set(ids)
        if not sought:
            return set()
        steps = cls.objects.using(run._state.db).filter(
            run=run, lowest__lte=max(sought), highest__gte=min(sought), **filters
        )
        found: set[int] = set()
        for packed in steps.order_by().values_list("ids", flat=True):
            found.update(sought.intersection(array("q", bytes(packed))))
        return found
