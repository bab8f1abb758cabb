"""Look at one kind of object with few requests: what came or went, and what is still open.

Altoviz has no list of recent changes. But a page of a list tells how long the whole list is, and the
steps of a document go one way: a draft becomes final, an open document is settled. So a step changes
the length of one of a few lists, and no other step makes up for it. Only if a length has changed, more
than the first page of each list is read.

What Altoviz's filters mean only decides where to look. What became of an object, it says itself.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any, cast

from django.db.models import Max, Min, Q, QuerySet

from django_altoviz import exact_json
from django_altoviz.client import AltovizClient
from django_altoviz.client.resources import DocumentResource, InvoiceResource
from django_altoviz.client.responses import PAGE_SIZE, Page
from django_altoviz.days import project_date
from django_altoviz.event_types import Entity
from django_altoviz.exceptions import InvalidRequest, ServerError
from django_altoviz.models import Mirror
from django_altoviz.sync.comparing import Objects, newest_event, stored_data
from django_altoviz.sync.key_check import check_key
from django_altoviz.sync.progress import Watcher
from django_altoviz.sync.reading import Batch, ListPosition, by_id
from django_altoviz.sync.reconciling import Counts, Reconciler
from django_altoviz.sync.run import sync

#: What a look leaves for the next one, as JSON.
Memory = dict[str, Any]
#: The lengths of lists according to Altoviz. ``None``: Altoviz does not say.
Lengths = list[int | None]
Filters = dict[str, Any]

# If more open objects than this are in none of the lists of open objects, the filters mean something
# else.
_MOST_STRAYS = 10
# An invoice is usually cancelled by a credit of the same day.
_LATELY = datetime.timedelta(days=3)
_ONE_DAY = datetime.timedelta(days=1)


class Look:
    """A look at the objects of one kind. ``budget`` limits the requests for each of its parts."""

    def __init__(
        self, account: str, entity: Entity, client: AltovizClient, memory: Memory, budget: int
    ) -> None:
        self.reconciler = Reconciler.without_run(account, entity, client)
        self.run, self.client, self.memory, self.budget = (
            self.reconciler.run,
            client,
            memory,
            budget,
        )
        self.run.as_of = newest_event(self.reconciler.using)
        self.resource, self.model = self.reconciler.resource, self.reconciler.model
        self.counts: Counts = Counter()
        self._is_key_checked = False
        self._rows = [self._live(each).count() for each in self._conditions()]
        rows = self.model.with_deleted.using(self.reconciler.using)
        self._written_at = str(rows.aggregate(last=Max("synced_at"))["last"])

    def take(self, watcher: Watcher) -> None:
        """Take the look, and apply each difference as an event.

        Raises:
            APIFailure, SyncTakenOver: as ``sync``.
        """
        first = self._page(self.resource.list_all)
        if first.is_last(1):
            self._look_up(self._ids(Q()) - _ids_in(first))
            return
        lengths = [first.record_count, *self._length_without_hidden()]
        if self.model.OPEN is not None:
            self._look_at_open(lengths, first)
        if self._is_unexplained(lengths):
            self._search(lengths, first, watcher)

    def _page(self, filters: Filters, number: int = 1) -> Page:
        """Read a page of a list, and apply what it shows."""
        as_of = newest_event(self.reconciler.using)
        page = self.resource.page(number, filters)
        # Objects without an id are left to the syncs. A look would make an event of them each time.
        objects, raw, _ = by_id(zip(page.rows, page.raw_rows, strict=True))
        if not self._is_key_checked:
            check_key(self.reconciler, objects)
            self._is_key_checked = True
        batch = Batch(
            is_first=False,
            position=ListPosition(),
            as_of=as_of,
            objects=self._without_known(objects),
            raw=raw,
            without_id=[],
        )
        self.counts += self.reconciler.apply_without_saving(batch)
        return page

    def _without_known(self, objects: Objects) -> Objects:
        """Leave out documents that are listed without lines, and are as in the mirror otherwise.

        To read each of them by its id, as a sync does, would take a round too many requests.
        """
        bare = [id for id, object in objects.items() if self.reconciler.lacks_lines(object)]
        if not bare:
            return objects
        live = self._ids(Q(altoviz_id__in=bare))
        known = {
            id
            for id, data in stored_data(self.run, live)
            if exact_json.same(data | {"lines": None}, objects[id] | {"lines": None})
        }
        return {id: object for id, object in objects.items() if id not in known}

    def _all_pages(self, filters: Filters, first: Page) -> Iterator[Page]:
        """Yield the first page and read the others. End if Altoviz repeats the same page."""
        page, number = first, 1
        yield page
        seen = _ids_in(page)
        while not page.is_last(number):
            number += 1
            page = self._page(filters, number)
            if _ids_in(page) <= seen:
                return
            seen |= _ids_in(page)
            yield page

    def _look_up(self, ids: Collection[int]) -> set[int]:
        """Read objects by their ids, and return those ids: not more than the budget, in turn."""
        last = self.memory.get("looked_up", 0)
        in_turn = sorted(ids, key=lambda id: (id <= last, id))[: self.budget]
        for id in in_turn:
            self.counts += self.reconciler.reconcile_one(id)
            self.memory["looked_up"] = id
        return {*in_turn}

    def _live(self, condition: Q) -> QuerySet[Mirror]:
        live: QuerySet[Mirror] = self.model.objects.using(self.reconciler.using)
        return live.filter(condition, account=self.run.account)

    def _ids(self, condition: Q) -> set[int]:
        return {*self._live(condition).values_list("altoviz_id", flat=True)}

    def _conditions(self) -> list[Q]:
        """Return which rows the list of all objects has, and which the list without hidden ones."""
        return [Q()] if self.model.HIDDEN is None else [Q(), ~self.model.HIDDEN]

    def _length_without_hidden(self) -> Lengths:
        return [] if self.model.HIDDEN is None else [self._page({}).record_count]

    def _is_unexplained(self, lengths: Lengths) -> bool:
        """Return True if the mirror explains the lengths neither as it was nor as it is now.

        A list may be longer for good: an object that does not fit the mirror is not there.
        """
        if None in lengths:
            return False
        known = self.memory.get("surplus", [0] * len(lengths))
        now = [self._live(each).count() for each in self._conditions()]
        return known not in (_surplus(lengths, self._rows), _surplus(lengths, now))

    def _search(self, lengths: Lengths, first: Page, watcher: Watcher) -> None:
        """Find what came or went where it is likely to be, or else by a whole sync."""
        pages = first.page_count or 0
        if (lengths[0] or 0) > self._live(Q()).count():
            self._page(self.resource.list_all, pages)
        if self.model.HIDDEN is not None and self._is_unexplained(lengths):
            lately = project_date() - _LATELY
            cancelled = {*cast(InvoiceResource, self.resource).cancelled_since(lately)}
            self._look_up(cancelled - self._ids(self.model.HIDDEN))
        if not self._is_unexplained(lengths) or pages > self.budget:
            return
        kind = Entity(self.run.entity)
        for run in sync(self.run.account, [kind], client=self.client, watcher=watcher):
            self.counts += Counter(run.counts)
        # What differs now can't be found, so the next look need not search for it.
        lengths = [self._page(self.resource.list_all).record_count, *self._length_without_hidden()]
        now = [self._live(each).count() for each in self._conditions()]
        self.memory["surplus"] = _surplus(lengths, now)

    def _look_at_open(self, lengths: Lengths, first: Page) -> None:
        today = str(project_date())
        if self.resource.list_open and self.memory.get("unfiltered") != today:
            if self._read_open(lengths):
                return
            # Try the filters again tomorrow.
            self.memory["unfiltered"] = today
        self._read_since_the_oldest(first)

    def _read_open(self, lengths: Lengths) -> bool:
        """Read the lists of open objects, and look up those that are no longer there.

        Return False if Altoviz refuses or ignores the filters, or means something else by them.
        """
        filters = self.resource.list_open
        try:
            firsts = [self._page(each) for each in filters]
        except (InvalidRequest, ServerError):
            return False
        of_open = [page.record_count for page in firsts]
        if _are_ignored(lengths, of_open):
            return False
        strays = {*self.memory.get("strays", ())}
        seen = [*lengths, *of_open, self._written_at]
        if seen == self.memory.get("seen"):
            self._look_up(strays & self._open_ids())
            return True
        pages = zip(filters, firsts, strict=True)
        listed = {
            id
            for each, first in pages
            for page in self._all_pages(each, first)
            for id in _ids_in(page)
        }
        missing = self._open_ids() - listed
        looked_up = self._look_up(missing)
        strays = looked_up & self._open_ids()
        if looked_up == missing:
            self.memory |= {"seen": seen, "strays": sorted(strays)}
        return len(strays) <= _MOST_STRAYS

    def _read_since_the_oldest(self, first: Page) -> None:
        """Read the open objects in a list by date or, if that is shorter, one by one."""
        ids = self._open_ids()
        oldest = self._live(self.model.OPEN or Q()).aggregate(day=Min("date"))["day"]
        if oldest is None:
            self._look_up(ids)
            return
        # Altoviz does not say if the day itself is in the list.
        day = oldest - _ONE_DAY
        pages = -(-self._live(Q(date__gte=day)).count() // PAGE_SIZE)
        filters = cast(DocumentResource, self.resource).since(day)
        if pages == first.page_count:
            filters = self.resource.list_all
        listed: set[int] = set()
        if pages <= len(ids):
            with suppress(InvalidRequest, ServerError):  # then they are looked up
                if filters != self.resource.list_all:
                    first = self._page(filters)
                if (first.page_count or 1) <= self.budget:
                    pages_read = self._all_pages(filters, first)
                    listed = {id for page in pages_read for id in _ids_in(page)}
        self._look_up(ids - listed)

    def _open_ids(self) -> set[int]:
        return self._ids(self.model.OPEN or Q())


def _ids_in(page: Page) -> set[int]:
    objects, _raw, _without_id = by_id(zip(page.rows, page.raw_rows, strict=True))
    return {*objects}


def _surplus(lengths: Lengths, rows: list[int]) -> list[int]:
    """Return by how much each list is longer than the mirror."""
    return [(length or 0) - number for length, number in zip(lengths, rows, strict=True)]


def _are_ignored(lengths: Lengths, of_open: Lengths) -> bool:
    """Return True if the lists of open objects are as long as if they had no filter.

    An object is in one of them at most.
    """
    total, shown = lengths[0], lengths[-1]
    if total is None or None in of_open:
        return True
    known = [length or 0 for length in of_open]
    return sum(known) > total or min(known) == shown != 0
