"""The resources of Altoviz's API: paths, filters and pagination for each kind of object."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar
from urllib.parse import quote

from django_altoviz import exact_json
from django_altoviz.client.downloads import Download
from django_altoviz.client.http_client import HTTPClient
from django_altoviz.client.responses import PAGE_SIZE, Page
from django_altoviz.client.secrecy import Hidden
from django_altoviz.event_types import EventType, sent_type
from django_altoviz.exceptions import IncompleteList, UnexpectedAnswer
from django_altoviz.intake.envelopes import object_id_of

#: The most pages of a list: a million objects. A list without a count might never end.
MAX_PAGES = 10_000
# How often a list is read before it is given up as incomplete.
_MAX_LIST_READS = 3


class Resource:
    """Access to one kind of object. ``path`` is its path at the API."""

    path: str
    #: The filters with which Altoviz lists all objects of the kind.
    list_all: ClassVar[dict[str, Any]] = {}
    #: Filters that together list the objects that may still change by themselves [documented].
    list_open: ClassVar[tuple[dict[str, Any], ...]] = ()

    def __init__(self, client: HTTPClient) -> None:
        self._client = client

    def page(self, number: int, filters: dict[str, Any] | None = None) -> Page:
        """Return a page of the list of all objects, or of another one. Pages are numbered from 1."""
        return self._page(self.path, number, self.list_all if filters is None else filters)

    def get(self, id: int) -> dict[str, Any]:
        """Return the object with that id.

        Raises:
            NotFound: Altoviz has no such object.
            UnexpectedAnswer: Altoviz answered with another object.
        """
        path = f"{self.path}/{int(id)}"
        found = self._client.get_object(path)
        if object_id_of(found) != int(id):
            raise UnexpectedAnswer(f"GET {path} was answered with another object.")
        return found

    def _find(self, **criteria: str | None) -> list[dict[str, Any]]:
        given = _without_none(criteria)
        if not given:
            raise ValueError(f"Give at least one of {', '.join(criteria)}.")
        return self._client.get_list(f"{self.path}/Find", given)

    def _all(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield each object once. Request the pages as the caller iterates.

        Altoviz's lists have no fixed order, so rows move between pages while they are read. Rows
        that come twice are yielded once. The list is read again from page 1 if its length changed,
        if it had fewer rows than Altoviz says, or if a page brought nothing new.

        Raises:
            IncompleteList: the list kept changing during each of several reads.
        """
        given = _without_none(filters)
        yielded: set[int | str] = set()
        for _ in range(_MAX_LIST_READS):
            in_this_read: set[int | str] = set()
            totals = set()
            for number, page in enumerate(self._pages_of(self.path, given), start=1):
                totals.add(page.record_count)
                # A row without a proper id is identified by its text.
                rows = {
                    object_id_of(row) or raw: row
                    for row, raw in zip(page.rows, page.raw_rows, strict=True)
                }
                yield from (row for key, row in rows.items() if key not in yielded)
                brought_nothing_new = in_this_read.issuperset(rows)
                in_this_read.update(rows)
                yielded.update(rows)
                if brought_nothing_new and not page.is_last(number):
                    break  # such a list may go on for ever
            else:
                if totals in ({None}, {len(in_this_read)}):
                    return
        raise IncompleteList(
            f"{self.path}: {len(in_this_read)} objects were read, but Altoviz counts "
            f"{page.record_count or 'more'}: the list kept changing, or repeated the same page. "
            "Try again when the objects change less often."
        )

    def _pages_of(self, path: str, filters: dict[str, Any]) -> Iterator[Page]:
        number = 1
        while True:
            page = self._page(path, number, filters)
            yield page
            if page.is_last(number):
                return
            number += 1

    def _page(self, path: str, number: int, filters: dict[str, Any]) -> Page:
        if number > MAX_PAGES:
            raise IncompleteList(
                f"{path}: Altoviz says that the list goes on after {MAX_PAGES} pages."
            )
        query = filters | {"PageIndex": number, "PageSize": PAGE_SIZE}
        return self._client.get_page(path, query)


class CustomerResource(Resource):
    path = "v1/Customers"

    def all(self, query: str | None = None) -> Iterator[dict[str, Any]]:
        return self._all(query=query)

    def find(
        self, *, email: str | None = None, internal_id: str | None = None, number: str | None = None
    ) -> list[dict[str, Any]]:
        return self._find(email=email, internalId=internal_id, number=number)

    def get_by_internal_id(self, internal_id: str) -> dict[str, Any]:
        if internal_id in ("", ".", ".."):
            # As a part of a path these name the list, or another path.
            raise ValueError(f"Altoviz can't be asked for the internal id {internal_id!r}.")
        return self._client.get_object(f"{self.path}/GetByInternalId/{quote(internal_id, safe='')}")

    def contacts(self, id: int) -> list[dict[str, Any]]:
        """Return the customer's contacts, each with ``isMain``.

        No other request says which customer a contact belongs to.
        """
        return self._client.get_list(f"{self.path}/{int(id)}/contacts")


