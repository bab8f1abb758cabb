"""``FakeAltoviz``: a local stand-in for Altoviz, for development and tests."""

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

from django_altoviz.testing.fake.answers import Answer, Request, json_answer
from django_altoviz.testing.fake.api import API, too_many_requests
from django_altoviz.testing.fake.behaviour import Behaviour
from django_altoviz.testing.fake.company import Company
from django_altoviz.testing.fake.context import Context
from django_altoviz.testing.fake.control import Control
from django_altoviz.testing.fake.deliveries import Deliveries, Delivery, Transport
from django_altoviz.testing.fake.server import BREAK_OFF, DRIP, RESET, Server
from django_altoviz.testing.fake.webhooks import FakeWebhooks

API_KEY = "0f4e0000-fa4e-4000-8000-000000000000"


class FakeAltoviz:
    """A fake Altoviz on loopback with one company: its API answers, its webhooks deliver.

    The server runs from ``start()`` to ``stop()``, or inside a ``with`` statement. ``customers``,
    ``contacts``, ``products``, ``invoices``, ``quotes`` and ``credits`` hold the objects and the
    methods to change them; ``webhooks`` holds the registered webhooks.

    The same ``seed`` invents the same objects and injects the same faults into deliveries. Event
    ids differ in each run, because the project's database may hold the events of an earlier run.
    ``clock`` returns the seconds since 1970; the rate limit, the list of webhooks and all dates use
    it. ``transport`` replaces HTTP for deliveries and runs in the thread that calls ``wait()``.
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
        self.webhooks = FakeWebhooks(self._get_behaviour, clock)
        self._deliveries = Deliveries(self.webhooks, self._get_behaviour, Random(seed), transport)
        self.company = Company(
            Context(self._deliveries.emit, self._get_behaviour, seed=seed, clock=clock)
        )
        self.customers = self.company.customers
        self.contacts = self.company.contacts
        self.products = self.company.products
        self.invoices = self.company.invoices
        self.quotes = self.company.quotes
        self.credits = self.company.credits
        #: The requests so far, without those that ``fail_next`` answered with a status.
        self.requests: list[Request] = []
        self._api = API(self.company, self.webhooks, api_key, clock=clock)
        self._control = Control(
            self.company,
            behave=self.behave,
            fail_next=self.fail_next,
            deliveries=lambda: self.deliveries,
        )
        self._faults: deque[str | int | None] = deque()
        self._lock = threading.Lock()
        self._server = Server(self._answer, port)

    @property
    def url(self) -> str:
        """The URL of the server, for ``BASE_URL``."""
        return self._server.url

    @property
    def settings(self) -> dict[str, Any]:
        """The keys of ``ALTOVIZ`` that make the client talk to this fake."""
        return {"API_KEY": self.api_key, "BASE_URL": self.url}

    @property
    def deliveries(self) -> list[Delivery]:
        """All deliveries to the webhooks so far."""
        return list(self._deliveries.sent)

    def populate(self, **counts: int) -> None:
        """Invent N ``customers``, ``products``, ``invoices``, ``quotes`` or ``credits``, without any events.

        They are the objects that the company had before the project heard of it.
        """
        self.company.populate(**counts)

    def behave(self, **switches: Any) -> None:
        """Set some switches of ``Behaviour`` from now on."""
        self.behaviour = replace(self.behaviour, **switches)

    def fail_next(self, *faults: str | int | None) -> None:
        """Set the faults of the next requests, one each. This replaces faults set earlier.

        ``"reset"`` resets the connection before the answer, ``"break off"`` closes it in the middle
        of the answer, ``"drip"`` sends the answer slowly. A number answers with that status, such as
        429 or 500, and does nothing else. ``None`` means no fault.
        """
        for fault in faults:
            if fault not in (RESET, BREAK_OFF, DRIP, None) and not isinstance(fault, int):
                raise ValueError(f"{fault!r} is not a fault.")
        with self._lock:
            self._faults = deque(faults)

    def wait(self) -> list[Delivery]:
        """Wait until every event so far is delivered. Return all deliveries so far."""
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

    def _get_behaviour(self) -> Behaviour:
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
            return json_answer({"errors": [], "message": "An error occured"}, status)
        return Answer(status)
