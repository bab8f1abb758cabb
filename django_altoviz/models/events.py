"""What came in, and what became of it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_altoviz.event_types import EventType
from django_altoviz.exceptions import MalformedBody
from django_altoviz.intake.envelopes import (
    MAX_ID_LENGTH,
    MAX_TYPE_LENGTH,
    Envelope,
    body_to_text,
    parse_envelope,
    storable,
    text_to_body,
)
from django_altoviz.log import Log, log_about
from django_altoviz.models.attempts import Queued
from django_altoviz.models.mirrors.fields import IdentifierField
from django_altoviz.models.queue import Source, Status
from django_altoviz.models.statements import update


class WebhookEvent(Queued):
    """One event: its body as it was received, and the state and history of its processing.

    The rows are also the queue: whatever is not settled is found here again after any crash.
    """

    event_id = IdentifierField(_("event id"), max_length=MAX_ID_LENGTH, blank=True)
    dedupe_key = models.UUIDField(_("dedupe key"), unique=True, editable=False)
    type = models.CharField(_("type"), max_length=MAX_TYPE_LENGTH, blank=True)
    source = models.CharField(
        _("source"), max_length=16, choices=Source.choices, default=Source.WEBHOOK
    )
    body = models.TextField(_("body"))
    arrival = models.JSONField(
        _("arrival"), default=dict, help_text=_("How the first delivery came in.")
    )
    received_at = models.DateTimeField(_("received at"), default=timezone.now)
    deliveries = models.PositiveIntegerField(_("deliveries"), default=1)
    last_received_at = models.DateTimeField(_("last received at"), null=True)
    pruned_at = models.DateTimeField(_("pruned at"), null=True)

    class Meta:
        verbose_name = _("webhook event")
        verbose_name_plural = _("webhook events")
        permissions = [
            ("process_webhookevent", _("Can process webhook events again")),
            ("replay_webhookevent", _("Can have all receivers of webhook events called again")),
        ]
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
    def log(self) -> Log:
        """The log for records about this event."""
        return log_about(
            event_id=self.event_id or str(self.pk),
            event_type=self.type,
            object_id=self.object_id,
            account=self.account,
        )

    def amend(self, values: Mapping[str, Any]) -> bool:
        """Write columns. False where the event was taken up, settled or pruned since it was read."""
        condition, parameters = self._as_read()
        return update(self, values, f"{condition} AND pruned_at IS NULL", parameters)

    def reopen(self, *, from_scratch: bool = False) -> bool:
        """Make the event wait again, whatever became of it, to be tried at once.

        Receivers that have given it up are called again; with ``from_scratch`` so are those that
        have handled it. False where there is nothing to process in it, a worker has it, or it is not
        any more what this instance was read as.
        """
        if (
            self.event_type is None
            or self.pruned_at is not None
            or self.status == Status.PROCESSING
        ):
            return False
        waiting = {
            "status": Status.PENDING,
            "entity": self.event_type.entity,
            "settled_at": None,
            "next_attempt_at": None,
            "failures": 0,
        }
        with transaction.atomic(using=self._state.db):
            as_read = self._stored().filter(
                pruned_at=None, status=self.status, attempts=self.attempts
            )
            if not as_read.update(**waiting):
                return False
            runs = self.receiver_runs.all()
            (runs if from_scratch else runs.exclude(gave_up="")).delete()
        self._take_over(waiting)
        return True
