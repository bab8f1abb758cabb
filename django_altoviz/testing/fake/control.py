"""Paths under ``/fake``, by which somebody makes things happen at a fake in another process."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django_altoviz import exact_json
from django_altoviz.testing.fake.answers import Answer, Request, value
from django_altoviz.testing.fake.records import NoSuchObject, Records, Refused

if TYPE_CHECKING:
    from django_altoviz.testing.fake.deliveries import Delivery
    from django_altoviz.testing.fake.fake import FakeAltoviz

_KINDS = "contacts|customers|products|invoices|quotes|credits"
_HELP = """\
What can be asked of this fake Altoviz, without a key. Bodies are JSON with Altoviz's field names.

GET    /fake/{kind}                  what there is: contacts, customers, products, invoices, ...
POST   /fake/{kind}                  create one; what is not said is invented
GET    /fake/{kind}/{id}
PATCH  /fake/{kind}/{id}             change it
DELETE /fake/{kind}/{id}
POST   /fake/invoices/{id}/finalize, /send, /pay (all, or {"amount": 10}), /cancel
POST   /fake/quotes/{id}/send, /accept, /refuse, /invoice
GET    /fake/behaviour               the switches
PATCH  /fake/behaviour               turn some: {"drop": 0.1}
POST   /fake/faults                  what becomes of the next requests: ["reset", 429]
GET    /fake/deliveries              what was sent to the webhooks, and how it was answered
"""
_ACTIONS = {
    "invoices": {"finalize", "send", "pay", "cancel"},
    "quotes": {"send", "accept", "refuse", "invoice"},
    "credits": {"finalize", "send"},
}

Handler = Callable[..., Any]


class Control:
    def __init__(self, altoviz: FakeAltoviz) -> None:
        self._altoviz = altoviz
        self._routes: dict[str, dict[str, Handler]] = {
            "/fake/behaviour": {"GET": self._behaviour, "PATCH": self._behave},
            "/fake/faults": {"POST": self._fail_next},
            "/fake/deliveries": {"GET": self._deliveries},
            f"/fake/({_KINDS})": {"GET": self._all, "POST": self._create},
            f"/fake/({_KINDS})/([0-9]+)": {
                "GET": self._get,
                "PATCH": self._change,
                "DELETE": self._delete,
            },
            f"/fake/({_KINDS})/([0-9]+)/([a-z]+)": {"POST": self._do},
        }

    def answer(self, request: Request) -> Answer:
        if "origin" in request.headers:  # a page in somebody's browser
            return Answer(HTTPStatus.FORBIDDEN)
        for pattern, handlers in self._routes.items():
            match = re.fullmatch(pattern, request.path)
            if match and (handler := handlers.get(request.method)):
                return _answer(handler, request.body, *match.groups())
        status = HTTPStatus.OK if request.path == "/fake" else HTTPStatus.NOT_FOUND
        return Answer(status, _HELP.encode(), {"content-type": "text/plain; charset=utf-8"})

    def _records(self, kind: str) -> Records:
        records: Records = getattr(self._altoviz, kind)
        return records

    def _all(self, given: Any, kind: str) -> Any:
        return list(self._records(kind).all())

    def _create(self, given: Any, kind: str) -> Any:
        return self._records(kind).create(**(given or {}))

    def _get(self, given: Any, kind: str, id: str) -> Any:
        return self._records(kind).get(int(id))

    def _change(self, given: Any, kind: str, id: str) -> Any:
        return self._records(kind).change(int(id), **(given or {}))

    def _delete(self, given: Any, kind: str, id: str) -> Any:
        return self._records(kind).delete(int(id))

    def _do(self, given: Any, kind: str, id: str, action: str) -> Any:
        if action not in _ACTIONS.get(kind, ()):
            raise NoSuchObject(f"{kind} can't {action}.")
        return getattr(self._records(kind), action)(int(id), **(given or {}))

    def _behaviour(self, given: Any) -> Any:
        return asdict(self._altoviz.behaviour)

    def _behave(self, given: Any) -> Any:
        self._altoviz.behave(**(given or {}))
        return asdict(self._altoviz.behaviour)

    def _fail_next(self, given: Any) -> Any:
        self._altoviz.fail_next(*(given or []))
        return given

    def _deliveries(self, given: Any) -> Any:
        return [_shown(delivery) for delivery in self._altoviz.deliveries]


def _answer(handler: Handler, body: bytes, *path: str) -> Answer:
    try:
        given = exact_json.loads(body.decode()) if body else None
        return value(handler(given, *path))
    except NoSuchObject as error:
        status, message = HTTPStatus.NOT_FOUND, str(error)
    except Refused as error:
        status, message = HTTPStatus.CONFLICT, str(error)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        status, message = HTTPStatus.BAD_REQUEST, f"This is not understood: {error}"
    return value({"message": message}, status)


def _shown(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.event_id,
        "type": delivery.type.value,
        "object": delivery.object_id,
        "url": delivery.url,
        "status": delivery.status,
        "error": delivery.error,
    }
