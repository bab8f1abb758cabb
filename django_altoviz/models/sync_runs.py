"""How far a sync came, so that one that was interrupted goes on from there."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_altoviz.event_types import Entity
from django_altoviz.exceptions import SyncTakenOver
from django_altoviz.models.mirrors.fields import IdentifierField

#: What a sync counts. Each object that was seen is one of the others, too, but for the deleted.
COUNTS = ("seen", "new", "changed", "deleted", "unchanged", "failed")


class SyncRun(models.Model):
    """One sync of one kind of object of an account: what it found, and how far it came.

    Of two processes that work at the same run, the later one has it; the other one notices at its
    next step.
    """

    account = IdentifierField(_("account"), max_length=64)
    entity = models.CharField(_("entity"), max_length=16, choices=Entity.choices)
    is_import = models.BooleanField(
        _("import"), help_text=_("The first one, which fills the mirror.")
    )
    is_dry_run = models.BooleanField(_("dry run"), default=False)
    started_at = models.DateTimeField(_("started at"), default=timezone.now)
    active_at = models.DateTimeField(_("active at"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    seen = models.PositiveIntegerField(_("seen"), default=0)
    new = models.PositiveIntegerField(_("new"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    deleted = models.PositiveIntegerField(_("deleted"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    error = models.TextField(_("error"), blank=True, help_text=_("Why it stopped before the end."))
    as_of = models.BigIntegerField(
        _("as of"), help_text=_("The last event that had been stored when it began.")
    )
    position = models.JSONField(_("position"), default=dict, help_text=_("How far it came."))
    claims = models.PositiveIntegerField(
        _("claims"), default=0, help_text=_("How many processes have worked at it.")
    )

    class Meta:
        verbose_name = _("sync")
        verbose_name_plural = _("syncs")
        indexes = [models.Index(fields=["account", "entity"], name="altoviz_syncrun_entity")]

    def __str__(self) -> str:
        return f"{self.get_entity_display()} {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def counts(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in COUNTS}

    @property
    def is_in_step(self) -> bool:
        """Whether the mirror was found to be as Altoviz is."""
        return self.finished_at is not None and not (
            self.new or self.changed or self.deleted or self.failed
        )

    def claim(self) -> None:
        """Take the run; whoever has had it stops at its next step.

        Raises ``SyncTakenOver`` where another process has claimed it in the same moment, or ended it.
        """
        claims = self.claims + 1
        as_read = self._stored().filter(finished_at=None, claims=self.claims)
        if not as_read.update(claims=claims, active_at=timezone.now(), error=""):
            raise self._taken_over()
        self.refresh_from_db(using=self._state.db)
        self.claims = claims  # even if it has been claimed again by now: then it is not this one's

    def keep(self, **values: Any) -> None:
        """Write values of the run. Raises ``SyncTakenOver`` where another process has it."""
        values["active_at"] = timezone.now()
        if not self._stored().filter(claims=self.claims).update(**values):
            raise self._taken_over()
        for name, value in values.items():
            setattr(self, name, value)

    def add(self, counts: Mapping[str, int], **values: Any) -> None:
        """Add to what was counted, and write other values with it."""
        self.keep(**values, **{name: getattr(self, name) + counts[name] for name in COUNTS})

    def finish(self, error: str = "") -> None:
        """It has come to its end, or to one from which it can't go on. The steps are done with."""
        with transaction.atomic(using=self._state.db):
            self.keep(finished_at=timezone.now(), error=error)
            self.steps.all().delete()

    def _taken_over(self) -> SyncTakenOver:
        return SyncTakenOver(f"The sync {self.pk} was taken over by another process.")

    def _stored(self) -> models.QuerySet[SyncRun]:
        return type(self).objects.using(self._state.db).filter(pk=self.pk)


class SyncStep(models.Model):
    """The ids that were read in one step, which is some pages of a list.

    They are asked for by their range, so however many objects there are, no more than a step's are
    in memory.
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
        """Those of the ids that a step of the run has read."""
        sought = set(ids)
        if not sought:
            return set()
        steps = cls.objects.using(run._state.db).filter(
            run=run, lowest__lte=max(sought), highest__gte=min(sought), **filters
        )
        found: set[int] = set()
        for packed in steps.order_by().values_list("ids", flat=True).iterator():
            found.update(sought.intersection(array("q", bytes(packed))))
        return found
