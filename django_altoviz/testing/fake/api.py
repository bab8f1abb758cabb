"""Routes of the fake's API and the answers that they give."""

from __future__ import annotations

import math
import re
import time
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import unquote

from django_altoviz import exact_json
from django_altoviz.event_types import SENT_TYPES
from django_altoviz.testing.fake import account
from django_altoviz.testing.fake.answers import (
    JSON,
    Answer,
    Failure,
    Request,
    bad_request,
    json_answer,
    not_found,
    parse_int32,
)
from django_altoviz.testing.fake.behaviour import Behaviour
from django_altoviz.testing.fake.company import Company
from django_altoviz.testing.fake.documents import FakeDocuments
from django_altoviz.testing.fake.lists import answer_list
from django_altoviz.testing.fake.records import FakeProducts, Records
from django_altoviz.testing.fake.serializers import serialize
from django_altoviz.testing.fake.store import compact_json
from django_altoviz.testing.fake.webhooks import FakeWebhooks, serialize_webhook

_RECORDS = {
    "customers": "customers",
    "contacts": "contacts",
    "products": "products",
    "saleinvoices": "invoices",
    "salequotes": "quotes",
    "salecredits": "credits",
}
# The fields that objects can be found by, by the name of the query parameter.
_FINDABLE = {"email": "email", "internalid": "internalId", "number": "number"}
_DOCUMENTS = "(saleinvoices|salequotes|salecredits)"
_RESOURCES = f"({'|'.join(_RECORDS)})"

# A blank page. The offsets of the cross-reference table belong to exactly these bytes.
_BLANK_PDF = (
    b"%PDF-1.4\n"
    b"1 0 obj<</Type/Catalog/Pages 2 0 R>> endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>> endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<<>>>> endobj\n"
    b"xref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000053 00000 n \n0000000103 00000 n \n"
    b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n181\n%%EOF\n"
)

APIHandler = Callable[..., Answer]


