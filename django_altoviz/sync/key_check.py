"""Check that the API key belongs to the company whose objects the mirror has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TypeAlias

from django_altoviz.client import AltovizClient
from django_altoviz.event_types import Entity
from django_altoviz.exceptions import AllGone
from django_altoviz.models import MIRRORS
from django_altoviz.sync.reconciling import Reconciler, read

#: An object that a key is tried on: its kind and its Altoviz id.
Probe: TypeAlias = tuple[Entity, int]
# The number of objects of one kind that are looked up.
_PROBES = 5
# A company may delete all of a few objects. That it deleted this many is not believed.
_SUSPICIOUS = 10


def check_key(reconciler: Reconciler, ids: Collection[int]) -> None:
    """Check the API key with the first ids of a list, before anything from the list is applied.

    One object that the mirror has and the key can read proves that the key is right, because two
    companies never share an id [inferred]. If the mirror has no object of this kind, there is
    nothing to check.

    Raises:
        AllGone: the mirror has objects of this kind, and neither the list nor the lookups have any
            of them.
    """
    run = reconciler.run
    known = reconciler.model.with_deleted.using(reconciler.using).filter(account=run.account)
    if known.filter(altoviz_id__in=[*ids]).exists():
        return
    number = reconciler.live().count()
    # With few objects of this kind, an object of another kind proves the key as well.
    others = [each for each in MIRRORS if each != run.entity] if number < _SUSPICIOUS else []
    kinds = [Entity(run.entity), *others]
    probes = newest_objects(run.account, kinds, reconciler.using, _PROBES)
    if not number or can_read_any(reconciler.client, probes):
        return
    raise AllGone(
        f"Altoviz has none of the {number} {run.entity}s that the mirror has. Nothing was applied "
        "or marked as deleted, because the API_KEY may be another company's."
    )


def newest_objects(
    account: str, kinds: Iterable[Entity], using: str | None, number: int = 1
) -> Iterator[Probe]:
    """Yield the newest mirrored objects of each kind, at most ``number``, as look-ups need them."""
    for entity in kinds:
        live = MIRRORS[entity].objects.using(using).filter(account=account)
        ids = live.order_by("-altoviz_id").values_list("altoviz_id", flat=True)[:number]
        yield from ((entity, id) for id in ids)


def can_read_any(client: AltovizClient, probes: Iterable[Probe]) -> bool:
    """Return True if the key can read one of the objects."""
    return any(read(client.resource(entity), id) is not None for entity, id in probes)
