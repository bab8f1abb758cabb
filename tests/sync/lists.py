"""Serve Altoviz lists and objects over HTTP, which a test can change at any moment."""

from __future__ import annotations

import json
import re

from django_altoviz import exact_json
from django_altoviz.event_types import Entity, EventType
from django_altoviz.samples import sample
from tests.client.scripted import Answer

KEY = "11111111-2222-3333-4444-555555555555"
_PATHS = {
    "Customers": Entity.CUSTOMER,
    "Contacts": Entity.CONTACT,
    "Products": Entity.PRODUCT,
    "SaleInvoices": Entity.INVOICE,
    "SaleQuotes": Entity.QUOTE,
    "SaleCredits": Entity.CREDIT,
}


def customer(id, **data):
    return sample(EventType.CUSTOMER_UPDATED).data | {"id": id} | data


def invoice(id, **data):
    return sample(EventType.INVOICE_UPDATED).data | {"id": id} | data


def quote(id, **data):
    return sample(EventType.QUOTE_UPDATED).data | {"id": id} | data


def credit(id, **data):
    return sample(EventType.CREDIT_UPDATED).data | {"id": id} | data


def value(data, status=200, **headers):
    named = {name.replace("_", "-"): str(text) for name, text in headers.items()}
    text = exact_json.dumps(data)
    ascii = "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in text)
    return Answer(status, ascii.encode(), named)


class Lists:
    """The lists of a company. ``objects[entity]`` are its objects by id, in the order of the list.

    ``before[n]`` is called before request number n is answered, counted from 1. If it returns
    something, that is the answer. ``after[n]`` is called by the client when it has the answer. The
    key ``"each"`` stands for every request. ``answers`` are fixed answers by path.
    """

    def __init__(self, page_size=100):
        self.objects = {entity: {} for entity in Entity}
        self.page_size = page_size
        self.requests = []
        self.before = {}
        self.after = {}
        self.answers = {}
        self.without_lines = False
        self.sends_counts = True
        self.unlisted = 0  # the length that Altoviz sends counts this many rows more than it lists

    def answered(self):
        hook = self.after.get(len(self.requests)) or self.after.get("each")
        if hook:
            hook()

    def add(self, entity, *objects):
        self.objects[entity] |= {each["id"]: each for each in objects}

    def answer(self, request):
        self.requests.append((request.path, request.query))
        hook = self.before.get(len(self.requests)) or self.before.get("each")
        if hook and (answer := hook()) is not None:
            return answer
        if request.headers.get("X-API-KEY") != KEY:
            return Answer(401)
        if request.path in self.answers:
            return self.answers[request.path]
        _, _, name, id = re.fullmatch(r"(/v1)(/)(\w+)(?:/(\d+))?", request.path).groups()
        objects = self.objects[_PATHS[name]]
        if id is None:
            return self.page(objects, request.query)
        if int(id) not in objects:
            return value({"errors": [], "message": "not found."}, 404)
        return value(objects[int(id)])

    def page(self, objects, query):
        # Altoviz omits cancelled documents unless the client asks for them.
        listed = [
            each
            for each in objects.values()
            if not each.get("isCancelled") or query.get("IncludeCancelled") == "true"
        ]
        number = int(query["PageIndex"])
        rows = listed[(number - 1) * self.page_size : number * self.page_size]
        if self.without_lines:
            rows = [row | {"lines": None} if "lines" in row else row for row in rows]
        pages = -(-len(listed) // self.page_size)
        counts = (
            {"x_page_count": pages, "x_record_count": len(listed) + self.unlisted}
            if self.sends_counts
            else {}
        )
        return value(rows, **counts)

    @property
    def lookups(self):
        """Return the paths of the requests for single objects."""
        return [path for path, query in self.requests if not query]
