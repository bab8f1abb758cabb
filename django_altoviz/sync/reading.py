"""Read a list page by page until it is complete.

Altoviz's lists have no order, and rows move between pages while they are read [observed]. A list is
read again if it became shorter meanwhile, because the rows after the gap move to pages that were
read already. It is also read again if fewer objects were seen than Altoviz says there are. The ids
that were read are stored with the run, both for this and to resume after an interruption.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from django_altoviz.client.resources import Resource
from django_altoviz.client.responses import Page
from django_altoviz.exceptions import IncompleteList
from django_altoviz.intake.envelopes import object_id_of
from django_altoviz.models import SyncRun, SyncStep
from django_altoviz.sync.comparing import Objects, RemoteObject, newest_event

_MAX_PASSES = 3
# A batch has this many pages, or fewer if they are long, so that it fits into memory. An interruption
# loses one batch at most.
_PAGES = 5
_CHARACTERS = 2_000_000


@dataclass(frozen=True)
class ListPosition:
    """A position in a list.

    ``rows`` counts the distinct rows of this pass. ``records`` is the length of the list according
    to Altoviz, ``None`` if Altoviz does not say.
    """

    pass_number: int = 1
    page: int = 0
    rows: int = 0
    records: int | None = None
    got_shorter: bool = False
    ended: bool = False

    @property
    def is_complete(self) -> bool:
        return self.ended and not self.got_shorter and self.rows >= (self.records or 0)

    def after(self, page: Page) -> ListPosition:
        got_shorter = (page.record_count or 0) < (self.records or 0)
        return replace(
            self,
            page=self.page + 1,
            records=page.record_count,
            got_shorter=self.got_shorter or got_shorter,
            ended=page.is_last(self.page + 1),
        )


@dataclass
class Batch:
    """The objects of some pages.

    ``position`` is where the list goes on, ``as_of`` the last event that was stored before the pages
    were read. ``without_id`` are objects whose id is missing or can't be an id.
    """

    is_first: bool
    position: ListPosition
    as_of: int
    objects: Objects
    raw: dict[int, str]
    without_id: list[RemoteObject]
    new_in_pass: Collection[int] = ()


def read_list(run: SyncRun, resource: Resource) -> Iterator[Batch]:
    """Read the list from the run's position on. The caller must save each batch before the next.

    A list that keeps changing is given up after three passes. Objects that all passes have missed
    are looked up if the mirror has them; the next sync finds the others.

    Raises:
        IncompleteList: all passes together had fewer objects than Altoviz says there are.
    """
    while not (position := ListPosition(**run.position)).is_complete:
        if position.ended and position.pass_number == _MAX_PASSES:
            if run.seen >= (position.records or 0):
                return
            raise IncompleteList(
                f"{resource.path}: {run.seen} objects were read, but Altoviz says that there are "
                f"{position.records}. Nothing was marked as deleted. Try again later."
            )
        if position.ended:
            position = ListPosition(pass_number=position.pass_number + 1)
        yield _read_batch(run, resource, position)


def _read_batch(run: SyncRun, resource: Resource, position: ListPosition) -> Batch:
    as_of = newest_event(run._state.db)
    after, rows = _read_pages(resource, position)
    objects, raw, without_id = by_id(rows)
    return Batch(
        is_first=position == ListPosition(),
        position=after,
        as_of=as_of,
        objects=objects,
        raw=raw,
        without_id=without_id,
    )


def _read_pages(
    resource: Resource, position: ListPosition
) -> tuple[ListPosition, list[tuple[RemoteObject, str]]]:
    """Return the rows of the next pages, each with its raw JSON, and the position after them."""
    rows: list[tuple[RemoteObject, str]] = []
    for _ in range(_PAGES):
        page = resource.page(position.page + 1)
        rows += zip(page.rows, page.raw_rows, strict=True)
        position = position.after(page)
        if position.ended or sum(len(text) for _row, text in rows) > _CHARACTERS:
            break
    return position, rows


def by_id(
    rows: Iterable[tuple[RemoteObject, str]],
) -> tuple[Objects, dict[int, str], list[RemoteObject]]:
    """Return the objects and their raw JSON by id, and the objects that have no valid id."""
    objects, raw, without_id = {}, {}, []
    for object, text in rows:
        id = object_id_of(object)
        if id is None:
            without_id.append(object)
        else:
            objects[id], raw[id] = object, text
    return objects, raw, without_id


def drop_seen(run: SyncRun, resource: Resource, batch: Batch) -> None:
    """Remove from the batch what an earlier batch of the run had.

    Raises:
        IncompleteList: the batch has nothing new and does not end the list. Altoviz may repeat the
            same pages for ever.
    """
    number = batch.position.pass_number
    seen = seen_in_pass = SyncStep.seen(run, batch.objects)
    if number > 1:
        seen_in_pass = SyncStep.seen(run, batch.objects, pass_number=number)
    batch.new_in_pass = batch.objects.keys() - seen_in_pass
    if not (batch.new_in_pass or batch.position.ended):
        raise IncompleteList(
            f"{resource.path}: the list goes on, but its pages up to {batch.position.page} have "
            "nothing new. Nothing was marked as deleted. Try again later."
        )
    rows = batch.position.rows + len(batch.new_in_pass) + len(batch.without_id)
    batch.position = replace(batch.position, rows=rows)
    batch.objects = {id: object for id, object in batch.objects.items() if id not in seen}
    if number > 1:
        # Without an id they can't be recognised, so only the first pass counts them.
        batch.without_id = []
