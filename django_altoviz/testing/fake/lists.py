"""Lists of the fake's API: filters, pagination and its headers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django_altoviz.testing.fake.answers import (
    JSON,
    Answer,
    Failure,
    Request,
    bad_request,
    json_answer,
    parse_int32,
)
from django_altoviz.testing.fake.behaviour import Behaviour
from django_altoviz.testing.fake.documents import FakeDocuments
from django_altoviz.testing.fake.invoices import FakeInvoices
from django_altoviz.testing.fake.quotes import FakeQuotes
from django_altoviz.testing.fake.records import FakeProducts, Records
from django_altoviz.testing.fake.serializers import serialize
from django_altoviz.testing.fake.store import FakeRecord

_MAXIMUM_PAGE = 100
_DEFAULT_PAGE = 10

Filter = Callable[[FakeRecord], bool]


def answer_list(records: Records, request: Request, behaviour: Behaviour, today: date) -> Answer:
    """Return one page of a list. Altoviz accepts ``OrderBy`` and ignores it [observed]."""
    index, size = _page(request)
    filters = _filters(records, request, today, behaviour)
    if filters:
        filter_key = (
            today,
            *sorted(
                pair for pair in request.query.items() if pair[0] not in ("pageindex", "pagesize")
            ),
        )
        ids = records.store.ids(filter_key, lambda row: all(each(row) for each in filters))
    else:
        ids = records.store.ids()
    raws = map(records.store.raw, ids[(index - 1) * size : index * size])
    rows = [serialize(raw, behaviour, in_list=True) for raw in raws if raw is not None]
    headers = {**JSON}
    if behaviour.paging_headers:
        headers |= _paging_headers(request, index, size, len(ids))
    return Answer(body=b"[" + b",".join(rows) + b"]", headers=headers)


def _page(request: Request) -> tuple[int, int]:
    index = parse_int32(request.query.get("pageindex", "1"))
    size = parse_int32(request.query.get("pagesize", str(_DEFAULT_PAGE)))
    errors = []
    if index < 1:
        errors.append("'Page Index' must be greater than or equal to '1'.")
    if not 1 <= size <= _MAXIMUM_PAGE:
        errors.append(f"'Page Size' must be between 1 and {_MAXIMUM_PAGE}. You entered {size}.")
    if errors:
        raise bad_request("Validation failed", *errors)
    return index, size


def _paging_headers(request: Request, index: int, size: int, count: int) -> dict[str, str]:
    pages = -(-count // size)
    # Altoviz writes the path with a capital V, even if the request did not [observed].
    path = request.path.replace("/v1/", "/V1/")
    headers = {
        "x-page-index": str(index),
        "x-page-size": str(size),
        "x-page-count": str(pages),
        "x-record-count": str(count),
    }
    if index < pages:
        headers["x-page-next"] = f"{path}?PageIndex={index + 1}&PageSize={size}"
    if index > 1:
        headers["x-page-prev"] = f"{path}?PageIndex={index - 1}&PageSize={size}"
    return headers


def _filters(records: Records, request: Request, today: date, behaviour: Behaviour) -> list[Filter]:
    if isinstance(records, FakeDocuments):
        return _document_filters(records, request, today, behaviour)
    filters: list[Filter] = []
    if text := request.query.get("query", "").casefold():
        filters.append(lambda row: text in " ".join(_strings(row)).casefold())
    if isinstance(records, FakeProducts) and (family := request.query.get("familyid")):
        filters.append(lambda row: str((row["family"] or {}).get("id")) == family)
    return filters


def _strings(part: Any) -> list[str]:
    if isinstance(part, dict):
        return [text for each in part.values() for text in _strings(each)]
    return [part] if isinstance(part, str) else []


def _document_filters(
    records: FakeDocuments, request: Request, today: date, behaviour: Behaviour
) -> list[Filter]:
    query = request.query
    filters: list[Filter] = []
    if start := _valid_iso_date(query.get("from")):
        filters.append(lambda row: row["date"] >= start)
    if end := _valid_iso_date(query.get("to")):
        filters.append(lambda row: row["date"] <= end)
    if query.get("customerid"):
        customer = parse_int32(query["customerid"])
        filters.append(lambda row: row["customerId"] == customer)
    if isinstance(records, FakeInvoices):
        if query.get("includecancelled", "").lower() != "true":
            filters.append(lambda row: not row["isCancelled"])
        if status := _status_filter(query.get("status"), behaviour):
            filters.append(_with_status(status, today.isoformat()))
    if isinstance(records, FakeQuotes) and any(name.startswith("status.status") for name in query):
        # At Altoviz, filtering quotes by status answers 500 [observed].
        error = {"errors": ["Une erreur est survenue."], "message": "Internal error"}
        raise Failure(json_answer(error, 500))
    return filters


def _status_filter(status: str | None, behaviour: Behaviour) -> str | None:
    """Return the status to filter by. Raise ``Failure`` if the filter is refused."""
    if status and behaviour.status_filter == "refused":
        raise bad_request("Validation failed", f"The value '{status}' is not valid.")
    return status if behaviour.status_filter == "honoured" else None


def _valid_iso_date(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise bad_request("Validation failed", f"The value '{text}' is not valid.") from error


def _with_status(status: str, today: str) -> Filter:
    """Return a filter by status. The words are [documented], their meanings are [inferred]."""

    def is_open(row: FakeRecord) -> bool:
        return not row["isDraft"] and not row["isPaid"]

    def is_late(row: FakeRecord) -> bool:
        return any(each["dueAmount"] and each["date"] < today for each in row["commitments"])

    meanings: dict[str, Filter] = {
        "draft": lambda row: row["isDraft"],
        "paid": lambda row: row["isPaid"] and not row["isDraft"],
        "incoming": lambda row: is_open(row) and not is_late(row),
        "expired": lambda row: is_open(row) and is_late(row),
        "tosend": lambda row: not row["isDraft"] and row["sentAt"] is None,
    }
    if status.lower() not in meanings:
        raise bad_request("Validation failed", f"The value '{status}' is not valid.")
    return meanings[status.lower()]
