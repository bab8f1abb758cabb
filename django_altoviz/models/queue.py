"""The events as a queue: what is stored once, what waits, and whose turn it is."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from django.db import IntegrityError, models, router, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_altoviz.conf import app_settings
from django_altoviz.models.statements import insert

if TYPE_CHECKING:
    from django_altoviz.models.attempts import Queued
    from django_altoviz.models.events import WebhookEvent


class Status(models.TextChoices):
    PENDING = "pending", _("pending")
    PROCESSING = "processing", _("processing")
    PROCESSED = "processed", _("processed")
    IGNORED = "ignored", _("ignored")
    FAILED = "failed", _("failed")
    DEAD = "dead", _("dead")
    MALFORMED = "malformed", _("malformed")


class Source(models.TextChoices):
    WEBHOOK = "webhook", _("webhook")
    SYNC = "sync", _("sync")


#: Nothing more happens to an event in one of these, unless somebody asks for it.
SETTLED = (Status.PROCESSED, Status.IGNORED, Status.DEAD, Status.MALFORMED)
UNSETTLED = (Status.PENDING, Status.PROCESSING, Status.FAILED)


def _leased() -> Q:
    return Q(status=Status.PROCESSING, lease_expires_at__gt=timezone.now())


def _lease_expired() -> Q:
    return Q(status=Status.PROCESSING, lease_expires_at__lte=timezone.now())


def _retried() -> Q:
    """Events whose receivers are being tried again, where others are to wait for that.

    One that could not even be mirrored is passed: a later event has the whole object.
    """
    if not app_settings.WAIT_FOR_RETRIES:
        return Q(pk__in=[])
    return Q(status=Status.FAILED, mirrored_at__isnull=False)


def _due_now() -> Q:
    return Q(next_attempt_at=None) | Q(next_attempt_at__lte=timezone.now())


class WebhookEventQuerySet(models.QuerySet["WebhookEvent"]):
    def settled(self) -> WebhookEventQuerySet:
        return self.filter(status__in=SETTLED)

    def unsettled(self) -> WebhookEventQuerySet:
        return self.filter(status__in=UNSETTLED)

    def due(self) -> WebhookEventQuerySet:
        """What is to be processed by now: new, failed, or left by a worker that is gone."""
        waits = Q(status__in=(Status.PENDING, Status.FAILED)) & _due_now()
        return self.filter(waits | _lease_expired())

    def lease_expired(self) -> WebhookEventQuerySet:
        """What a worker has left unfinished, or was silent about for longer than its lease."""
        return self.filter(_lease_expired())

    def ready(self) -> WebhookEventQuerySet:
        """What is due and does not stand behind an event of its object that is not."""
        earlier = self.model.with_pruned.filter(
            account=OuterRef("account"),
            entity=OuterRef("entity"),
            object_id=OuterRef("object_id"),
            pk__lt=OuterRef("pk"),
        )
        postponed = (Q(status=Status.PENDING) | _retried()) & ~_due_now()
        return self.due().filter(~Exists(earlier.filter(_leased() | postponed)))

    def of_object(self, event: Queued) -> WebhookEventQuerySet:
        """All events of the event's object."""
        if event.object_id is None:
            return self.none()
        return self.filter(account=event.account, entity=event.entity, object_id=event.object_id)

    def ahead_of(self, event: Queued) -> WebhookEventQuerySet:
        """The earlier events of its object that have their turn first."""
        waits = Q(status__in=(Status.PENDING, Status.PROCESSING)) | _retried()
        return self.of_object(event).filter(waits, pk__lt=event.pk).order_by("pk")

    def store(self, event: WebhookEvent) -> WebhookEvent | None:
        """Store a delivery, or count it on the event that is stored already.

        Return the event that waits to be processed: the new one, or the one that an earlier delivery
        left unsettled. ``None`` where there is nothing left to do.
        """
        using = router.db_for_write(self.model)
        try:
            # One statement in autocommit. Inside of a transaction the conflict needs a savepoint,
            # or PostgreSQL would refuse whatever comes after it.
            in_transaction = transaction.get_connection(using).in_atomic_block
            with transaction.atomic(using) if in_transaction else contextlib.nullcontext():
                insert(event, using)
        except IntegrityError:
            stored = self.model.with_pruned.using(using).filter(dedupe_key=event.dedupe_key)
            count = {"deliveries": F("deliveries") + 1, "last_received_at": event.received_at}
            if stored.settled().update(**count):
                return None
            # One that has failed is due at once: the sender has given it another chance.
            if not stored.update(**count, next_attempt_at=None):
                raise  # the conflict was another than this
            return stored.get()
        return event if event.status == Status.PENDING else None


class WithoutPruned(models.Manager.from_queryset(WebhookEventQuerySet)):  # type: ignore[misc]
    """Hides the rows of which only the id is left, for the sake of deduplication."""

    def get_queryset(self) -> WebhookEventQuerySet:
        events: WebhookEventQuerySet = super().get_queryset()
        return events.filter(pruned_at=None)
