"""The client for one Altoviz account, with a resource for each kind of object."""

from __future__ import annotations

from functools import cached_property
from types import TracebackType
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from django_altoviz.client.http_client import HTTPClient
from django_altoviz.client.resources import (
    ContactResource,
    CreditResource,
    CustomerResource,
    InvoiceResource,
    ProductResource,
    QuoteResource,
    Resource,
    WebhookResource,
)
from django_altoviz.client.retries import AltovizRetry
from django_altoviz.conf import DEFAULT_ACCOUNT, get_account
from django_altoviz.event_types import Entity
from django_altoviz.exceptions import QuotaUsedUp


class AltovizClient(HTTPClient):
    """Client for the API of an Altoviz account, to read its objects and manage its webhooks.

    Each of ``customers``, ``contacts``, ``products``, ``invoices``, ``quotes``, ``credits`` and
    ``webhooks`` is a resource with methods of its own. Objects are dictionaries as Altoviz sends them, with
    ``Decimal`` for numbers that have a point.

    A client has one session: use one client per thread.
    """

    @classmethod
    def for_account(cls, name: str = DEFAULT_ACCOUNT, **options: Any) -> AltovizClient:
        """Return the client for an account of ``ALTOVIZ``. The options are those of the class.

        Raises:
            UnknownAccount: ``ALTOVIZ`` has no such account.
            ImproperlyConfigured: the account has no ``API_KEY``, or a key that can't be sent.
        """
        account = get_account(name)
        if not account.api_key:
            raise ImproperlyConfigured(
                f'Account "{name}" has no API_KEY in ALTOVIZ. Create one in Altoviz, under API keys.'
            )
        return cls(
            account.api_key,
            account.base_url,
            requests_per_minute=account.api_requests_per_minute,
            secrets=account.webhook_secrets,
            **options,
        )

    @classmethod
    def impatient(cls, name: str, *, timeout: tuple[float, float], **options: Any) -> AltovizClient:
        """Return a client that neither repeats a request nor waits, because somebody waits for the answer.

        Raises:
            UnknownAccount, ImproperlyConfigured: as ``for_account``.
        """
        client = cls.for_account(
            name, retry=AltovizRetry(total=0), timeout=timeout, read_attempts=1, **options
        )
        client.rate_limiter.on_wait = _never_wait
        return client

    @cached_property
    def customers(self) -> CustomerResource:
        return CustomerResource(self)

    @cached_property
    def contacts(self) -> ContactResource:
        return ContactResource(self)

    @cached_property
    def products(self) -> ProductResource:
        return ProductResource(self)

    @cached_property
    def invoices(self) -> InvoiceResource:
        return InvoiceResource(self)

    @cached_property
    def quotes(self) -> QuoteResource:
        return QuoteResource(self)

    @cached_property
    def credits(self) -> CreditResource:
        return CreditResource(self)

    @cached_property
    def webhooks(self) -> WebhookResource:
        return WebhookResource(self)

    def resource(self, entity: Entity) -> Resource:
        """Return the resource for a kind of object: ``quotes`` for ``Entity.QUOTE``."""
        resources: dict[Entity, Resource] = {
            Entity.CUSTOMER: self.customers,
            Entity.CONTACT: self.contacts,
            Entity.PRODUCT: self.products,
            Entity.INVOICE: self.invoices,
            Entity.QUOTE: self.quotes,
            Entity.CREDIT: self.credits,
        }
        return resources[entity]

    def hello(self) -> dict[str, Any]:
        """Return the owner of the key: ``companyName``, ``apiKeyName``, ``serverTimestamp``."""
        return self.get_object("Hello")

    def settings(self) -> dict[str, Any]:
        """Return the company's settings, by group."""
        return self.get_object("v1/Settings")

    def __enter__(self) -> AltovizClient:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()


def _never_wait(seconds: float) -> None:
    raise QuotaUsedUp(f"The quota is used up for {seconds:.0f} seconds.")