class Quota:
    """Rate limit over a sliding window: ``quota`` requests in any ``quota_seconds`` seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: deque[float] = deque()

    def take(self, behaviour: Behaviour) -> float:
        """Count a request and return 0, or return the seconds until the next one is allowed."""
        if behaviour.quota is None:
            return 0.0
        now = self._clock()
        while self._times and self._times[0] <= now - behaviour.quota_seconds:
            self._times.popleft()
        if len(self._times) < behaviour.quota:
            self._times.append(now)
            return 0.0
        # behave() may have lowered the quota since, even to zero.
        frees = self._times[-behaviour.quota] if behaviour.quota else now
        return frees + behaviour.quota_seconds - now


class API:
    def __init__(
        self,
        company: Company,
        webhooks: FakeWebhooks,
        api_key: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._company, self._webhooks, self._api_key = company, webhooks, api_key
        self._quota = Quota(clock)
        self._routes = {
            re.compile(pattern, re.IGNORECASE): handlers
            for pattern, handlers in self._handlers().items()
        }

    def _handlers(self) -> dict[str, dict[str, APIHandler]]:
        """Return the handlers by path and method. The groups of the path are their arguments."""
        return {
            "/hello": {"GET": self._hello},
            "/v1/settings": {"GET": self._settings},
            "/v1/users/(?:me|whoami)": {"GET": self._user},
            "/v1/webhooks": {
                "GET": self._webhooks_list,
                "POST": self._webhooks_register,
                "DELETE": self._webhooks_unregister,
            },
            f"/v1/{_RESOURCES}": {"GET": self._list, "POST": self._write},
            f"/v1/{_RESOURCES}/find": {"GET": self._find},
            "/v1/(customers)/getbyinternalid/([^/]+)": {"GET": self._get_by_internal_id},
            "/v1/customers/([^/]+)/contacts": {"GET": self._contacts},
            f"/v1/{_DOCUMENTS}/download/([^/]+)": {"GET": self._download},
            f"/v1/{_RESOURCES}/([^/]+)": {
                "GET": self._get,
                "PUT": self._write,
                "DELETE": self._write,
            },
        }

    def answer(self, request: Request) -> Answer:
        for pattern, handlers in self._routes.items():
            if match := pattern.fullmatch(request.path):
                return self._handle(request, handlers.get(request.method), match)
        return Answer(HTTPStatus.NOT_FOUND)

    def _handle(self, request: Request, handler: APIHandler | None, match: re.Match[str]) -> Answer:
        if handler is None:
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED)
        if request.api_key != self._api_key:
            return Answer(HTTPStatus.UNAUTHORIZED)
        with self._company.context.lock:
            if pause := self._quota.take(self._behaviour):
                return too_many_requests(pause, self._behaviour)
            try:
                return handler(request, *map(unquote, match.groups()))
            except Failure as failure:
                return failure.answer

    @property
    def _behaviour(self) -> Behaviour:
        return self._company.context.behaviour()

    def _records(self, resource: str) -> Records:
        return self._company.records[_RECORDS[resource.lower()]]

    def _hello(self, request: Request) -> Answer:
        if "api-version" in request.query:
            return Answer(HTTPStatus.BAD_REQUEST)  # whatever the value [observed]
        return json_answer(account.hello(self._company))

    def _settings(self, request: Request) -> Answer:
        return json_answer(account.settings(self._company))

    def _user(self, request: Request) -> Answer:
        return json_answer(account.user())

    def _list(self, request: Request, resource: str) -> Answer:
        today = self._company.context.today()
        return answer_list(self._records(resource), request, self._behaviour, today)

    def _get(self, request: Request, resource: str, id: str) -> Answer:
        records = self._records(resource)
        raw = records.store.raw(parse_int32(id))
        if raw is None:
            raise not_found(f"{records.name} with ID {id} not found.")
        return Answer(body=serialize(raw, self._behaviour), headers=JSON)

    def _find(self, request: Request, resource: str) -> Answer:
        records = self._records(resource)
        given = {
            field: request.query[name] for name, field in _FINDABLE.items() if name in request.query
        }
        if not given and isinstance(records, FakeProducts):
            raise bad_request("Number or internal ID have to be defined")
        found = [{*records.store.find(field, text)} for field, text in given.items()]
        ids = sorted(set.intersection(*found)) if found else []
        raws = filter(None, map(records.store.raw, ids))
        rows = [serialize(raw, self._behaviour) for raw in raws]
        return Answer(body=b"[" + b",".join(rows) + b"]", headers=JSON)

    def _get_by_internal_id(self, request: Request, resource: str, internal_id: str) -> Answer:
        records = self._records(resource)
        ids = records.store.find("internalId", internal_id)
        if not ids:
            raise not_found(f"{records.name} with internal ID {internal_id} not found.")
        return self._get(request, resource, str(ids[0]))

    def _contacts(self, request: Request, id: str) -> Answer:
        customer = parse_int32(id)
        if customer not in self._company.customers.store:
            raise not_found(f"Customer with ID {id} not found.")
        rows = [
            serialize(compact_json(each), self._behaviour)
            for each in self._company.contacts.of_customer(customer)
        ]
        return Answer(body=b"[" + b",".join(rows) + b"]", headers=JSON)

    def _download(self, request: Request, resource: str, id: str) -> Answer:
        records = self._records(resource)
        assert isinstance(records, FakeDocuments)
        document = records.store.get(parse_int32(id))
        if document is None:
            raise not_found(f"{records.name} with ID {id} not found.")
        name = f"{document['number']}.pdf"
        headers = {
            "content-type": "application/pdf",
            "content-disposition": f"attachment; filename={name}; filename*=UTF-8''{name}",
        }
        return Answer(body=_BLANK_PDF, headers=headers)

    def _write(self, request: Request, *_path: str) -> Answer:
        message = "FakeAltoviz has no API to write objects: use its Python methods."
        return json_answer({"errors": [], "message": message}, HTTPStatus.NOT_IMPLEMENTED)

    def _webhooks_list(self, request: Request) -> Answer:
        return json_answer(self._webhooks.listed())

    def _webhooks_register(self, request: Request) -> Answer:
        try:
            sent = exact_json.loads(request.body.decode())
            given = {name.lower(): part for name, part in sent.items()}
            types = [_TYPES[name.lower()] for name in given["types"]]
        except (ValueError, AttributeError, LookupError, TypeError) as error:
            raise bad_request("Validation failed", "The value is not valid.") from error
        for name in ("name", "url"):
            if not isinstance(given.get(name), str) or not given[name]:
                raise bad_request("Validation failed", f"'{name.title()}' must not be empty.")
        made = self._webhooks.register(
            given["url"], given.get("secretkey"), types=types, name=given["name"], is_new=True
        )
        answer = serialize_webhook(made)
        if not self._behaviour.tells_webhook_id:
            answer["id"] = 0  # only the list has the id [observed]
        return json_answer(answer, HTTPStatus.CREATED)

    def _webhooks_unregister(self, request: Request) -> Answer:
        id = request.query.get("id")
        gone = self._webhooks.unregister(
            id=None if id is None else parse_int32(id), url=request.query.get("url")
        )
        if not gone:
            problem = {
                "type": "https://tools.ietf.org/html/rfc9110#section-15.5.5",
                "title": "Not Found",
                "status": 404,
            }
            return Answer(
                HTTPStatus.NOT_FOUND,
                compact_json(problem),
                {"content-type": "application/problem+json; charset=utf-8"},
            )
        return json_answer(serialize_webhook(gone[0]))


_TYPES = {type.value.lower(): type for type in SENT_TYPES}


def too_many_requests(pause: float, behaviour: Behaviour) -> Answer:
    """Answer 429. The body is plain text, without a content type [observed]."""
    in_milliseconds = behaviour.retry_after == "milliseconds"
    return Answer(
        HTTPStatus.TOO_MANY_REQUESTS,
        b"API calls quota exceeded!",
        {"retry-after": str(math.ceil(pause * 1000 if in_milliseconds else pause))},
    )
