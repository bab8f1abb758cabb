"""The events: each webhook delivery or sync difference, and the state of its processing."""

from __future__ import annotations

import hashlib
import uuid
from functools import cached_property
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from django_altoviz import exact_json
from django_altoviz.event_types import SENT_TYPES, Entity, EventType
from django_altoviz.exceptions import MalformedBody
from django_altoviz.intake.envelopes import (
    MAX_ID_LENGTH,
    MAX_TYPE_LENGTH,
    Envelope,
    body_to_text,
    parse_envelope,
    storable,
    stored_json,
    text_to_body,
)
from django_altoviz.log import Log, log_about
from django_altoviz.models.event_querysets import WebhookEventQuerySet, WithoutPruned
from django_altoviz.models.mirrors.fields import (
    ExactCharField,
    ExactDateTimeField,
    ExactTextField,
    IdentifierField,
)
from django_altoviz.models.queue import INDEXED, SETTLED, WAITING, Source, Status, clock

# The length of the hash of a body, in characters.
_DIGEST = 32
#: The length of the cause of a failure, in characters.
MAX_CAUSE_LENGTH = 255


class WebhookEvent(models.Model):
    """An event: its body as it was received, and the state and history of its processing.

    The rows are the outbox and the queue: whatever is not settled is found here again after a crash.
    ``django_altoviz.processing`` is the only writer of the state.
    """

    event_id = IdentifierField(_("event id"), max_length=MAX_ID_LENGTH, blank=True)
    dedupe_key = models.UUIDField(_("dedupe key"), unique=True, editable=False)
    body_digest = models.CharField(_("body digest"), max_length=_DIGEST, editable=False)
    conflicts_with = models.BigIntegerField(
        _("conflicts with event"),
        null=True,
        help_text=_("The event that came in first under the same id, with another body."),
    )
    account = IdentifierField(_("account"), max_length=64)
    type = ExactCharField(_("type"), max_length=MAX_TYPE_LENGTH, blank=True)
    entity = models.CharField(_("entity"), max_length=16, blank=True, choices=Entity.choices)
    object_id = models.BigIntegerField(pgettext_lazy("an event", "object id"), null=True)
    source = models.CharField(
        _("source"), max_length=16, choices=Source.choices, default=Source.WEBHOOK
    )
    as_of = models.BigIntegerField(
        _("as of event"),
        null=True,
        help_text=_("The last event that was stored before the sync read the object."),
    )
    body = ExactTextField(_("body"))
    arrival: models.JSONField[dict[str, str], dict[str, str]] = models.JSONField(
        _("arrival"), default=dict, help_text=_("How the first delivery came in.")
    )
    received_at = ExactDateTimeField(_("received at"), default=timezone.now)
    deliveries = models.PositiveIntegerField(_("deliveries"), default=1)
    last_received_at = ExactDateTimeField(_("last received at"), null=True)
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.PENDING
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    failures = models.PositiveIntegerField(
        _("failures"), default=0, help_text=_("Failed attempts since it was last set to wait.")
    )
    next_attempt_at = ExactDateTimeField(_("next attempt at"), null=True)
    lease_expires_at = ExactDateTimeField(_("lease expires at"), null=True)
    mirrored_at = ExactDateTimeField(_("mirrored at"), null=True)
    settled_at = ExactDateTimeField(_("settled at"), null=True)
    changes: models.JSONField[dict[str, list[Any]], dict[str, list[Any]]] = models.JSONField(
        _("changes"), default=dict, help_text=_("What the event changed in the mirror.")
    )
    business_signals: models.JSONField[list[str], list[str]] = models.JSONField(
        _("business signals"), default=list, help_text=_("The business signals that it causes.")
    )
    history: models.JSONField[list[dict[str, Any]], list[dict[str, Any]]] = models.JSONField(
        _("history"), default=list, help_text=_("One entry per attempt.")
    )
    error = ExactTextField(
        _("error"), blank=True, help_text=_("Why the event failed or had no effect.")
    )
    cause = ExactCharField(
        _("cause"),
        max_length=MAX_CAUSE_LENGTH,
        blank=True,
        help_text=_(
            "The receiver that failed, and the kind of error: equal failures have the same."
        ),
    )
    pruned_at = ExactDateTimeField(_("pruned at"), null=True)

    #: True while a worker has noted on the stored row, in advance, that this attempt has failed.
    is_noted = False
    #: True if a worker may have died of the event.
    is_suspect = False

    objects = WithoutPruned()
    with_pruned = WebhookEventQuerySet.as_manager()

    class Meta:
        # dumpdata takes the default manager. A pruned event's id is needed for deduplication.
        default_manager_name = "with_pruned"
        verbose_name = _("webhook event")
        verbose_name_plural = _("webhook events")
        permissions = [
            ("view_webhookevent_content", _("Can view the content of all webhook events")),
            ("process_webhookevent", _("Can process webhook events again")),
            ("replay_webhookevent", _("Can have all receivers of webhook events called again")),
        ]
        indexes = [
            models.Index(fields=INDEXED, name="altoviz_event_queue"),
            models.Index(fields=["account", "received_at"], name="altoviz_event_account"),
            models.Index(fields=["object_id", "entity"], name="altoviz_event_object"),
            models.Index(fields=["event_id"], name="altoviz_event_event_id"),
            # The list in the admin, in its order, by each of its filters.
            models.Index(fields=["received_at"], name="altoviz_event_received"),
            models.Index(fields=["status", "received_at"], name="altoviz_event_status"),
            models.Index(fields=["type", "received_at"], name="altoviz_event_type"),
            models.Index(fields=["source", "received_at"], name="altoviz_event_source"),
        ]
        constraints = [
            # Without a lease to expire, a dead worker's event would never be found again.
            models.CheckConstraint(
                condition=models.Q(status=Status.PROCESSING, lease_expires_at__isnull=False)
                | ~models.Q(status=Status.PROCESSING) & models.Q(lease_expires_at=None),
                name="altoviz_event_lease",
            )
        ]

    def __str__(self) -> str:
        return f"{self.type or self.get_status_display()} {self.event_id or self.pk}"

    @classmethod
    def from_delivery(
        cls,
        body: bytes,
        account: str,
        arrival: dict[str, str],
        source: Source = Source.WEBHOOK,
        as_of: int | None = None,
    ) -> WebhookEvent:
        """Return the event, not saved yet, that an authentic body describes.

        ``arrival`` says how the body came in; its values may be text of any origin.
        """
        event = cls(
            account=account,
            source=source,
            as_of=as_of,
            body=body_to_text(body),
            body_digest=_digest_of(body),
            arrival={key: storable(value) for key, value in arrival.items()},
            received_at=timezone.now(),
        )
        event._read_envelope(body)
        return event

    def _read_envelope(self, body: bytes) -> None:
        try:
            envelope = parse_envelope(body)
        except MalformedBody as error:
            self.dedupe_key = self._dedupe_key("body", body)
            self._settle_at_once(Status.MALFORMED, str(error))
            return
        self.envelope = envelope
        self.event_id, self.type = envelope.event_id, envelope.type
        self.object_id = envelope.object_id
        if envelope.has_event_id:
            self.dedupe_key = self._dedupe_key("id", envelope.event_id.encode())
        else:
            self.dedupe_key = self._dedupe_key("body", body)
        if event_type := self.event_type:
            self.entity = event_type.entity
        else:
            self._settle_at_once(Status.IGNORED, "This version knows no such event type.")

    def _dedupe_key(self, kind: str, value: bytes) -> uuid.UUID:
        key = hashlib.sha256(b"\0".join([self.account.encode(), kind.encode(), value]))
        # MariaDB accepts standard UUIDs only; version 5 is the one made from a hash.
        return uuid.UUID(bytes=key.digest()[:16], version=5)

    def has_received(self, body: bytes) -> bool:
        """Return True if this is the body that was received: nothing was erased from it."""
        return _digest_of(body) == self.body_digest

    def has_content_of(self, other: WebhookEvent) -> bool:
        """Return True if both bodies are the same JSON, perhaps with other spaces or another order."""
        try:
            mine, theirs = (exact_json.loads(stored_json(event.body)) for event in (self, other))
        except ValueError:  # the body was pruned
            return False
        return exact_json.same(mine, theirs)

    def set_aside(self, first: WebhookEvent) -> None:
        """Make this unsaved event a dead one, because ``first`` came in under its id before.

        Nobody can tell which of the two bodies is right. It stays as it is until somebody has it
        processed.
        """
        self.conflicts_with = first.pk
        self.cause = "Another body under the same id"
        value = f"{self.event_id}\0{self.body_digest}"
        self.dedupe_key = self._dedupe_key("id and body", value.encode())
        self._settle_at_once(
            Status.DEAD,
            f"Event {first.pk} has the same id and another body. Compare the two, and process this "
            "one again if it is right.",
        )

    def _settle_at_once(self, status: Status, error: str) -> None:
        self.status, self.error, self.settled_at = status, storable(error), self.received_at

    @cached_property
    def envelope(self) -> Envelope:
        """The parsed body. Raises ``MalformedBody``."""
        return parse_envelope(text_to_body(self.body))

    @property
    def event_type(self) -> EventType | None:
        """The type, or ``None`` if this version does not know it, or does not know it from its source."""
        known = EventType.known(self.type)
        # What a later Altoviz sends of credits is kept, and is not believed to be what a sync reads.
        is_expected = self.source == Source.SYNC or known in SENT_TYPES
        return known if is_expected else None

    @property
    def is_settled(self) -> bool:
        return self.status in SETTLED

    @property
    def is_leased(self) -> bool:
        """Return True if a worker was processing the event when this instance was read."""
        expires_at = self.lease_expires_at
        is_processing = self.status == Status.PROCESSING
        return is_processing and expires_at is not None and expires_at > clock()

    @property
    def has_expired_lease(self) -> bool:
        """Return True if a worker left the event unfinished."""
        return self.status == Status.PROCESSING and not self.is_leased

    @property
    def is_due(self) -> bool:
        """Return True if the event may be processed by now, as far as its own columns say."""
        if self.status not in WAITING:
            return self.has_expired_lease
        return self.next_attempt_at is None or self.next_attempt_at <= clock()

    @property
    def log(self) -> Log:
        """The log for records about this event."""
        return log_about(
            event_id=self.event_id or str(self.pk),
            event_type=self.type,
            object_id=self.object_id,
            account=self.account,
        )


def _digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:_DIGEST]
