"""The record of which receivers have handled which events."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_altoviz.models.events import WebhookEvent
from django_altoviz.models.mirrors.fields import ExactDateTimeField, ExactTextField, IdentifierField


class ReceiverRun(models.Model):
    """The record that a receiver has handled an event. It commits together with the receiver's work.

    A receiver that gave the event up has a row too, with the reason in ``gave_up``.
    """

    event = models.ForeignKey(
        WebhookEvent, models.CASCADE, related_name="receiver_runs", verbose_name=_("event")
    )
    receiver = IdentifierField(_("receiver"), max_length=255)
    finished_at = ExactDateTimeField(_("finished at"), default=timezone.now)
    seconds = models.FloatField(_("seconds"))
    gave_up = ExactTextField(_("gave up"), blank=True, default="")

    class Meta:
        verbose_name = _("receiver run")
        verbose_name_plural = _("receiver runs")
        constraints = [
            models.UniqueConstraint(fields=["event", "receiver"], name="altoviz_receiver_once")
        ]

    def __str__(self) -> str:
        return str(self.receiver)
