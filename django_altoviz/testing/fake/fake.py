"""``FakeAltoviz``: an Altoviz of one's own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from random import Random
from types import TracebackType
from typing import Any

from django_altoviz.testing.fake.answers import Answer, Request, value
from django_altoviz.testing.fake.api import API, too_many_requests
from django_altoviz.testing.fake.behaviour import Behaviour
from django_altoviz.testing.fake.company import Company
from django_altoviz.testing.fake.control import Control
from django_altoviz.testing.fake.deliveries import Deliveries, Delivery, Transport
from django_altoviz.testing.fake.server import BREAK_OFF, DRIP, RESET, Server
from django_altoviz.testing.fake.webhooks import Webhooks

API_KEY = "0f4e0000-fa4e-4000-8000-000000000000"


class FakeAltoviz:
    """A company at an Altoviz on loopback, whose API answers and whose webhooks deliver.

    It is there from ``start`` to ``stop``, or within a ``with`` statement. ``customers``,
    ``contacts``, ``products``, ``invoices``, ``quotes`` and ``credits`` are its objects and what can
    be done with them; ``webhooks`` are those that are registered.

    The same ``seed`` invents the same objects and draws the same fates of deliveries. The ids of
    events are new each time, for a database may remember those of a run before. ``clock`` gives the
    time in seconds since 1970, for the quota, the list of webhooks and the dates. ``transport``
    delivers in place of HTTP, in the thread that calls ``wait``.
    """

    def __init__(
        self,
        *,
        api_key: str = API_KEY,
        behaviour: Behaviour | None = None,
        seed: int = 0,
        port: int = 0,
        clock: Callable[[], float] = time.time,
        transport: Transport | None = None,
    ) -> None:
        self.api_key = api_key
        self.behaviour = behaviour or Behaviour()
        self.webhooks = Webhooks(self._behaviour, clock)
        self._deliveries = Deliveries(self.webhooks, self._behaviour, Random(seed), transport)
        self.company = Company(self._deliveries.tell, self._behaviour, seed=seed, clock=clock)
        self.customers = self.company.customers
        self.contacts = self.company.contacts
        self.products = self.company.products
        self.invoices = self.company.invoices
        self.quotes = self.company.quotes
        self.credits = self.company.credits
        #: The requests so far, without those that a fault ended.
        self.requests: list[Request] = []
        self._api = API(self.company, self.webhooks, api_key, clock=clock)
        self._control = Control(self)
        self._faults: deque[str | int | None] = deque()
        self._lock = threading.Lock()
        self._server = Server(self._answer, port)

    @property
    def url(self) -> str:
        """The ``BASE_URL``."""
        return self._server.url

    @property
    def settings(self) -> dict[str, Any]:
        """What ``ALTOVIZ`` needs to reach it."""
        return {"API_KEY": self.api_key, "BASE_URL": self.url}

    @property
    def deliveries(self) -> list[Delivery]:
        """What the webhooks were told so far."""
        return list(self._deliveries.sent)

    def populate(self, **counts: int) -> None:
        """Invent so many ``customers``, ``products``, ``invoices`` and ``quotes`` that have been
        there before: nobody is told of them."""
        self.company.populate(**counts)

    def behave(self, **switches: Any) -> None:
        """Change some switches of ``Behaviour`` from now on."""
        self.behaviour = replace(self.behaviour, **switches)

    def fail_next(self, *faults: str | int | None) -> None:
        """What becomes of the next requests, one after the other; what was said before is forgotten.

        ``"reset"``: the connection is reset before the answer; ``"break off"``: in its middle;
        ``"drip"``: the answer comes slowly. A number: that status is answered, such as 429 or 500,
        and nothing else happens. ``None``: all goes well.
        """
        for fault in faults:
            if fault not in (RESET, BREAK_OFF, DRIP, None) and not isinstance(fault, int):
                raise ValueError(f"{fault!r} is no fault.")
        with self._lock:
            self._faults = deque(faults)

    def wait(self) -> list[Delivery]:
        """Wait until the webhooks are told of all that happened. Return all deliveries so far."""
        return self._deliveries.wait()

    def start(self) -> FakeAltoviz:
        self._deliveries.start()
        self._server.start()
        return self

    def stop(self) -> None:
        self._server.stop()
        self._deliveries.stop()

    def __enter__(self) -> FakeAltoviz:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()

    def _behaviour(self) -> Behaviour:
        return self.behaviour

    def _answer(self, request: Request) -> tuple[Answer, str | None]:
        if request.path.startswith("/fake"):
            return self._control.answer(request), None
        with self._lock:
            fault = self._faults.popleft() if self._faults else None
        if isinstance(fault, int):
            return self._failure(fault), None
        self.requests.append(request)
        return self._api.answer(request), fault

    def _failure(self, status: int) -> Answer:
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return too_many_requests(1.0, self.behaviour)
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return value({"errors": [], "message": "An error occured"}, status)
        return Answer(status)
