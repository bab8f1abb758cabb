"""The counts of the deliveries that the webhook rejected."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_altoviz.models.mirrors.fields import ExactDateTimeField, IdentifierField


class Rejection(models.Model):
    """The number of deliveries for an account that were rejected on one day with the same answer.

    A row per delivery would let anybody fill the table.
    """

    account = IdentifierField(
        _("account"), max_length=64, blank=True, help_text=_("Empty for all unknown accounts.")
    )
    day = models.DateField(_("day"), help_text=_("In UTC."))
    status_code = models.PositiveSmallIntegerField(_("status code"))
    answer = models.CharField(_("answer"), max_length=32)
    deliveries = models.PositiveBigIntegerField(_("deliveries"), default=0)
    last_at = ExactDateTimeField(_("last rejected at"))

    class Meta:
        verbose_name = _("rejection")
        verbose_name_plural = _("rejected deliveries")
        constraints = [
            models.UniqueConstraint(fields=["day", "account", "answer"], name="altoviz_rejection")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.account} {self.answer}"
