"""An event's place in the queue, and the state of its processing.

Each step is one UPDATE that asks for the state the event was read in: of two workers one succeeds.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_altoviz.conf import app_settings
from django_altoviz.event_types import Entity
from django_altoviz.exceptions import ClaimLost
from django_altoviz.intake.envelopes import storable
from django_altoviz.models.queue import SETTLED, Status, WebhookEventQuerySet, WithoutPruned
from django_altoviz.models.statements import holds, lock_at_once, update

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
    lease_expires_at = models.DateTimeField(_("lease expires at"), null=True)
    mirrored_at = models.DateTimeField(_("mirrored at"), null=True)
    settled_at = models.DateTimeField(_("settled at"), null=True)
    changes = models.JSONField(
        _("changes"), default=dict, help_text=_("What the event changed in the mirror.")
    )
    business_signals = models.JSONField(
        _("business signals"), default=list, help_text=_("The business signals that it causes.")
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
    def is_leased(self) -> bool:
        """Whether a worker was at it when this instance was read."""
        until = self.lease_expires_at
        return self.status == Status.PROCESSING and until is not None and until > timezone.now()

    @property
    def has_expired_lease(self) -> bool:
        """Whether a worker has left it unfinished."""
        return self.status == Status.PROCESSING and not self.is_leased

    @property
    def is_due(self) -> bool:
        """Whether it is to be processed by now, as far as it is concerned itself."""
        if self.is_settled or self.is_leased:
            return False
        return self.next_attempt_at is None or self.next_attempt_at <= timezone.now()

    def claim(self, lease: datetime.timedelta, effect: Mapping[str, Any] | None = None) -> bool:
        """Take the event for as long as the lease lasts, and note its effect on the mirror.

        False where an earlier event of its object has its turn first, or another worker has this
        one, or has had it since this instance was read. The number of attempts tells the claims
        apart.
        """
        taken = {"status": Status.PROCESSING, "lease_expires_at": timezone.now() + lease}
        return self._begin(taken, effect)

    def finish(
        self, status: Status, error: str = "", effect: Mapping[str, Any] | None = None, **more: Any
    ) -> bool:
        """Begin an attempt and end it at once, as its transaction is all there is to it.

        False where ``claim`` would be.
        """
        return self._begin(self._ended(self._past(), status, error, **more), effect)

    def _begin(self, values: dict[str, Any], effect: Mapping[str, Any] | None) -> bool:
        if self.is_settled or self.is_leased or self.is_in_use():
            return False
        values |= {"attempts": self.attempts + 1, **(effect or {})}
        if self.has_expired_lease:
            values = {"failures": self.failures + 1, "history": self._past()} | values
        condition, parameters = self._as_read()
        if self.object_id is not None:
            blocked, about = self._in_the_way()
            if connections[self._using].vendor != "mysql":
                condition, parameters = f"{condition} AND NOT {blocked}", parameters + about
            # MySQL can't look into the table that it updates, and MariaDB locks what it sees there,
            # up to deadlocks. To look before is as good: what is ahead of an event came in before it.
            elif holds(blocked, about, self._using):
                return False
        # What is as it was read need not be written: the condition says that nobody has changed it.
        values = {name: value for name, value in values.items() if getattr(self, name) != value}
        if effect is not None:  # in the transaction that has brought the mirror there
            condition += self._unhurried(own_blocks=1)
        if not update(self, values, condition, parameters):
            return False
        self._take_over(values)
        return True

    def is_in_use(self) -> bool:
        """Whether the worker that has left it is at it after all: it has the row in a transaction, and
        whoever wrote to it would wait for as long as that one likes."""
        return self.has_expired_lease and not lock_at_once(self)

    def release(self) -> None:
        """Take the event from the worker that has left it, and have it wait for its turn.

        Nothing happens where that one is at it after all, or another worker has it by now.
        """
        condition, parameters = self._as_read()
        values = {
            "status": Status.PENDING,
            "attempts": self.attempts + 1,
            "failures": self.failures + 1,
            "history": self._past(),
            "lease_expires_at": None,
        }
        with transaction.atomic(using=self._using):
            if not self.is_in_use():
                update(self, values, condition, parameters)

    def _unhurried(self, own_blocks: int) -> str:
        """Has PostgreSQL not wait for the disk when it commits this, where the transaction is our own:
        begun by no more than so many blocks.

        The event itself is on the disk since it was stored, and so is what receivers have done. If a
        power cut takes the note of it, the event waits, and what is noted here is done again.
        """
        connection: Any = connections[self._using]
        if connection.vendor != "postgresql" or len(connection.atomic_blocks) > own_blocks:
            return ""
        return " AND set_config('synchronous_commit', 'off', true) = 'off'"

    def _as_read(self) -> tuple[str, list[Any]]:
        until: Any = None
        if self.lease_expires_at is not None:
            until = connections[self._using].ops.adapt_datetimefield_value(self.lease_expires_at)
        lock = "lease_expires_at IS NULL" if until is None else "lease_expires_at = %s"
        parameters = [self.status, self.attempts, *([] if until is None else [until])]
        return f"status = %s AND attempts = %s AND {lock}", parameters

    def _in_the_way(self) -> tuple[str, list[Any]]:
        """That it is not the event's turn: one is ahead of it, or being processed.

        That may be a later one: an event can have its number and yet not be there while the next is
        already taken up. It need not be held any more, for its worker may come back: see ``release``.
        """
        connection: Any = connections[self._using]
        waits = "other.status IN ('pending', 'processing')"
        if app_settings.WAIT_FOR_RETRIES:
            waits += " OR other.status = 'failed' AND other.mirrored_at IS NOT NULL"
        condition = (
            f"EXISTS (SELECT 1 FROM {connection.ops.quote_name(self._meta.db_table)} other "
            "WHERE other.object_id = %s AND other.entity = %s AND other.account = %s AND "
            f"(other.id < %s AND ({waits}) OR "
            "other.id > %s AND other.status = 'processing'))"
        )
        return condition, [self.object_id, self.entity, self.account, self.pk, self.pk]

    def is_blocked(self) -> bool:
        """Whether it is not the event's turn."""
        return self.object_id is not None and holds(*self._in_the_way(), self._using)

    def has_company(self) -> bool:
        """Whether there are other events of its object that are not settled."""
        connection: Any = connections[self._using]
        condition = (
            f"EXISTS (SELECT 1 FROM {connection.ops.quote_name(self._meta.db_table)} "
            "WHERE object_id = %s AND entity = %s AND account = %s AND id <> %s "
            "AND status IN ('pending', 'processing', 'failed'))"
        )
        about = [self.object_id, self.entity, self.account, self.pk]
        return holds(condition, about, self._using)

    @property
    def _using(self) -> str:
        return self._state.db or DEFAULT_DB_ALIAS

    def renew(self, lease: datetime.timedelta) -> None:
        """Hold the event for another lease. Raises ``ClaimLost`` where that is too late."""
        self._update({"lease_expires_at": timezone.now() + lease})

    def settle(self, status: Status, error: str = "", **more: Any) -> None:
        """End the attempt. Raises ``ClaimLost`` where another worker has taken the event over."""
        ended = self._ended(self.history, status, error, **more)
        self._update(ended, self._unhurried(own_blocks=0))

    def _past(self) -> list[dict[str, str]]:
        """The history up to a new attempt."""
        lost = [self._entry(Status.FAILED, _LOST)] if self.has_expired_lease else []
        return [*self.history, *lost]

    def _ended(
        self, past: list[dict[str, str]], status: Status, error: str, **more: Any
    ) -> dict[str, Any]:
        """``more``: ``next_attempt_at`` and ``failures``, where it is not over."""
        values = {
            "status": status,
            "error": storable(error),
            "lease_expires_at": None,
            "settled_at": timezone.now() if status in SETTLED else None,
            "next_attempt_at": None,
            "history": [*past, self._entry(status, error)],
        }
        return values | more

    def _entry(self, status: Status, error: str) -> dict[str, str]:
        last_line = storable(error).strip().rpartition("\n")[2]
        return {"at": timezone.now().isoformat(), "status": status.value, "error": last_line}

    def _update(self, values: Mapping[str, Any], condition: str = "") -> None:
        held = f"status = 'processing' AND attempts = %s{condition}"
        if not update(self, values, held, [self.attempts]):
            raise ClaimLost(f"Event {self.pk} was taken over by another worker.")
        self._take_over(values)

    def _take_over(self, values: Mapping[str, object]) -> None:
        for name, value in values.items():
            setattr(self, name, value)

    def _stored(self) -> WebhookEventQuerySet:
        return type(self).with_pruned.using(self._state.db).filter(pk=self.pk)
