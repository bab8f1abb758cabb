"""Store what a watch remembers, so that the next round or the next process goes on from there."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_altoviz.models.claimed import Claimed
from django_altoviz.models.mirrors.fields import IdentifierField


class Watch(Claimed):
    """The watch of an account: what its last round has seen of each kind of object."""

    account = IdentifierField(_("account"), max_length=64, unique=True)
    rounds = models.PositiveIntegerField(_("rounds"), default=0)
    requests = models.PositiveIntegerField(
        _("requests"), default=0, help_text=_("How many requests the last round has sent.")
    )
    memory = models.JSONField(
        _("memory"),
        default=dict,
        help_text=_("What the last round has seen of each kind of object."),
    )

    class Meta:
        verbose_name = _("watch")
        verbose_name_plural = _("watches")

    def __str__(self) -> str:
        return str(self.account)

    def claim(self) -> None:
        """Claim the watch. A process that had claimed it before stops at its next write.

        Raises:
            SyncTakenOver: another process has claimed it since it was read.
        """
        self._claim(models.Q())
