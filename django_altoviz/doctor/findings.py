"""A finding of the doctor, and the visit in which it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections, models, router
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from django_altoviz.client.secrecy import passwords_in, redactor
from django_altoviz.conf import Account, account_names, get_account, used_account_names
from django_altoviz.exceptions import UnknownAccount
from django_altoviz.models import WebhookEvent, tables

_MOST_CHARACTERS = 500


class FindingState(models.TextChoices):
    OK = "ok", pgettext_lazy("a finding", "well")
    WARNING = "warning", pgettext_lazy("a finding", "warning")
    FAILURE = "failure", pgettext_lazy("a finding", "failure")
    SKIPPED = "skipped", pgettext_lazy("a finding", "skipped")


@dataclass(frozen=True)
class Finding:
    """The result of one examination: its state, the cause of it in words, and the cure."""

    name: str
    state: FindingState
    cause: str
    cure: str = ""

    def as_json(self) -> dict[str, str]:
        return vars(self) | {"state": self.state.value}


def well(name: str, cause: str) -> Finding:
    return Finding(name, FindingState.OK, cause)


def doubtful(name: str, cause: str, cure: str) -> Finding:
    return Finding(name, FindingState.WARNING, cause, cure)


def failing(name: str, cause: str, cure: str) -> Finding:
    return Finding(name, FindingState.FAILURE, cause, cure)


def skipped(name: str, reason: str) -> Finding:
    return Finding(name, FindingState.SKIPPED, reason)


@dataclass(frozen=True)
class Visit:
    """The questions of one run: which accounts, whom to ask, and for how long."""

    account: str | None = None
    offline: bool = False
    #: The seconds that a worker has for an answer.
    patience: float = 5.0
    #: A captured delivery: its body, and its ``X-SIGNATURE``.
    body: bytes | None = None
    signature: str = ""
    alias: str = field(default_factory=lambda: router.db_for_write(WebhookEvent))

    @cached_property
    def accounts(self) -> list[Account]:
        """Return the accounts whose settings can be read."""
        try:
            names = [self.account] if self.account else used_account_names()
        except ImproperlyConfigured:
            return []
        return [*_readable(names)]

    @cached_property
    def why_no_database(self) -> str:
        """Return why the database can't be read, or nothing."""
        try:
            with connections[self.alias].cursor() as cursor:
                cursor.execute("SELECT 1")
        except (Error, ImproperlyConfigured) as error:
            return str(error) or type(error).__name__
        return ""

    @cached_property
    def missing_tables(self) -> list[str]:
        return tables.missing(self.alias)

    @property
    def has_events(self) -> bool:
        """Return True if the events can be read."""
        return not (self.why_no_database or self.missing_tables)


Examination: TypeAlias = Callable[[Visit], Iterable[Finding]]


def findings_of(name: str, examination: Examination, visit: Visit) -> Iterator[Finding]:
    """Yield the findings of an examination. An exception in it is a finding, too."""
    try:
        yield from examination(visit)
    except Exception as error:  # whatever it is, the others are still made
        cause = _("The examination broke off: %(kind)s: %(error)s") % {
            "kind": type(error).__name__,
            "error": error,
        }
        cure = _("Correct what the error names, and run the command again.")
        yield failing(name, cause, cure)


def without_secrets(finding: Finding) -> Finding:
    """Return the finding without the secrets of the settings, on one line, and not endlessly long."""
    redact = redactor(_secrets())
    texts = (" ".join(redact(text).split()) for text in (finding.cause, finding.cure))
    cause, cure = (text[:_MOST_CHARACTERS] for text in texts)
    return replace(finding, cause=cause, cure=cure)


def _readable(names: Iterable[str]) -> Iterator[Account]:
    for name in names:
        try:
            yield get_account(name)
        except (ImproperlyConfigured, UnknownAccount):
            continue  # a system check tells of that


def _secrets() -> Iterator[str]:
    try:
        accounts = [*_readable(account_names())]
    except ImproperlyConfigured:
        accounts = []
    for account in accounts:
        yield from (*account.webhook_secrets, account.api_key)
        for url in (account.base_url, account.webhook_url):
            yield from passwords_in(url)
    databases: dict[str, Any] = settings.DATABASES
    for database in databases.values():
        yield str(database.get("PASSWORD") or "")
    for url in (getattr(settings, "CELERY_BROKER_URL", ""), *_cache_locations()):
        yield from passwords_in(str(url or ""))


def _cache_locations() -> Iterator[Any]:
    for cache in settings.CACHES.values():
        location = cache.get("LOCATION", "")
        yield from location if isinstance(location, (list, tuple)) else [location]
