"""The control API: paths under ``/fake``, to drive a fake that runs in another process."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from django_altoviz import exact_json
from django_altoviz.testing.fake.answers import Answer, Request, json_answer
from django_altoviz.testing.fake.company import Company
from django_altoviz.testing.fake.deliveries import Delivery
from django_altoviz.testing.fake.records import NoSuchObject, Refused

_RECORD_KINDS = "contacts|customers|products|invoices|quotes|credits"
_HELP = """\
Control this fake Altoviz. No key is needed. Bodies are JSON with Altoviz's field names.
{kind} is contacts, customers, products, invoices, quotes or credits.

GET    /fake/{kind}                  list all of them
POST   /fake/{kind}                  create one; without a body, an invented one
GET    /fake/{kind}/{id}             show one
PATCH  /fake/{kind}/{id}             change one
DELETE /fake/{kind}/{id}             delete one
POST   /fake/invoices/{id}/finalize, /send, /pay (in full, or {"amount": 10}), /cancel
POST   /fake/quotes/{id}/send, /accept, /refuse, /invoice
POST   /fake/credits/{id}/finalize, /send, /refund (in full, or {"amount": 10})
GET    /fake/behaviour               show the switches
PATCH  /fake/behaviour               set some switches: {"drop": 0.1}
POST   /fake/faults                  set the faults of the next requests: ["reset", 429]
GET    /fake/deliveries              list the deliveries to webhooks, with the answers they got
"""
_ACTIONS = {
    "invoices": {"finalize", "send", "pay", "cancel"},
    "quotes": {"send", "accept", "refuse", "invoice"},
    "credits": {"finalize", "send", "refund"},
}

ControlHandler = Callable[..., Any]


class Control:
    def __init__(
        self,
        company: Company,
        *,
        behave: Callable[..., None],
        fail_next: Callable[..., None],
        deliveries: Callable[[], list[Delivery]],
    ) -> None:
        self._records = company.records
        self._switches = company.context.behaviour
        self._behave, self._fail_next, self._deliveries = behave, fail_next, deliveries
        self._routes: dict[str, dict[str, ControlHandler]] = {
            "/fake/behaviour": {"GET": self._get_behaviour, "PATCH": self._set_behaviour},
            "/fake/faults": {"POST": self._set_faults},
            "/fake/deliveries": {"GET": self._list_deliveries},
            f"/fake/({_RECORD_KINDS})": {"GET": self._list, "POST": self._create},
            f"/fake/({_RECORD_KINDS})/([0-9]+)": {
                "GET": self._get,
                "PATCH": self._change,
                "DELETE": self._delete,
            },
            f"/fake/({_RECORD_KINDS})/([0-9]+)/([a-z]+)": {"POST": self._act},
        }

    def answer(self, request: Request) -> Answer:
        for pattern, handlers in self._routes.items():
            match = re.fullmatch(pattern, request.path)
            if match and (handler := handlers.get(request.method)):
                return _answer(handler, request.body, *match.groups())
        status = HTTPStatus.OK if request.path == "/fake" else HTTPStatus.NOT_FOUND
        return Answer(status, _HELP.encode(), {"content-type": "text/plain; charset=utf-8"})

    def _list(self, body: Any, kind: str) -> Any:
        return list(self._records[kind].all())

    def _create(self, body: Any, kind: str) -> Any:
        return self._records[kind].create(**(body or {}))

    def _get(self, body: Any, kind: str, id: str) -> Any:
        return self._records[kind].get(int(id))

    def _change(self, body: Any, kind: str, id: str) -> Any:
        return self._records[kind].change(int(id), **(body or {}))

    def _delete(self, body: Any, kind: str, id: str) -> Any:
        return self._records[kind].delete(int(id))

    def _act(self, body: Any, kind: str, id: str, action: str) -> Any:
        if action not in _ACTIONS.get(kind, ()):
            raise NoSuchObject(f"{kind} can't {action}.")
        return getattr(self._records[kind], action)(int(id), **(body or {}))

    def _get_behaviour(self, body: Any) -> Any:
        return asdict(self._switches())

    def _set_behaviour(self, body: Any) -> Any:
        self._behave(**(body or {}))
        return asdict(self._switches())

    def _set_faults(self, body: Any) -> Any:
        self._fail_next(*(body or []))
        return body

    def _list_deliveries(self, body: Any) -> Any:
        return [_summary(delivery) for delivery in self._deliveries()]


def _answer(handler: ControlHandler, body: bytes, *path: str) -> Answer:
    try:
        return json_answer(handler(exact_json.loads(body.decode()) if body else None, *path))
    except NoSuchObject as error:
        status, message = HTTPStatus.NOT_FOUND, str(error)
    except Refused as error:
        status, message = HTTPStatus.CONFLICT, str(error)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        status, message = HTTPStatus.BAD_REQUEST, f"Invalid request: {error}"
    return json_answer({"message": message}, status)


def _summary(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.event_id,
        "type": delivery.type.value,
        "object": delivery.object_id,
        "url": delivery.url,
        "status": delivery.status,
        "error": delivery.error,
    }
