"""A list is read page by page, until all of it was seen.

Altoviz's lists have no order, and rows move between pages while they are read [observed]. So a list
is read again where it got shorter meanwhile, which moves others to pages that were read already, or
where not as many objects were seen as Altoviz says there are. The ids that were read are kept with the run, for that and for going on after
an interruption.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace

from django_altoviz.client.resources import Resource
from django_altoviz.client.responses import Page
from django_altoviz.exceptions import IncompleteList
from django_altoviz.models import SyncRun, SyncStep
from django_altoviz.sync.comparing import Object, Objects, by_id, newest_event
from django_altoviz.sync.key_check import refuse_strangers
from django_altoviz.sync.progress import Watcher
from django_altoviz.sync.reconciling import UNREADABLE, Action, Counts, Reconciler

_PASSES = 3
# Read and written in one step, unless they are long. What an interruption loses is a step at most.
_PAGES = 5
_CHARACTERS = 2_000_000


@dataclass(frozen=True)
class Position:
    """How far a list was read. ``rows`` of this pass are different ones; ``records`` are what
    Altoviz says there are, ``None`` where it does not."""

    pass_number: int = 1
    page: int = 0
    rows: int = 0
    records: int | None = None
    got_shorter: bool = False
    ended: bool = False

    @property
    def is_complete(self) -> bool:
        return self.ended and not self.got_shorter and self.rows >= (self.records or 0)

    def after(self, page: Page) -> Position:
        got_shorter = (page.record_count or 0) < (self.records or 0)
        return replace(
            self,
            page=self.page + 1,
            records=page.record_count,
            got_shorter=self.got_shorter or got_shorter,
            ended=page.is_last(self.page + 1),
        )


def read_list(reconciler: Reconciler, watcher: Watcher) -> None:
    """Read all of the list, and bring it in.

    A list that goes on changing is left after some passes: what they have all missed and the mirror
    has is looked up, and what it does not have the next sync finds.

    Raises:
        IncompleteList: not even all passes together had as many objects as Altoviz speaks of, or
            it shows the same pages again and again.
    """
    run = reconciler.run
    position = Position(**run.position)
    while not position.is_complete:
        if position.ended and position.pass_number == _PASSES:
            if run.seen >= (position.records or 0):
                return
            raise IncompleteList(
                f"{reconciler.resource.path}: {run.seen} objects were read, and Altoviz speaks of "
                f"{position.records}. Nothing was marked as deleted. Try again later."
            )
        if position.ended:
            position = Position(pass_number=position.pass_number + 1)
        position = _step(reconciler, position)
        watcher.progressed(run)


def _step(reconciler: Reconciler, position: Position) -> Position:
    """Read some pages, and bring in what was not read before."""
    run = reconciler.run
    as_of = newest_event(run._state.db)
    after, rows = _read_pages(reconciler.resource, position)
    objects, texts, nameless = by_id(rows)
    if position == Position():
        refuse_strangers(reconciler, objects)
    seen = SyncStep.seen(run, objects)
    seen_in_pass = seen
    if position.pass_number > 1:
        seen_in_pass = SyncStep.seen(run, objects, pass_number=position.pass_number)
    new_in_pass = objects.keys() - seen_in_pass
    if not (new_in_pass or after.ended):
        raise IncompleteList(
            f"{reconciler.resource.path}: the list goes on, and its pages up to {after.page} have "
            "nothing new. Nothing was marked as deleted. Try again later."
        )
    after = replace(after, rows=position.rows + len(new_in_pass) + len(nameless))
    fresh = {id: object for id, object in objects.items() if id not in seen}
    counts: Counts = Counts(seen=len(fresh))
    if position.pass_number == 1:
        counts += _tell_nameless(reconciler, nameless, as_of)
    counts += _complete(reconciler, fresh, texts)

    def record(brought: Counts) -> None:
        _record(run, after, counts + brought, new_in_pass)

    reconciler.bring(fresh, texts, as_of, record)
    return after


def _read_pages(
    resource: Resource, position: Position
) -> tuple[Position, list[tuple[Object, str]]]:
    """The next pages' rows, each with the text that it was read from."""
    rows: list[tuple[Object, str]] = []
    for _ in range(_PAGES):
        page = resource.page(position.page + 1)
        rows += zip(page.rows, page.raw_rows, strict=True)
        position = position.after(page)
        if position.ended or sum(len(text) for _row, text in rows) > _CHARACTERS:
            break
    return position, rows


def _tell_nameless(reconciler: Reconciler, objects: list[Object], as_of: int) -> Counts:
    """What has no proper id can't be mirrored; as an event that fails it can at least be seen."""
    counts = Counts(seen=len(objects))
    for object in objects:
        counts[reconciler.tell(Action.CREATED, object, as_of) or "failed"] += 1
    return counts


def _complete(reconciler: Reconciler, objects: Objects, texts: dict[int, str]) -> Counts:
    """Read singly what the list does not show whole, and take out what is gone or unreadable."""
    counts: Counts = Counts()
    for id in [id for id, object in objects.items() if reconciler.lacks_lines(object)]:
        del texts[id]
        try:
            whole = reconciler.get(id)
        except UNREADABLE as error:
            counts += reconciler.count_unreadable(id, error)
            del objects[id]
            continue
        if whole is None:
            counts += reconciler.read_again(id)
            del objects[id]
        else:
            objects[id] = whole
    return counts


def _record(run: SyncRun, position: Position, counts: Counts, ids: Collection[int]) -> None:
    """Keep how far the list was read, in the transaction in which new rows are filled in."""
    if ids:
        SyncStep.of(run, position.pass_number, ids).save(using=run._state.db)
    run.add(counts, position=asdict(position))
