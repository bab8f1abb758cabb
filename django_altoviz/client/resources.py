"""What can be read at Altoviz, and how it is called there."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django_altoviz.client.responses import PAGE_SIZE, Page
from django_altoviz.event_types import EventType
from django_altoviz.exceptions import IncompleteList
from django_altoviz.intake.envelopes import object_id_of

if TYPE_CHECKING:
    from django_altoviz.client.client import AltovizClient
    from django_altoviz.client.downloads import Download

# How often a list is read again from its beginning when rows were missing in the end.
_PASSES = 3

Object = dict[str, Any]


class Resource:
    """One kind of object. ``path`` is where it is at the API."""

    path: str
    #: What has to be asked for to be given all of them.
    everything: Object = {}

    def __init__(self, client: AltovizClient) -> None:
        self._client = client

    def page(self, number: int) -> Page:
        """One page of the list of all, counted from 1."""
        return self._page(number, self.everything)

    def get(self, id: int) -> Object:
        """The object of that id. Raises ``NotFound``."""
        return self._client.get_object(f"{self.path}/{int(id)}")

    def _find(self, **criteria: str | None) -> list[Object]:
        given = {name: value for name, value in criteria.items() if value is not None}
        if not given:
            raise ValueError(f"Say what to find: {', '.join(criteria)}.")
        return self._client.get_list(f"{self.path}/Find", given)

    def _all(self, **filters: Any) -> Iterator[Object]:
        """Each object once, read page by page as they are asked for.

        The order of a list is not fixed, and rows move between pages while they are read. What comes
        twice is left out; and the list is read again where its length has changed meanwhile, it did
        not have as many rows as Altoviz says, or it got no further.

        Raises:
            IncompleteList: the list did not hold still in several passes.
        """
        given = {name: value for name, value in filters.items() if value is not None}
        seen: set[int | str] = set()
        for _ in range(_PASSES):
            in_pass: set[int | str] = set()
            totals = set()
            for number, page in enumerate(self._pages(given), start=1):
                totals.add(page.record_count)
                named = {
                    object_id_of(row) or text: row
                    for row, text in zip(page.rows, page.texts, strict=True)
                }
                yield from (row for name, row in named.items() if name not in seen)
                gets_further = not in_pass.issuperset(named)
                in_pass.update(named)
                seen.update(named)
                if not (gets_further or page.is_last(number)):
                    break
            else:
                if totals in ({None}, {len(in_pass)}):
                    return
        raise IncompleteList(
            f"{self.path}: {len(in_pass)} objects were read, and Altoviz speaks of "
            f"{page.record_count or 'more'}, for the list went on changing, or shows the same again "
            "and again. Try again when less is happening."
        )

    def _pages(self, filters: Object) -> Iterator[Page]:
        number = 1
        while True:
            page = self._page(number, filters)
            yield page
            if page.is_last(number):
                return
            number += 1

    def _page(self, number: int, filters: Object) -> Page:
        query = filters | {"PageIndex": number, "PageSize": PAGE_SIZE}
        return self._client.get_page(self.path, query)


class Customers(Resource):
    path = "v1/Customers"

    def all(self, query: str | None = None) -> Iterator[Object]:
        return self._all(query=query)

    def find(
        self, *, email: str | None = None, internal_id: str | None = None, number: str | None = None
    ) -> list[Object]:
        return self._find(email=email, internalId=internal_id, number=number)

    def get_by_internal_id(self, internal_id: str) -> Object:
        return self._client.get_object(f"{self.path}/GetByInternalId/{quote(internal_id, safe='')}")

    def contacts(self, id: int) -> list[Object]:
        """The customer's contacts, each with ``isMain``: nothing else tells whose they are."""
        return self._client.get_list(f"{self.path}/{int(id)}/contacts")


class Contacts(Resource):
    path = "v1/Contacts"

    def all(self, query: str | None = None) -> Iterator[Object]:
        return self._all(query=query)

    def find(self, *, email: str | None = None, internal_id: str | None = None) -> list[Object]:
        return self._find(email=email, internalId=internal_id)


class Products(Resource):
    path = "v1/Products"

    def all(self, query: str | None = None, family_id: int | None = None) -> Iterator[Object]:
        return self._all(query=query, familyId=family_id)

    def find(self, *, number: str | None = None, internal_id: str | None = None) -> list[Object]:
        return self._find(number=number, internalId=internal_id)


class Documents(Resource):
    def find(self, *, internal_id: str | None = None, number: str | None = None) -> list[Object]:
        """Whether Altoviz looks for a number here is not documented for all of its clients."""
        return self._find(internalId=internal_id, number=number)

    def download(self, id: int) -> Download:
        """The document's PDF, as a stream."""
        return self._client.download(f"{self.path}/Download/{int(id)}")


class Invoices(Documents):
    path = "v1/SaleInvoices"
    everything = {"IncludeCancelled": "true"}

    def all(
        self,
        *,
        start: datetime.date | None = None,
        end: datetime.date | None = None,
        customer_id: int | None = None,
        status: str | None = None,
        include_cancelled: bool = True,
    ) -> Iterator[Object]:
        """Invoices dated from ``start`` to ``end``; also the cancelled ones, which Altoviz leaves
        out by default. ``status``: Draft, Incoming, Expired, Paid or ToSend [documented]."""
        return self._all(
            From=_date(start),
            To=_date(end),
            CustomerId=customer_id,
            Status=status,
            IncludeCancelled="true" if include_cancelled else None,
        )


class Quotes(Documents):
    path = "v1/SaleQuotes"

    def all(
        self,
        *,
        start: datetime.date | None = None,
        end: datetime.date | None = None,
        customer_id: int | None = None,
    ) -> Iterator[Object]:
        """Quotes dated from ``start`` to ``end``. Altoviz's filter by status fails [observed]."""
        return self._all(From=_date(start), To=_date(end), CustomerId=customer_id)


def _date(value: datetime.date | None) -> str | None:
    return None if value is None else value.isoformat()[:10]


class Webhooks:
    path = "v1/Webhooks"

    def __init__(self, client: AltovizClient) -> None:
        self._client = client

    def all(self) -> list[Object]:
        """The account's webhooks. The list lags behind by some seconds [observed].

        It may hold secrets in clear: do not log it.
        """
        return self._client.get_list(self.path)

    def register(
        self, *, name: str, url: str, types: Iterable[EventType], secret_key: str
    ) -> Object:
        """Register a webhook, and return what Altoviz answers: its ``id`` there is 0 [observed]."""
        if not (name and url and secret_key):
            raise ValueError("A webhook needs a name, a URL and a secret.")
        body = {
            "name": name,
            "url": url,
            "types": [EventType(type).value for type in types],
            "secretKey": secret_key,
        }
        return self._client.post(self.path, body, hidden=[secret_key])

    def unregister(self, *, id: int | None = None, url: str | None = None) -> None:
        """Remove the webhook of that id, or those of that URL: one of the two has to be given.

        What Altoviz does with neither is not known, and might be to remove them all.
        """
        if (id is None) == (url is None) or (id is not None and id <= 0) or url == "":
            raise ValueError("Give either an id, which is more than 0, or a URL.")
        self._client.delete(self.path, {"id": id} if id is not None else {"url": url})
