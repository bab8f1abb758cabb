"""Register and unregister webhooks: look, plan, act, confirm.

Both functions are idempotent and safe to run concurrently. Altoviz's list is eventually consistent:
it lags by some seconds, so it may miss a new webhook and still show a deleted one [observed].
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from django_altoviz.client.resources import WebhookResource
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
    has_name,
    id_of,
    plan,
)

#: The pause in seconds before each further look at the list.
PAUSES = (0.5, 1.0, *[2.0] * 11)
# Trust the list only after this many identical looks, because a single one may show a deleted
# webhook. The pauses between them add up to more than the list lags.
_STABLE_LOOKS = 3


@dataclass(frozen=True)
class RegistrationResult:
    kept: Registered
    created: bool
    removed: tuple[int, ...]
    left: tuple[Registered, ...]


def register(
    webhooks: WebhookResource,
    wanted: Wanted,
    *,
    replace: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> RegistrationResult:
    """Make sure that exactly one webhook of ours is registered, and that it is as wanted.

    Creates a webhook and sees it listed before it removes another. If several are right, keeps the
    one with the highest id, so that concurrent runs agree. With ``replace``, creates a new webhook
    even if one is right. Confirms the result also if there is nothing to do.

    Raises:
        StoredOtherwise: Altoviz lists the new webhook with other values than it was sent.
        NotConfirmed: the list did not show the wanted state in time. It is safe to run this again.
    """
    registration = _Registration(webhooks, wanted, replace=replace)
    for pause in PAUSES:
        registration.act()
        sleep(pause)
        registration.look()
        if result := registration.confirm():
            return result
    registration.check_stored_values()
    raise NotConfirmed(
        "Altoviz's list does not show the wanted webhook, or kept changing. Nothing is removed "
        "before its replacement is listed, so it is safe to run this again."
    )


def unregister(
    webhooks: WebhookResource,
    ids: Collection[int],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Remove the webhooks with those ids. Ids that Altoviz does not have count as removed.

    Raises:
        NotConfirmed: the list still shows some of them.
    """
    if not ids:
        return
    for id in ids:
        _remove(webhooks, id)
    stability = _Stability()
    for pause in PAUSES:
        sleep(pause)
        still_listed = {id_of(row) for row in webhooks.all()} & {*ids}
        if stability.is_stable(still_listed) and not still_listed:
            return
    raise NotConfirmed(
        "Altoviz's list still shows webhooks that were removed. It is safe to run this again."
    )


class _Registration:
    """The state of a call of ``register``: what was listed at first, what is now, what was done."""

    def __init__(self, webhooks: WebhookResource, wanted: Wanted, *, replace: bool) -> None:
        self._webhooks, self._wanted = webhooks, wanted
        self._created = False
        self._removed: list[int] = []
        self._stability = _Stability()
        self._is_stable = False
        self._rows = webhooks.all()
        self._removed_but_listed = 0
        self._ids_before = frozenset(map(id_of, self._rows))
        self._replace = self._ids_before if replace else frozenset()
        self._plan = plan(self._rows, wanted, replace=self._replace)

    def act(self) -> None:
        """Take the next step of the plan: create the wanted webhook, or remove the others."""
        if self._plan.create and not self._created:
            _create(self._webhooks, self._wanted)
            self._created = True
        elif self._plan.keep and self._may_replace_others(self._plan.keep):
            self._removed += [_remove(self._webhooks, other.id) for other in self._plan.remove]

    def _may_replace_others(self, webhook: Registered) -> bool:
        # A webhook that appeared during this run exists. One that was listed from the start may have
        # been deleted and still be listed, so wait until several looks agree.
        return webhook.id not in self._ids_before or self._is_stable

    def look(self) -> None:
        """Read the list again and update the plan, ignoring what this run has removed."""
        rows = self._webhooks.all()
        self._rows = [row for row in rows if id_of(row) not in self._removed]
        self._removed_but_listed = len(rows) - len(self._rows)
        self._plan = plan(
            self._rows, self._wanted, replace=self._replace, ids_before=self._ids_before
        )
        self._is_stable = self._stability.is_stable(
            (self._plan.keep, self._plan.remove, self._removed_but_listed)
        )

    def confirm(self) -> RegistrationResult | None:
        """Return the result if several looks agree that there is nothing left to do."""
        keep = self._plan.keep
        if keep is None or not self._plan.is_done or self._removed_but_listed:
            return None
        if not self._is_stable:
            return None
        return RegistrationResult(keep, self._created, tuple(self._removed), self._plan.leave)

    def check_stored_values(self) -> None:
        """Raise ``StoredOtherwise`` if the webhook that this run created is listed differently.

        Otherwise each further run would create another such webhook. Keep the oldest webhook of
        ours, preferably one from before this run, and remove the altered ones.
        """
        if not self._created:
            return
        ours = [webhook for webhook in map(Registered.read, self._rows) if self._resembles(webhook)]
        altered = {
            webhook.id: changes
            for webhook in ours
            if webhook.id not in self._ids_before and (changes := _changes(webhook, self._wanted))
        }
        if not altered:
            return
        kept = min(ours, key=lambda webhook: (webhook.id not in self._ids_before, webhook.id))
        for id in altered:
            if id != kept.id:
                _remove(self._webhooks, id)
        raise StoredOtherwise(
            f"Altoviz stored the new webhook differently from what it was sent: "
            f"{next(iter(altered.values()))}. Webhook {kept.id} is left. Running this again changes "
            "nothing: ask for the values that Altoviz stores."
        )

    def _resembles(self, webhook: Registered) -> bool:
        """Return True if a webhook is almost certainly ours, even if Altoviz altered it."""
        if not webhook.id:
            return False
        if delivers_to(webhook, self._wanted.url):
            return True
        is_same_host = endpoints.host(webhook.url) == endpoints.host(self._wanted.url)
        return is_same_host and has_name(webhook, self._wanted.name)


class _Stability:
    """Counter of the looks in a row at which the list showed the same."""

    def __init__(self) -> None:
        self._last: object = None
        self._count = 0

    def is_stable(self, view: object) -> bool:
        """Count a view of the list. Return True if enough views in a row were equal to it."""
        self._count = self._count + 1 if view == self._last else 1
        self._last = view
        return self._count >= _STABLE_LOOKS


def _changes(webhook: Registered, wanted: Wanted) -> str:
    """Describe what Altoviz lists instead of the values that it was sent. "" if nothing differs."""
    types = {type.value for type in wanted.types}
    values: dict[str, tuple[object, object]] = {
        URL: (webhook.url, wanted.url),
        TYPES: (sorted(webhook.types - types), sorted(types - webhook.types)),
        NAME: (webhook.name, wanted.name),
    }
    changed = [name for name in differences(webhook, wanted) if name in values]
    return "; ".join(
        f"{name}: {values[name][0]!r} instead of {values[name][1]!r}" for name in changed
    )


def _create(webhooks: WebhookResource, wanted: Wanted) -> None:
    # Altoviz's answer is of no use, because the id in it is 0 [observed].
    webhooks.register(
        name=wanted.name,
        url=wanted.url,
        types=[type for type in EventType if type in wanted.types],
        secret_key=wanted.secret,
    )


def _remove(webhooks: WebhookResource, id: int) -> int:
    """Remove a webhook by its id. Removing by URL would remove its replacement too."""
    with suppress(NotFound):  # already deleted and still listed, or removed by another run
        webhooks.unregister(id=id)
    return id
