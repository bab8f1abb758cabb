"""Rows that one process at a time works on: a sync or a watch."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_altoviz.exceptions import SyncTakenOver
from django_altoviz.models.mirrors.fields import ExactDateTimeField


class Claimed(models.Model):
    """Work that the last process to claim it owns. The others get ``SyncTakenOver`` at their next write.

    ``claims`` is the optimistic lock for that.
    """

    active_at = ExactDateTimeField(_("active at"), default=timezone.now)
    claims = models.PositiveIntegerField(
        _("claims"), default=0, help_text=_("How often a process has claimed this sync.")
    )

    class Meta:
        abstract = True

    def _claim(self, unclaimed: models.Q, **values: Any) -> None:
        claims = self.claims + 1
        as_read = self._stored().filter(unclaimed, claims=self.claims)
        if not as_read.update(claims=claims, active_at=timezone.now(), **values):
            raise self._taken_over()
        self.refresh_from_db(using=self._state.db)
        # Another process may have claimed the row between the two statements. With its number this
        # process would believe that it owns the row.
        self.claims = claims

    def write(self, **values: Any) -> None:
        """Write columns of the row.

        Raises:
            SyncTakenOver: another process has claimed the row.
        """
        values["active_at"] = timezone.now()
        if not self._stored().filter(claims=self.claims).update(**values):
            raise self._taken_over()
        for name, value in values.items():
            setattr(self, name, value)

    def _taken_over(self) -> SyncTakenOver:
        name = self._meta.verbose_name
        return SyncTakenOver(f"Another process has taken over {name} {self.pk}.")

    def _stored(self) -> models.QuerySet[Any]:
        return type(self)._base_manager.using(self._state.db).filter(pk=self.pk)
