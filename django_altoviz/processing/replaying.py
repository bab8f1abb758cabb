"""Process events again, whatever became of them: at once, or by a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_altoviz.models import Status, WebhookEvent, WebhookEventQuerySet
from django_altoviz.models.queue import WAITING
from django_altoviz.processing import claims
from django_altoviz.processing.receivers import is_understood
from django_altoviz.processing.worker import process

# How many keys are read at a time.
_KEYS_PER_QUERY = 1000


class Replay(models.TextChoices):
    """The outcome of processing an event again. The label of a refusal is its reason."""

    PROCESSED = "processed", _("processed")
    IGNORED = "ignored", _("ignored")
    QUEUED = "queued", _("waiting for a worker")
    FAILED = "failed", _("failed")
    MALFORMED = "malformed", _("malformed body")
    PRUNED = "pruned", _("pruned body")
    UNKNOWN = "unknown", _("event type unknown to this version")
    BLOCKED = "blocked", _("waiting for an earlier event of the object")
    TAKEN = "taken", _("another worker has it, or has just processed it")

    @classmethod
    def of_attempted(cls, event: WebhookEvent) -> Replay:
        """Return the outcome of an attempt, as the event's status says it.

        The event is pending, and not failed, if the fault is the database's.
        """
        return _SUCCESSES.get(event.status, cls.FAILED)

    @property
    def is_refusal(self) -> bool:
        return self in _REFUSALS


_REFUSALS = (Replay.MALFORMED, Replay.PRUNED, Replay.UNKNOWN, Replay.BLOCKED, Replay.TAKEN)


def process_again(event: WebhookEvent, *, from_scratch: bool = False) -> Replay:
    """Process an event at once, whatever became of it, and return the outcome.

    Receivers that have handled it are not called again, unless it is done ``from_scratch``.

    Raises:
        django.db.Error: the database does not answer.
    """
    if _open(event, from_scratch) and event in process(event):
        return Replay.of_attempted(event)
    return _refusal(event)


def requeue(event: WebhookEvent, *, from_scratch: bool = False) -> Replay:
    """Make an event wait for a worker, whatever became of it. The caller has to dispatch it.

    Receivers that have handled it are not called again, unless it is done ``from_scratch``.
    """
    return Replay.QUEUED if _open(event, from_scratch) else _refusal(event)


def may_be_replayed(event: WebhookEvent) -> bool:
    """Return True if it makes sense to process the event again, as far as its own row says."""
    is_readable = event.status != Status.MALFORMED and event.pruned_at is None
    return is_readable and is_understood(event) and not event.is_leased


_SUCCESSES: dict[str, Replay] = {Status.PROCESSED: Replay.PROCESSED, Status.IGNORED: Replay.IGNORED}


def _open(event: WebhookEvent, from_scratch: bool) -> bool:
    return is_understood(event) and (
        event.has_expired_lease or claims.reopen(event, from_scratch=from_scratch)
    )


def _refusal(event: WebhookEvent) -> Replay:
    if event.status == Status.MALFORMED:
        return Replay.MALFORMED
    if event.pruned_at is not None:
        return Replay.PRUNED
    if not is_understood(event):
        return Replay.UNKNOWN
    # It is not blocked any more, but still waiting, if the time budget ended just before it.
    stored = WebhookEvent.objects.using(event._state.db)
    is_waiting = event.status in WAITING and stored.as_read(event).exists()
    return Replay.BLOCKED if is_waiting or claims.is_blocked(event) else Replay.TAKEN


def replay(
    events: WebhookEventQuerySet[WebhookEvent],
    *,
    keys: Iterable[int] | None = None,
    limit: int | None = None,
    from_scratch: bool = False,
    act: Callable[..., Replay] = process_again,
) -> Iterator[tuple[WebhookEvent, Replay]]:
    """Process the events again in order of arrival, whatever became of them, and yield the outcomes.

    ``act`` is ``process_again``, or ``requeue`` to leave the processing to a worker.
    ``keys`` are the primary keys of the events, if they are chosen beforehand; ``limit`` bounds the
    events that are found otherwise. ``from_scratch`` also calls the receivers that have handled them.
    An event that does not match ``events`` any more at its turn is skipped: it may have been processed
    behind an earlier one of its object.
    """
    events = events.for_write()  # an event must be read as it is now
    for pk in chain.from_iterable(_key_windows(events, limit)) if keys is None else keys:
        # One by one, because all bodies together may be too large.
        for event in events.filter(pk=pk):
            yield event, act(event, from_scratch=from_scratch)


def _key_windows(
    events: WebhookEventQuerySet[WebhookEvent], limit: int | None
) -> Iterator[list[int]]:
    """Yield the keys of the events in order of arrival, with those that arrive meanwhile."""
    last, left = 0, limit
    while left is None or left > 0:
        size = _KEYS_PER_QUERY if left is None else min(_KEYS_PER_QUERY, left)
        later = events.filter(pk__gt=last).order_by("pk")
        keys = list(later.values_list("pk", flat=True)[:size])
        if not keys:
            return
        yield keys
        last, left = keys[-1], None if left is None else left - len(keys)
