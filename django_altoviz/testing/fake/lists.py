"""Lists of the fake's API: filters, pages and what their headers tell."""

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
    integer,
    value,
)
from django_altoviz.testing.fake.behaviour import Behaviour
from django_altoviz.testing.fake.documents import Documents, Invoices, Quotes
from django_altoviz.testing.fake.records import Products, Records
from django_altoviz.testing.fake.serializers import show
from django_altoviz.testing.fake.shapes import Object

_LARGEST_PAGE = 100
_USUAL_PAGE = 10

Filter = Callable[[Object], bool]


def answer_list(records: Records, request: Request, behaviour: Behaviour, today: date) -> Answer:
    """One page. ``OrderBy`` is taken and ignored [observed]."""
    index, size = _page(request)
    filters = _filters(records, request, today)
    if filters:
        question = (
            today,
            *sorted(
                pair for pair in request.query.items() if pair[0] not in ("pageindex", "pagesize")
            ),
        )
        ids = records.shelf.ids(question, lambda row: all(each(row) for each in filters))
    else:
        ids = records.shelf.ids()
    raws = map(records.shelf.raw, ids[(index - 1) * size : index * size])
    rows = [show(raw, behaviour, in_list=True) for raw in raws if raw is not None]
    headers = {**JSON}
    if behaviour.paging_headers:
        headers |= _headers(request, index, size, len(ids))
    return Answer(body=b"[" + b",".join(rows) + b"]", headers=headers)


def _page(request: Request) -> tuple[int, int]:
    index = integer(request.query.get("pageindex", "1"))
    size = integer(request.query.get("pagesize", str(_USUAL_PAGE)))
    errors = []
    if index < 1:
        errors.append("'Page Index' must be greater than or equal to '1'.")
    if not 1 <= size <= _LARGEST_PAGE:
        errors.append(f"'Page Size' must be between 1 and {_LARGEST_PAGE}. You entered {size}.")
    if errors:
        raise bad_request("Validation failed", *errors)
    return index, size


def _headers(request: Request, index: int, size: int, count: int) -> dict[str, str]:
    pages = -(-count // size)
    # The path as Altoviz spells it, which need not be how it was asked for [observed].
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


def _filters(records: Records, request: Request, today: date) -> list[Filter]:
    if isinstance(records, Documents):
        return _document_filters(records, request, today)
    filters: list[Filter] = []
    if text := request.query.get("query", "").casefold():
        filters.append(lambda row: text in " ".join(_texts(row)).casefold())
    if isinstance(records, Products) and (family := request.query.get("familyid")):
        filters.append(lambda row: str((row["family"] or {}).get("id")) == family)
    return filters


def _texts(part: Any) -> list[str]:
    if isinstance(part, dict):
        return [text for each in part.values() for text in _texts(each)]
    return [part] if isinstance(part, str) else []


def _document_filters(records: Documents, request: Request, today: date) -> list[Filter]:
    query = request.query
    filters: list[Filter] = []
    if start := _date(query.get("from")):
        filters.append(lambda row: row["date"] >= start)
    if end := _date(query.get("to")):
        filters.append(lambda row: row["date"] <= end)
    if query.get("customerid"):
        customer = integer(query["customerid"])
        filters.append(lambda row: row["customerId"] == customer)
    if isinstance(records, Invoices):
        if query.get("includecancelled", "").lower() != "true":
            filters.append(lambda row: not row["isCancelled"])
        if status := query.get("status"):
            filters.append(_with_status(status, today.isoformat()))
    if isinstance(records, Quotes) and any(name.startswith("status.status") for name in query):
        # The filter by status does not work [observed].
        error = {"errors": ["Une erreur est survenue."], "message": "Internal error"}
        raise Failure(value(error, 500))
    return filters


def _date(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise bad_request("Validation failed", f"The value '{text}' is not valid.") from error


def _with_status(status: str, today: str) -> Filter:
    """The words are [documented], what they mean is [inferred]."""

    def is_open(row: Object) -> bool:
        return not row["isDraft"] and not row["isPaid"]

    def is_late(row: Object) -> bool:
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
