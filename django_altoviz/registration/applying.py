"""Look, plan, act, confirm.

It can be done at any time, again, and by several at once. What Altoviz lists lags behind by some
seconds, and what was just deleted may show once more [observed].
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django_altoviz.client.resources import Webhooks
from django_altoviz.event_types import EventType
from django_altoviz.exceptions import NotConfirmed, NotFound, StoredOtherwise
from django_altoviz.registration import endpoints
from django_altoviz.registration.planning import (
    NAME,
    TYPES,
    URL,
    Registered,
    Wanted,
    delivers_to,
    differences,
    id_of,
    plan,
)

#: The seconds before each further look at the list.
PAUSES = (0.5, 1.0, *[2.0] * 11)
# So many looks in a row must show the same: one may be a ghost. Together they outlast the lag.
_STEADY = 3
_UNSEEN = (
    "Altoviz's list does not show the webhook as it should be, or went on changing. Nothing is "
    "removed before its successor is listed, and to run this again is safe."
)


@dataclass(frozen=True)
class Outcome:
    kept: Registered
    created: bool
    removed: tuple[int, ...]
    doubtful: tuple[Registered, ...]


class _Looks:
    """Looks at the list, of which some have to show the same before that is believed."""

    def __init__(self) -> None:
        self._last: object = None
        self._number = 0

    def show(self, what: object) -> bool:
        """Take note of what a look shows, and say whether it is to be believed."""
        self._number = self._number + 1 if what == self._last else 1
        self._last = what
        return self._number >= _STEADY


def register(
    webhooks: Webhooks,
    wanted: Wanted,
    *,
    replace: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """See to it that exactly one webhook of ours is there, and is as wanted.

    The new one is created and seen before another is removed. Of several right ones the one with
    the highest id stays, so that two who do this at once agree. With ``replace`` a new one is
    created in any case. That there is nothing to do is confirmed too.

    Raises:
        StoredOtherwise: Altoviz lists the new one, and not as it was sent.
        NotConfirmed: the list did not show that it is so. To run it again is safe.
    """
    rows = webhooks.all()
    known = frozenset(map(id_of, rows))
    distrusted = known if replace else frozenset()
    now = plan(rows, wanted, distrusted=distrusted)
    removed: list[int] = []
    looks, created, is_steady = _Looks(), False, False
    for pause in PAUSES:
        if now.create and not created:
            _create(webhooks, wanted)
            created = True
        # What was there before is a successor only if it is no ghost.
        elif now.keep and (now.keep.id not in known or is_steady):
            removed += [_remove(webhooks, old.id) for old in now.remove]
        sleep(pause)
        rows = webhooks.all()
        living = [row for row in rows if id_of(row) not in removed]
        now = plan(living, wanted, distrusted=distrusted, known=known)
        is_steady = looks.show((now.keep, now.remove, len(rows) - len(living)))
        if is_steady and now.keep and now.is_done and len(rows) == len(living):
            return Outcome(now.keep, created, tuple(removed), now.doubtful)
    if created:
        _refuse_strange(webhooks, living, wanted, known)
    raise NotConfirmed(_UNSEEN)


def _refuse_strange(
    webhooks: Webhooks, rows: Iterable[Mapping[str, Any]], wanted: Wanted, known: Collection[int]
) -> None:
    """Fail where what was created is listed, and not as it was sent.

    Each further run would leave one more. So what was there before stays, or else the first one.
    """
    ours = [each for each in map(Registered.read, rows) if each.id and _resembles(each, wanted)]
    strange = [each for each in ours if each.id not in known and _altered(each, wanted)]
    if not strange:
        return
    left = min(ours, key=lambda each: (each.id not in known, each.id))
    for each in strange:
        if each.id != left.id:
            _remove(webhooks, each.id)
    raise StoredOtherwise(
        f"Altoviz lists the new webhook otherwise than it was sent: {_altered(strange[0], wanted)}. "
        f"Webhook {left.id} is left. Ask for what Altoviz keeps; to run this again changes nothing."
    )


def _resembles(webhook: Registered, wanted: Wanted) -> bool:
    """Whether what has come since can hardly be anybody else's."""
    if delivers_to(webhook, wanted.url):
        return True
    is_near = endpoints.host(webhook.url) == endpoints.host(wanted.url)
    return is_near and webhook.name.strip() == wanted.name.strip()


def _altered(webhook: Registered, wanted: Wanted) -> str:
    """What Altoviz shows of a new webhook instead of what it was sent, or ""."""
    types = {type.value for type in wanted.types}
    values: dict[str, tuple[object, object]] = {
        URL: (webhook.url, wanted.url),
        TYPES: (sorted(webhook.types - types), sorted(types - webhook.types)),
        NAME: (webhook.name, wanted.name),
    }
    found = [name for name in differences(webhook, wanted) if name in values]
    return "; ".join(
        f"{name}: {values[name][0]!r} instead of {values[name][1]!r}" for name in found
    )


def unregister(
    webhooks: Webhooks, ids: Collection[int], *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Remove the webhooks of those ids; one that is not there (any more) is as good as removed.

    Raises:
        NotConfirmed: the list went on showing one of them.
    """
    if not ids:
        return
    for id in ids:
        _remove(webhooks, id)
    looks = _Looks()
    for pause in PAUSES:
        sleep(pause)
        left = {id_of(row) for row in webhooks.all()} & {*ids}
        if looks.show(left) and not left:
            return
    raise NotConfirmed("Altoviz's list still shows what was removed. To run this again is safe.")


def _create(webhooks: Webhooks, wanted: Wanted) -> None:
    """What Altoviz answers is of no use: its id is 0 [observed]."""
    webhooks.register(
        name=wanted.name,
        url=wanted.url,
        types=[type for type in EventType if type in wanted.types],
        secret_key=wanted.secret,
    )


def _remove(webhooks: Webhooks, id: int) -> int:
    """By its id in any case: by the URL, its successor would go as well."""
    with suppress(NotFound):  # it was a ghost, or somebody else has removed it
        webhooks.unregister(id=id)
    return id
