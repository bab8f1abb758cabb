"""What came in, and what became of it."""

from __future__ import annotations

import datetime
import hashlib
import uuid
from functools import cached_property

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import Exists, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_altoviz.envelopes import (
    MAX_ID_LENGTH,
    MAX_TYPE_LENGTH,
    Envelope,
    body_to_text,
    parse_envelope,
    storable,
    text_to_body,
)
from django_altoviz.event_types import Entity, EventType
from django_altoviz.exceptions import ClaimLost, MalformedBody
from django_altoviz.models.queue import (
    SETTLED,
    Source,
    Status,
    WebhookEventQuerySet,
    WithoutPruned,
)


class WebhookEvent(models.Model):
    """One event: its body as it was received, and the state and history of its processing.

    The rows are also the queue: whatever is not settled is found here again after any crash.
    """

    account = models.CharField(_("account"), max_length=64)
    event_id = models.CharField(_("event id"), max_length=MAX_ID_LENGTH, blank=True)
    dedupe_key = models.UUIDField(_("dedupe key"), unique=True, editable=False)
    type = models.CharField(_("type"), max_length=MAX_TYPE_LENGTH, blank=True)
    entity = models.CharField(_("entity"), max_length=16, blank=True, choices=Entity.choices)
    object_id = models.BigIntegerField(_("object id"), null=True)
    source = models.CharField(
        _("source"), max_length=16, choices=Source.choices, default=Source.WEBHOOK
    )
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.PENDING
    )
    body = models.TextField(_("body"))
    arrival = models.JSONField(
        _("arrival"), default=dict, help_text=_("How the first delivery came in.")
    )
    received_at = models.DateTimeField(_("received at"), default=timezone.now)
    deliveries = models.PositiveIntegerField(_("deliveries"), default=1)
    last_received_at = models.DateTimeField(_("last received at"), null=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    locked_until = models.DateTimeField(_("locked until"), null=True)
    mirrored_at = models.DateTimeField(_("mirrored at"), null=True)
    settled_at = models.DateTimeField(_("settled at"), null=True)
    pruned_at = models.DateTimeField(_("pruned at"), null=True)
    changes = models.JSONField(
        _("changes"), default=dict, help_text=_("What the event changed in the mirror.")
    )
    history = models.JSONField(_("history"), default=list, help_text=_("One entry per attempt."))
    error = models.TextField(
        _("error"), blank=True, help_text=_("Why the event failed, or is without effect.")
    )

    objects = WithoutPruned()
    with_pruned = WebhookEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook event")
        verbose_name_plural = _("webhook events")
        permissions = [("process_webhookevent", _("Can process webhook events again"))]
        indexes = [
            models.Index(fields=["status", "received_at"], name="altoviz_event_status"),
            models.Index(fields=["object_id", "entity"], name="altoviz_event_object"),
            models.Index(fields=["event_id"], name="altoviz_event_event_id"),
        ]

    def __str__(self) -> str:
        return f"{self.type or self.get_status_display()} {self.event_id or self.pk}"

    @classmethod
    def from_delivery(
        cls, body: bytes, account: str, arrival: dict[str, str], source: Source = Source.WEBHOOK
    ) -> WebhookEvent:
        """The event, not saved yet, that an authentic body tells of.

        ``arrival`` says how it came in; its values may be texts of any origin.
        """
        event = cls(
            account=account,
            source=source,
            body=body_to_text(body),
            arrival={key: storable(value) for key, value in arrival.items()},
            received_at=timezone.now(),
        )
        event._understand(body)
        return event

    def _understand(self, body: bytes) -> None:
        try:
            envelope = parse_envelope(body)
        except MalformedBody as error:
            self.dedupe_key = self._key("body", body)
            self._settle_at_once(Status.MALFORMED, str(error))
            return
        self.envelope = envelope
        self.event_id, self.type = envelope.event_id, envelope.type
        self.object_id = envelope.object_id
        if envelope.has_event_id:
            self.dedupe_key = self._key("id", envelope.event_id.encode())
        else:
            self.dedupe_key = self._key("body", body)
        if event_type := self.event_type:
            self.entity = event_type.entity
        else:
            self._settle_at_once(Status.IGNORED, "This version knows no such event type.")

    def _key(self, kind: str, value: bytes) -> uuid.UUID:
        key = hashlib.sha256(b"\0".join([self.account.encode(), kind.encode(), value]))
        # MariaDB takes only UUIDs that follow the standard; 5 is the version of those from a hash.
        return uuid.UUID(bytes=key.digest()[:16], version=5)

    def _settle_at_once(self, status: Status, error: str) -> None:
        self.status, self.error, self.settled_at = status, storable(error), self.received_at

    @cached_property
    def envelope(self) -> Envelope:
        """What the body says. Raises ``MalformedBody``."""
        return parse_envelope(text_to_body(self.body))

    @property
    def event_type(self) -> EventType | None:
        """The type, or ``None`` where this version does not know it."""
        return EventType.known(self.type)

    @property
    def is_settled(self) -> bool:
        return self.status in SETTLED

    def claim(self, lease: datetime.timedelta) -> bool:
        """Take the event for processing, for as long as the lease lasts.

        False where an earlier event of its object has not had its turn, or another worker has this
        one, or has had it since this instance was read. The number of attempts tells the claims
        apart.
        """
        if self.is_settled or self.is_held:
            return False
        as_read = {
            "status": self.status,
            "attempts": self.attempts,
            "locked_until": self.locked_until,
        }
        claimed = {
            "status": Status.PROCESSING,
            "attempts": self.attempts + 1,
            "locked_until": timezone.now() + lease,
        }
        if not self._stored().filter(*self._in_turn(), **as_read).update(**claimed):
            return False
        for name, value in claimed.items():
            setattr(self, name, value)
        return True

    def _in_turn(self) -> list[Q]:
        using = self._state.db or DEFAULT_DB_ALIAS
        ahead = type(self).with_pruned.using(using).ahead_of(self)
        if connections[using].vendor != "mysql":
            return [Q(~Exists(ahead))]
        # MySQL can't look into the table that it updates, and MariaDB locks what it sees there, up
        # to deadlocks. To look before is as good: what waits ahead of an event came in before it.
        return [Q(pk__in=[])] if ahead.exists() else []

    @property
    def is_held(self) -> bool:
        """Whether a worker was at it when this instance was read."""
        until = self.locked_until
        return self.status == Status.PROCESSING and until is not None and until > timezone.now()

    def reopen(self) -> bool:
        """Make a settled event wait again. False where there is nothing to process in it."""
        if self.event_type is None or self.pruned_at is not None:
            return False
        waiting = {
            "status": Status.PENDING,
            "entity": self.event_type.entity,
            "settled_at": None,
        }
        if not self._stored().filter(status__in=SETTLED, pruned_at=None).update(**waiting):
            return False
        for name, value in waiting.items():
            setattr(self, name, value)
        return True

    def renew(self, lease: datetime.timedelta) -> None:
        """Hold the event for another lease. Raises ``ClaimLost`` where that is too late."""
        self._update(locked_until=timezone.now() + lease)

    def settle(self, status: Status, error: str = "") -> None:
        """End the attempt. Raises ``ClaimLost`` where another worker has taken the event over."""
        now = timezone.now()
        attempt = {"at": now.isoformat(), "status": status.value, "error": _last_line(error)}
        self._update(
            status=status,
            error=storable(error),
            locked_until=None,
            mirrored_at=self.mirrored_at,
            changes=self.changes,
            settled_at=now if status in SETTLED else None,
            history=[*self.history, attempt],
        )

    def keep_progress(self) -> None:
        """Keep what the mirror step did, before the receivers are called."""
        self._update(mirrored_at=self.mirrored_at, changes=self.changes)

    def _update(self, **values: object) -> None:
        held = self._stored().filter(status=Status.PROCESSING, attempts=self.attempts)
        if not held.update(**values):
            raise ClaimLost(f"Event {self.pk} was taken over by another worker.")
        for name, value in values.items():
            setattr(self, name, value)

    def _stored(self) -> WebhookEventQuerySet:
        return type(self).with_pruned.using(self._state.db).filter(pk=self.pk)


def _last_line(error: str) -> str:
    return storable(error).strip().rpartition("\n")[2]
