"""An event's place in the queue, and the state of its processing.

Each step is one UPDATE that asks for the state the event was read in: of two workers one succeeds.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import Exists, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_altoviz.envelopes import storable
from django_altoviz.event_types import Entity
from django_altoviz.exceptions import ClaimLost
from django_altoviz.models.queue import SETTLED, Status, WebhookEventQuerySet, WithoutPruned

_LOST = "The worker died, or was silent for longer than its lease."


class Queued(models.Model):
    """Whose turn it is (that of an object's earliest event), and what became of the attempts."""

    account = models.CharField(_("account"), max_length=64)
    entity = models.CharField(_("entity"), max_length=16, blank=True, choices=Entity.choices)
    object_id = models.BigIntegerField(_("object id"), null=True)
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.PENDING
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    failures = models.PositiveIntegerField(
        _("failures"), default=0, help_text=_("Failed attempts since it was last set to wait.")
    )
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True)
    locked_until = models.DateTimeField(_("locked until"), null=True)
    mirrored_at = models.DateTimeField(_("mirrored at"), null=True)
    settled_at = models.DateTimeField(_("settled at"), null=True)
    changes = models.JSONField(
        _("changes"), default=dict, help_text=_("What the event changed in the mirror.")
    )
    milestones = models.JSONField(
        _("milestones"), default=list, help_text=_("The business signals that it causes.")
    )
    history = models.JSONField(_("history"), default=list, help_text=_("One entry per attempt."))
    error = models.TextField(
        _("error"), blank=True, help_text=_("Why the event failed, or is without effect.")
    )

    objects = WithoutPruned()
    with_pruned = WebhookEventQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def is_settled(self) -> bool:
        return self.status in SETTLED

    @property
    def is_held(self) -> bool:
        """Whether a worker was at it when this instance was read."""
        until = self.locked_until
        return self.status == Status.PROCESSING and until is not None and until > timezone.now()

    @property
    def is_lapsed(self) -> bool:
        """Whether a worker has left it unfinished."""
        return self.status == Status.PROCESSING and not self.is_held

    @property
    def is_due(self) -> bool:
        """Whether it is to be processed by now, as far as it is concerned itself."""
        if self.is_settled or self.is_held:
            return False
        return self.next_attempt_at is None or self.next_attempt_at <= timezone.now()

    def claim(self, lease: datetime.timedelta, effect: Mapping[str, Any] | None = None) -> bool:
        """Take the event for as long as the lease lasts, and note its effect on the mirror.

        False where an earlier event of its object has its turn first, or another worker has this
        one, or has had it since this instance was read. The number of attempts tells the claims
        apart.
        """
        taken = {"status": Status.PROCESSING, "locked_until": timezone.now() + lease}
        return self._begin(taken | dict(effect or {}))

    def finish(
        self, status: Status, error: str = "", effect: Mapping[str, Any] | None = None, **more: Any
    ) -> bool:
        """Begin an attempt and end it at once, as its transaction is all there is to it.

        False where ``claim`` would be.
        """
        return self._begin(self._ended(status, error, **more) | dict(effect or {}))

    def _begin(self, values: dict[str, Any]) -> bool:
        if self.is_settled or self.is_held:
            return False
        as_read = {
            "status": self.status,
            "attempts": self.attempts,
            "locked_until": self.locked_until,
        }
        values["attempts"] = self.attempts + 1
        if self.is_lapsed:
            values.setdefault("failures", self.failures + 1)
            values["history"] = [self._entry(Status.FAILED, _LOST), *values.get("history", [])]
            values["history"][:0] = self.history
        if not self._stored().filter(*self._in_turn(), **as_read).update(**values):
            return False
        self._take_over(values)
        return True

    def _in_turn(self) -> list[Q]:
        using = self._state.db or DEFAULT_DB_ALIAS
        others = type(self).with_pruned.using(using).in_the_way_of(self)
        if connections[using].vendor != "mysql":
            return [Q(~Exists(others))]
        # MySQL can't look into the table that it updates, and MariaDB locks what it sees there, up
        # to deadlocks. To look before is as good: what waits ahead of an event came in before it.
        return [Q(pk__in=[])] if others.exists() else []

    def renew(self, lease: datetime.timedelta) -> None:
        """Hold the event for another lease. Raises ``ClaimLost`` where that is too late."""
        self._update(locked_until=timezone.now() + lease)

    def settle(self, status: Status, error: str = "", **more: Any) -> None:
        """End the attempt. Raises ``ClaimLost`` where another worker has taken the event over."""
        self._update(**self._ended(status, error, **more))

    def postpone(self, error: str, **more: Any) -> bool:
        """Leave the event waiting until ``next_attempt_at``. False where another worker has it."""
        values = self._ended(Status.PENDING, error, **more)
        return bool(
            self._stored().filter(status=self.status, attempts=self.attempts).update(**values)
        )

    def _ended(self, status: Status, error: str, **more: Any) -> dict[str, Any]:
        """``more``: ``next_attempt_at`` and ``failures``, where it is not over."""
        values = {
            "status": status,
            "error": storable(error),
            "locked_until": None,
            "settled_at": timezone.now() if status in SETTLED else None,
            "next_attempt_at": None,
            "history": [*self.history, self._entry(status, error)],
        }
        return values | more

    def _entry(self, status: Status, error: str) -> dict[str, str]:
        last_line = storable(error).strip().rpartition("\n")[2]
        return {"at": timezone.now().isoformat(), "status": status.value, "error": last_line}

    def _update(self, **values: object) -> None:
        held = self._stored().filter(status=Status.PROCESSING, attempts=self.attempts)
        if not held.update(**values):
            raise ClaimLost(f"Event {self.pk} was taken over by another worker.")
        self._take_over(values)

    def _take_over(self, values: Mapping[str, object]) -> None:
        for name, value in values.items():
            setattr(self, name, value)

    def _stored(self) -> WebhookEventQuerySet:
        return type(self).with_pruned.using(self._state.db).filter(pk=self.pk)
