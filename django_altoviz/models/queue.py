"""The events as a queue: what is stored once, what waits, and whose turn it is."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from django.db import IntegrityError, models, router, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
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


def _lapsed() -> Q:
    return Q(status=Status.PROCESSING, locked_until__lte=timezone.now())


class WebhookEventQuerySet(models.QuerySet["WebhookEvent"]):
    def settled(self) -> WebhookEventQuerySet:
        return self.filter(status__in=SETTLED)

    def waiting(self) -> WebhookEventQuerySet:
        """Events that nobody has tried to the end: new, or left by a worker that is gone."""
        return self.filter(Q(status=Status.PENDING) | _lapsed())

    def due(self) -> WebhookEventQuerySet:
        """What is to be processed: what waits, and what has failed."""
        return self.filter(Q(status__in=(Status.PENDING, Status.FAILED)) | _lapsed())

    def of_object(self, event: WebhookEvent) -> WebhookEventQuerySet:
        """All events of the event's object."""
        if event.object_id is None:
            return self.none()
        return self.filter(account=event.account, entity=event.entity, object_id=event.object_id)

    def ahead_of(self, event: WebhookEvent) -> WebhookEventQuerySet:
        """The earlier events of its object that have their turn first. A failed one has had it."""
        earlier = self.of_object(event).filter(pk__lt=event.pk)
        return earlier.filter(status__in=(Status.PENDING, Status.PROCESSING)).order_by("pk")

    def behind(self, event: WebhookEvent) -> WebhookEventQuerySet:
        """The later events of its object that wait for their turn."""
        return self.of_object(event).filter(pk__gt=event.pk).waiting().order_by("pk")

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
                event.save(force_insert=True, using=using)
        except IntegrityError:
            stored = self.model.with_pruned.using(using).filter(dedupe_key=event.dedupe_key)
            count = {"deliveries": F("deliveries") + 1, "last_received_at": event.received_at}
            if stored.settled().update(**count):
                return None
            if not stored.update(**count):
                raise  # the conflict was another than this
            return stored.get()
        return event if event.status == Status.PENDING else None


class WithoutPruned(models.Manager.from_queryset(WebhookEventQuerySet)):  # type: ignore[misc]
    """Hides the rows of which only the id is left, for the sake of deduplication."""

    def get_queryset(self) -> WebhookEventQuerySet:
        events: WebhookEventQuerySet = super().get_queryset()
        return events.filter(pruned_at=None)