class ContactResource(Resource):
    path = "v1/Contacts"

    def all(self, query: str | None = None) -> Iterator[dict[str, Any]]:
        return self._all(query=query)

    def find(
        self, *, email: str | None = None, internal_id: str | None = None
    ) -> list[dict[str, Any]]:
        return self._find(email=email, internalId=internal_id)


class ProductResource(Resource):
    path = "v1/Products"

    def all(
        self, query: str | None = None, family_id: int | None = None
    ) -> Iterator[dict[str, Any]]:
        return self._all(query=query, familyId=family_id)

    def find(
        self, *, number: str | None = None, internal_id: str | None = None
    ) -> list[dict[str, Any]]:
        return self._find(number=number, internalId=internal_id)


class DocumentResource(Resource):
    """Invoices, quotes or credits."""

    def all(
        self,
        *,
        start: datetime.date | None = None,
        end: datetime.date | None = None,
        customer_id: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the documents dated from ``start`` to ``end``."""
        return self._all(From=_iso_date(start), To=_iso_date(end), CustomerId=customer_id)

    def since(self, day: datetime.date) -> dict[str, Any]:
        """Return the filters that list the documents dated from that day on."""
        return self.list_all | {"From": _iso_date(day)}

    def find(
        self, *, internal_id: str | None = None, number: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the documents that match all criteria.

        Altoviz documents the search by number for some of its client libraries only.
        """
        return self._find(internalId=internal_id, number=number)

    def download(self, id: int) -> Download:
        """Return the document's PDF as a stream."""
        return self._client.download(f"{self.path}/Download/{int(id)}")


class InvoiceResource(DocumentResource):
    path = "v1/SaleInvoices"
    list_all: ClassVar[dict[str, Any]] = {"IncludeCancelled": "true"}
    list_open: ClassVar[tuple[dict[str, Any], ...]] = (
        {"Status": "Draft"},
        {"Status": "Incoming"},
        {"Status": "Expired"},
    )

    def all(
        self,
        *,
        start: datetime.date | None = None,
        end: datetime.date | None = None,
        customer_id: int | None = None,
        status: str | None = None,
        include_cancelled: bool = True,
    ) -> Iterator[dict[str, Any]]:
        """Yield the invoices dated from ``start`` to ``end``.

        Includes cancelled invoices, which Altoviz leaves out by default. ``status`` is Draft,
        Incoming, Expired, Paid or ToSend [documented].
        """
        return self._all(
            From=_iso_date(start),
            To=_iso_date(end),
            CustomerId=customer_id,
            Status=status,
            IncludeCancelled="true" if include_cancelled else None,
        )

    def cancelled_since(self, day: datetime.date) -> Iterator[int]:
        """Yield the ids of the invoices that credits of that day or later have cancelled."""
        filters = {"From": _iso_date(day)}
        for page in self._pages_of("v1/SaleCredits", filters):
            for credit in page.rows:
                # The spelling "Invoicet" is Altoviz's own [documented].
                id = object_id_of({"id": credit.get("cancelledInvoicetId")})
                if id is not None:
                    yield id


class QuoteResource(DocumentResource):
    # ``all()`` has no ``status``, because Altoviz's filter by status fails for quotes [observed].
    path = "v1/SaleQuotes"


class CreditResource(DocumentResource):
    path = "v1/SaleCredits"


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _iso_date(value: datetime.date | None) -> str | None:
    # A datetime is a date too: cut off its time.
    return None if value is None else value.isoformat()[:10]


class WebhookResource:
    path = "v1/Webhooks"

    def __init__(self, client: HTTPClient) -> None:
        self._client = client

    def all(self) -> list[dict[str, Any]]:
        """Return the account's webhooks.

        The list is eventually consistent: it lags by some seconds [observed]. It may hold secrets
        in clear text, so don't log it.
        """
        return self._client.get_list(self.path)

    def register(
        self, *, name: str, url: str, types: Iterable[EventType], secret_key: str
    ) -> dict[str, Any]:
        """Register a webhook and return Altoviz's answer, in which the ``id`` is 0 [observed].

        Raises:
            ValueError: something is missing, or Altoviz sends no events of one of the types.
        """
        if not (name and url and secret_key):
            raise ValueError("A webhook needs a name, a URL and a secret.")
        chosen = [sent_type(type).value for type in types]
        body = {"name": name, "url": url, "types": chosen, "secretKey": secret_key}
        hidden = Hidden(exact_json.dumps(body).encode(), [secret_key])
        del secret_key, body  # an error report shows the variables of this function
        return self._client.post(self.path, hidden)

    def unregister(self, *, id: int | None = None, url: str | None = None) -> None:
        """Remove the webhook with that id, or all webhooks with that URL.

        Exactly one of them is required: it is unknown what Altoviz does with neither, and it might
        remove all webhooks.
        """
        if (id is None) == (url is None) or (id is not None and id <= 0) or url == "":
            raise ValueError("Give either an id greater than 0 or a URL.")
        self._client.delete(self.path, {"id": id} if id is not None else {"url": url})
