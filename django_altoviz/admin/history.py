"""What has happened to an object, as its page tells it."""

from __future__ import annotations

from dataclasses import dataclass

from django_altoviz.admin.base import ReadOnly
from django_altoviz.admin.display.changes import Change, changes_of, kind, reason, state
from django_altoviz.admin.display.values import moment
from django_altoviz.admin.display.vocabulary import business_signals_in_words
from django_altoviz.models import MIRRORS, Mirror, Status, WebhookEvent
from django_altoviz.models.queue import UNSETTLED

MOST_TOLD = 50
#: Of an update, more changes than these are folded away, as are all of a creation.
MOST_UNFOLDED = 12
_ENTITIES = {model: entity for entity, model in MIRRORS.items()}
_NOT_SHOWN = (*UNSETTLED, Status.DEAD)
_GONE_WRONG = (Status.FAILED, Status.DEAD)


@dataclass(frozen=True)
class Entry:
    """One event. ``reason`` and ``link`` are empty for who may not see events."""

    at: str
    what: str
    business_signals: list[str]
    changes: list[Change]
    source: str
    state: str
    reason: str
    link: str
    is_wrong: bool
    is_creation: bool
    is_mirrored: bool
    is_pruned: bool

    @property
    def is_folded(self) -> bool:
        return self.is_creation or len(self.changes) > MOST_UNFOLDED


@dataclass(frozen=True)
class Story:
    """The last events of an object, the latest first.

    ``news`` is the latest one that the object does not show yet, if there is one. ``link`` leads to
    all events, and is empty for who may not see them.
    """

    entries: list[Entry]
    news: Entry | None
    link: str
    is_cut: bool


def story_of(row: Mirror, page: ReadOnly) -> Story:
    """The story of a mirror's row, for who reads that page. It takes one query."""
    entity = _ENTITIES[type(row)]
    events = WebhookEvent.with_pruned.filter(
        account=row.account, entity=entity, object_id=row.altoviz_id
    )
    # One more than is told says that there are more.
    last = list(events.defer("body", "arrival", "history").order_by("-pk")[: MOST_TOLD + 1])
    news = next((event for event in last if _is_news(event, row)), None)
    return Story(
        entries=[_entry(event, page) for event in last[:MOST_TOLD]],
        news=None if news is None else _entry(news, page),
        link=page.link_to_events(entity, row.altoviz_id, row.account),
        is_cut=len(last) > MOST_TOLD,
    )


def _is_news(event: WebhookEvent, row: Mirror) -> bool:
    """One that was mirrored and failed at a receiver is shown all the same."""
    is_mirrored = event.mirrored_at is not None or event.pk <= row.last_event_id
    return event.status in _NOT_SHOWN and not is_mirrored


def _entry(event: WebhookEvent, page: ReadOnly) -> Entry:
    may_view = page.may_view(WebhookEvent)
    return Entry(
        at=moment(event.received_at),
        what=kind(event),
        business_signals=business_signals_in_words(event.business_signals),
        changes=changes_of(event),
        source=event.get_source_display(),
        state=state(event),
        reason=reason(event) if may_view else "",
        link=page.link(WebhookEvent, "change", f"#{event.pk}", event.pk) if may_view else "",
        is_wrong=event.status in _GONE_WRONG,
        is_creation=event.type.endswith("Created"),
        is_mirrored=event.mirrored_at is not None,
        is_pruned=event.pruned_at is not None,
    )
