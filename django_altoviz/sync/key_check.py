"""Whether the API key is that of the company whose objects the mirror has."""

from __future__ import annotations

from collections.abc import Collection

from django_altoviz.event_types import Entity
from django_altoviz.exceptions import AllGone
from django_altoviz.models import MIRRORS
from django_altoviz.sync.reconciling import Reconciler, read

# So many objects of a kind are looked up to find out.
_PROBES = 5
# That so many objects are gone, all of them, is not believed of a company whose key is right either.
_SUSPICIOUS = 10


def refuse_strangers(reconciler: Reconciler, ids: Collection[int]) -> None:
    """Judge the key by the ids that a list begins with, before anything of it is brought in.

    One object that the mirror has and the key can read proves that the key is right, for no two
    companies share an id [inferred]. Of a kind that the mirror does not have nothing can be said.

    Raises:
        AllGone: the list begins with none, and neither is one of those there that were looked up.
    """
    run = reconciler.run
    known = reconciler.model.with_deleted.using(reconciler.using).filter(account=run.account)
    if reconciler.all_gone or known.filter(altoviz_id__in=[*ids]).exists():
        return
    number = reconciler.live().count()
    # A company may have deleted all of a few: then what it has of other kinds tells.
    others = [each for each in MIRRORS if each != run.entity] if number < _SUSPICIOUS else []
    kinds = [Entity(run.entity), *others]
    if not number or any(_is_any_there(reconciler, entity) for entity in kinds):
        return
    raise AllGone(
        f"None of the {number} {run.entity}s that the mirror has was found at Altoviz. Nothing was "
        "brought in or marked as deleted, for the API_KEY may be another company's."
    )


def _is_any_there(reconciler: Reconciler, entity: Entity) -> bool:
    """Whether the key can read one of the youngest objects of the kind that the mirror has."""
    live = MIRRORS[entity].objects.using(reconciler.using).filter(account=reconciler.run.account)
    ids = live.order_by("-altoviz_id").values_list("altoviz_id", flat=True)[:_PROBES]
    resource = reconciler.client.resource(entity)
    return any(read(resource, id) is not None for id in ids)
