"""The plan: compare the registered webhooks with the wanted one and decide what to do. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django_altoviz.conf import Account
from django_altoviz.event_types import SENT_TYPES, EventType
from django_altoviz.registration import endpoints

_MASK_CHARACTERS = "*•●·…"
#: The fields that can differ, by Altoviz's names.
URL, TYPES, NAME, SECRET = "url", "types", "name", "secretKey"


@dataclass(frozen=True)
class Wanted:
    """The webhook as it should be."""

    name: str
    url: str
    types: frozenset[EventType]
    secret: str = field(repr=False)

    @classmethod
    def by(
        cls,
        account: Account,
        *,
        url: str | None = None,
        name: str | None = None,
        types: Iterable[EventType] = SENT_TYPES,
    ) -> Wanted:
        """Return the webhook that the account's settings ask for, except for what is given here."""
        return cls(
            name=name or default_name(account.name),
            url=account.webhook_url if url is None else url,
            types=frozenset(types),
            # The first secret is the current one. Others are accepted during a rotation.
            secret=next(iter(account.webhook_secrets), ""),
        )


@dataclass(frozen=True)
class Registered:
    """A webhook as Altoviz lists it. ``id`` is 0 if the listed id is not a positive integer."""

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
    """The steps to exactly one right webhook of ours: keep or create it, then remove the others.

    ``leave`` has the webhooks with our name at another URL. They may belong to another project, so
    they are reported and not touched.
    """

    keep: Registered | None
    remove: tuple[Registered, ...]
    leave: tuple[Registered, ...]

    @property
    def create(self) -> bool:
        return self.keep is None

    @property
    def is_done(self) -> bool:
        """Return True if there is nothing to do."""
        return not self.create and not self.remove


def default_name(account: str) -> str:
    """Return the name that the app gives to an account's webhook by default."""
    return f"django-altoviz ({account})"


def id_of(row: Mapping[str, Any]) -> int:
    value = row.get("id")
    return value if isinstance(value, int) and value is not True and value > 0 else 0


def delivers_to(webhook: Registered, url: str) -> bool:
    return bool(url) and endpoints.normalise(webhook.url) == endpoints.normalise(url)


def is_ours(webhook: Registered, *, name: str, url: str) -> bool:
    """Return True if the webhook delivers to ``url``, or is an earlier version of that webhook.

    An earlier version has the same name, and a URL under which the same project includes the app.
    """
    if delivers_to(webhook, url):
        return True
    project = endpoints.project_root(url)
    is_same_project = project is not None and endpoints.project_root(webhook.url) == project
    return is_same_project and has_name(webhook, name)


def has_name(webhook: Registered, name: str) -> bool:
    return webhook.name.strip() == name.strip()


def differences(webhook: Registered, wanted: Wanted) -> list[str]:
    """Return the fields that differ. A secret that Altoviz hides does not count as different."""
    differs = {
        URL: not delivers_to(webhook, wanted.url),
        TYPES: webhook.types != {type.value for type in wanted.types},
        NAME: not has_name(webhook, wanted.name),
        SECRET: has_secret(webhook, wanted.secret) is False,
    }
    return [name for name, is_different in differs.items() if is_different]


def has_secret(webhook: Registered, secret: str) -> bool | None:
    """Return True if the webhook has the secret, ``None`` if Altoviz hides it.

    Nobody knows yet whether Altoviz lists secrets in clear text, masked or not at all.
    """
    listed = webhook.secret
    if listed == secret:
        return True
    is_masked = any(mask in listed for mask in _MASK_CHARACTERS) or set(listed.lower()) == {"x"}
    # Some APIs list only the beginning or the end of a secret.
    is_part = secret.startswith(listed) or secret.endswith(listed)
    return None if is_masked or is_part else False


def plan(
    registered: Iterable[Mapping[str, Any]],
    wanted: Wanted,
    *,
    replace: Collection[int] = (),
    ids_before: Collection[int] | None = None,
) -> Plan:
    """Return the plan for the webhooks that Altoviz lists.

    Webhooks with an id in ``replace`` are never kept. With ``ids_before``, other ids are taken for
    webhooks that were created since with the wanted secret. Their secret is not compared, because
    Altoviz may list it in another form.
    """

    def is_right(webhook: Registered) -> bool:
        if webhook.id in replace:
            return False
        is_new = ids_before is not None and webhook.id not in ids_before
        return not {*differences(webhook, wanted)} - ({SECRET} if is_new else set())

    def belongs_to_us(webhook: Registered) -> bool:
        return is_ours(webhook, name=wanted.name, url=wanted.url)

    webhooks = [Registered.read(row) for row in registered]
    # Without an id a webhook can't be removed, so it is only reported.
    ours = {webhook.id: webhook for webhook in webhooks if webhook.id and belongs_to_us(webhook)}
    # The highest id, so that concurrent runs keep the same webhook.
    keep = max(filter(is_right, ours.values()), key=lambda webhook: webhook.id, default=None)
    return Plan(
        keep=keep,
        remove=tuple(ours[id] for id in sorted(ours) if keep is None or id != keep.id),
        leave=tuple(
            webhook
            for webhook in webhooks
            if webhook.id not in ours and (has_name(webhook, wanted.name) or belongs_to_us(webhook))
        ),
    )


def compare_webhook(webhook: Registered, wanted: Wanted) -> dict[str, Any]:
    """Return the findings on a webhook. Only webhooks of this app are searched for differences."""
    ours = is_ours(webhook, name=wanted.name, url=wanted.url)
    differs = differences(webhook, wanted) if ours else []
    return {
        "ours": ours,
        "right": ours and not differs,
        "differs": differs,
        "secret_compared": has_secret(webhook, wanted.secret) is not None,
    }


def webhook_as_json(webhook: Registered) -> dict[str, Any]:
    """Return what Altoviz lists, without the secret."""
    return {
        "id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "types": sorted(webhook.types),
    }
