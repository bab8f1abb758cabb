"""Calls to Altoviz: the client, a sync, and what both raise."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typing_extensions import assert_type

from django_altoviz.client import AltovizClient
from django_altoviz.event_types import Entity, EventType
from django_altoviz.exceptions import AllGone, APIError, APIFailure, ListsFailed, NotFound
from django_altoviz.models import SyncRun
from django_altoviz.sync import Watcher, sync, sync_for


def company(account: str = "default") -> str:
    with AltovizClient.for_account(account) as client:
        client.on_pause = print
        assert_type(client.settings(), dict[str, Any])
        return str(client.hello()["companyName"])


def numbers_since(client: AltovizClient, day: datetime.date) -> Iterator[str]:
    for invoice in client.invoices.all(start=day, customer_id=418206):
        assert_type(invoice, dict[str, Any])
        yield invoice["number"]
    assert_type(client.quotes.find(number="D7"), list[dict[str, Any]])


def contacts_of(client: AltovizClient, internal_id: str) -> list[dict[str, Any]]:
    try:
        customer = client.customers.get_by_internal_id(internal_id)
    except NotFound:
        return []
    return client.customers.contacts(customer["id"])


def keep_pdf(client: AltovizClient, id: int, folder: Path) -> Path:
    download = client.invoices.download(id)
    assert_type(download.filename, str)
    path = folder / (download.filename or f"{id}.pdf")
    download.save(path)
    return path


def replace_webhook(client: AltovizClient, url: str, secret: str) -> None:
    client.webhooks.unregister(url=url)
    client.webhooks.register(name="books", url=url, types=[*EventType], secret_key=secret)
    assert_type(client.webhooks.all(), list[dict[str, Any]])


def why(error: APIFailure) -> str:
    if isinstance(error, ListsFailed):
        return "; ".join(why(each) for each in error.failures)
    if isinstance(error, APIError):
        assert_type(error.status_code, int)
        return f"{error.status_code} {error.message} {', '.join(error.errors)}"
    return str(error)


class Progress(Watcher):
    def progressed(self, run: SyncRun) -> None:
        print(run.get_entity_display(), run.seen)


def reconcile(account: str = "default") -> bool:
    try:
        runs = sync(account, [Entity.CUSTOMER, Entity.INVOICE], watcher=Progress())
    except AllGone:
        return False
    assert_type(runs, list[SyncRun])
    return all(run.is_in_step for run in runs)


def reconcile_a_little(kinds: list[Entity]) -> list[Entity]:
    return sync_for("acme", 5.0, kinds, may_wait=True)
