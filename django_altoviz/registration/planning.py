"""What is registered, held against what is wanted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django_altoviz.event_types import EventType
from django_altoviz.registration import endpoints

_MASKS = "*•●·…"
#: What can differ, by the name of Altoviz's field.
URL, TYPES, NAME, SECRET = "url", "types", "name", "secretKey"


@dataclass(frozen=True)
class Wanted:
    """The webhook as it should be."""

    name: str
    url: str
    types: frozenset[EventType]
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Registered:
    """A webhook as Altoviz lists it. ``id`` is 0 where none can be read."""

    id: int
    name: str
    url: str
    types: frozenset[str]
    secret: str = field(repr=False)

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Registered:
        types = row.get("types")
        return cls(
            id=id_of(row),
            name=str(row.get("name") or ""),
            url=str(row.get("url") or ""),
            types=frozenset(map(str, types) if isinstance(types, list) else ()),
            secret=str(row.get("secretKey") or ""),
        )


@dataclass(frozen=True)
class Plan:
    """``keep`` the one that is right, or else ``create`` it; then ``remove`` ours that are not.

    ``doubtful`` have the name of ours at another place: they may be another project's, and stay.
    """

    keep: Registered | None
    remove: tuple[Registered, ...]
    doubtful: tuple[Registered, ...]

    @property
    def create(self) -> bool:
        return self.keep is None

    @property
    def is_done(self) -> bool:
        return not self.create and not self.remove


def default_name(account: str) -> str:
    """How the app calls the webhook of an account, unless told otherwise."""
    return f"django-altoviz ({account})"


def id_of(row: Mapping[str, Any]) -> int:
    value = row.get("id")
    return value if isinstance(value, int) and value is not True and value > 0 else 0


def delivers_to(webhook: Registered, url: str) -> bool:
    return bool(url) and endpoints.normalised(webhook.url) == endpoints.normalised(url)


def is_ours(webhook: Registered, *, name: str, url: str) -> bool:
    """Whether it delivers to the URL, or is a former one: of the same name, at the same place."""
    if delivers_to(webhook, url):
        return True
    place = endpoints.place(url)
    is_at_home = place is not None and endpoints.place(webhook.url) == place
    return is_at_home and webhook.name.strip() == name.strip()


def differences(webhook: Registered, wanted: Wanted) -> list[str]:
    """What is known to be other than wanted. A secret that is not shown in clear is not known."""
    found = {
        URL: not delivers_to(webhook, wanted.url),
        TYPES: webhook.types != {type.value for type in wanted.types},
        NAME: webhook.name.strip() != wanted.name.strip(),
        SECRET: has_secret(webhook, wanted.secret) is False,
    }
    return [name for name, differs in found.items() if differs]


def has_secret(webhook: Registered, secret: str) -> bool | None:
    """Whether it signs with the secret; ``None`` where the list does not tell.

    Whether Altoviz lists secrets in clear, masked or not at all is not known.
    """
    shown = webhook.secret
    if shown == secret:
        return True
    is_masked = any(mask in shown for mask in _MASKS) or set(shown.lower()) == {"x"}
    # Some show the beginning or the end of a secret and no more.
    is_part = secret.startswith(shown) or secret.endswith(shown)
    return None if is_masked or is_part else False


def plan(
    registered: Iterable[Mapping[str, Any]],
    wanted: Wanted,
    *,
    distrusted: Collection[int] = (),
    known: Collection[int] | None = None,
) -> Plan:
    """What there is to do.

    The ids in ``distrusted`` are right in no case. Those that are not among ``known``, if that is
    given, were created since with the wanted secret: whatever the list shows of theirs is that.
    """

    def is_right(webhook: Registered) -> bool:
        if webhook.id in distrusted:
            return False
        is_new = known is not None and webhook.id not in known
        return not {*differences(webhook, wanted)} - ({SECRET} if is_new else set())

    all_of_them = [Registered.read(row) for row in registered]
    at_home = {"name": wanted.name, "url": wanted.url}
    # By id, for it is by their ids that they are removed.
    ours = {each.id: each for each in all_of_them if each.id and is_ours(each, **at_home)}
    keep = max(filter(is_right, ours.values()), key=lambda each: each.id, default=None)
    return Plan(
        keep=keep,
        remove=tuple(ours[id] for id in sorted(ours) if keep is None or id != keep.id),
        doubtful=tuple(
            each
            for each in all_of_them
            if each.id not in ours
            and (each.name.strip() == wanted.name.strip() or is_ours(each, **at_home))
        ),
    )
