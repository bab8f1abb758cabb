"""Questions to Altoviz about an account: is its key valid, which webhooks are registered, are they right.

The answers are kept in Django's default cache, without any secret.
"""

from __future__ import annotations

import datetime
import re
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections, models, router
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from django_altoviz import registration
from django_altoviz.client import AltovizClient
from django_altoviz.conf import Account, get_account
from django_altoviz.exceptions import APIFailure, NotAuthorized, UnknownAccount
from django_altoviz.masking import SecretMask
from django_altoviz.models import MIRRORS, SyncRun, queue
from django_altoviz.registration import Plan, Registered, Wanted
from django_altoviz.sync.key_check import Probe, can_read_any, newest_objects

#: The seconds that ``ask`` takes at most, for all accounts together.
TIME_TO_ANSWER = 3.0
# The seconds until the connection to Altoviz is made.
_CONNECT_TIMEOUT = 2.0
# A list of webhooks has a few thousand bytes.
_LONGEST_ANSWER = 2**20
_MOST_WEBHOOKS = 50
_LONGEST_TEXT = 500
_KEPT = datetime.timedelta(days=1)
_USER_IN_URL = re.compile(r"//[^/?#]*@")


class KeyState(models.TextChoices):
    VALID = "valid", pgettext_lazy("an API key", "valid")
    REFUSED = "refused", pgettext_lazy("an API key", "refused")
    OTHER_COMPANY = "other company", pgettext_lazy("an API key", "of another company")
    MISSING = "missing", pgettext_lazy("an API key", "missing")
    UNKNOWN = "unknown", pgettext_lazy("an API key", "unknown")


class WebhookState(models.TextChoices):
    RIGHT = "right", pgettext_lazy("a webhook", "right")
    DIFFERS = "differs", pgettext_lazy("a webhook", "differs")
    SEVERAL = "several", pgettext_lazy("a webhook", "registered more than once")
    MISSING = "missing", pgettext_lazy("a webhook", "not registered")
    NOT_CONFIGURED = "not configured", pgettext_lazy("a webhook", "not configured")
    UNKNOWN = "unknown", pgettext_lazy("a webhook", "unknown")


@dataclass(frozen=True)
class RemoteState:
    """The state of an account at Altoviz at a time, as far as Altoviz answered.

    ``problem`` is the name of the exception if it did not, ``detail`` its text. ``webhooks`` are all
    that are registered, each with what ``compare_webhook`` finds.
    """

    asked_at: datetime.datetime
    key: KeyState = KeyState.UNKNOWN
    company: str = ""
    webhook: WebhookState = WebhookState.UNKNOWN
    webhooks: tuple[Mapping[str, Any], ...] = ()
    problem: str = ""
    detail: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"asked_at": self.asked_at.isoformat()}

    def explain(self, account: str) -> str:
        """Return why Altoviz did not answer, or nothing."""
        text = _EXPLANATIONS.get(self.problem)
        return text % {"name": account} if text else self.detail or self.problem


_NOT_REACHED = _(
    "Altoviz can't be reached, or its answer broke off. Check the network, the proxy and the BASE_URL "
    "of account “%(name)s”."
)
# The problem of a key that is valid.
_MAY_NOT_ASK = "NotAuthorized for this"
_LIMITED = _("The rate limit of account “%(name)s” is used up. Ask again in a minute.")
_EXPLANATIONS: Mapping[str, Any] = {
    "NotAuthorized": _(
        "Altoviz does not accept the API key of account “%(name)s”. Check its API_KEY and BASE_URL "
        "in ALTOVIZ."
    ),
    _MAY_NOT_ASK: _(
        "Altoviz accepts the API key of account “%(name)s”, but does not let it list the webhooks or "
        "read objects. Check the rights of the key at Altoviz."
    ),
    "ConnectionFailed": _NOT_REACHED,
    "Unreachable": _NOT_REACHED,
    "QuotaUsedUp": _LIMITED,
    "RateLimited": _LIMITED,
    "TimeoutError": _(
        "Altoviz has not answered yet about account “%(name)s”. Look at this page again in a moment."
    ),
}


def ask(names: Iterable[str], seconds: float = TIME_TO_ANSWER) -> dict[str, RemoteState]:
    """Ask Altoviz about these accounts, all at once, and return what is known after that time.

    Each question has a thread: no timeout limits the look-up of a name in the DNS. An answer that comes
    later is kept as well.
    """
    deadline = time.monotonic() + seconds
    questions = [_Question(name) for name in names]
    for question in questions:
        question.start()
    for question in questions:
        question.join(max(deadline - time.monotonic(), 0))
    return {question.account: question.answer for question in questions}


def stored_answers(names: Iterable[str]) -> dict[str, RemoteState]:
    """Return the last answers about these accounts, as far as they are in the cache.

    An answer about other settings than those of now does not count.
    """
    keys = {}
    for name in names:
        with suppress(ImproperlyConfigured, UnknownAccount):
            keys[_cache_key(get_account(name))] = name
    with suppress(Exception):  # each cache backend has exceptions of its own
        return {keys[key]: answer for key, answer in cache.get_many(keys).items()}
    return {}


def limited_client(account: Account, seconds: float = TIME_TO_ANSWER) -> AltovizClient:
    """Return a client that neither repeats a request nor waits, because somebody looks at a page."""
    return AltovizClient.impatient(
        account.name,
        timeout=(_CONNECT_TIMEOUT, seconds),
        time_limit=seconds,
        max_answer_bytes=_LONGEST_ANSWER,
    )


class _Question(threading.Thread):
    """A question about one account. It holds up neither another one nor the end of the process."""

    def __init__(self, account: str) -> None:
        super().__init__(daemon=True)
        self.account = account
        self.answer = RemoteState(queue.clock(), problem=TimeoutError.__name__)
        # Read here, because a thread would have a connection to the database of its own.
        using = router.db_for_write(SyncRun)
        self._probes: list[Probe] = []
        with suppress(Error):  # without the database, the key and the webhook can be asked for
            self._probes = list(newest_objects(account, MIRRORS, using))

    def run(self) -> None:
        try:
            account = get_account(self.account)
            self.answer = _answer_about(account, self._probes)
            with suppress(Exception):  # see stored_answers
                cache.set(_cache_key(account), self.answer, _KEPT.total_seconds())
        except Exception as error:  # whatever it is, the page is shown
            # The text of any other error may quote what was sent.
            detail = str(error) if isinstance(error, ImproperlyConfigured) else ""
            self.answer = replace(self.answer, problem=type(error).__name__, detail=detail)
        finally:
            connections.close_all()  # the cache may be a table


def _answer_about(account: Account, probes: list[Probe]) -> RemoteState:
    # Masked before it is cut, or the cut could leave a part of a secret.
    mask = SecretMask()
    answer = RemoteState(queue.clock())
    if not account.api_key:
        return replace(answer, key=KeyState.MISSING)
    try:
        with limited_client(account) as client:
            company = client.hello().get("companyName")
            answer = replace(
                answer, key=KeyState.VALID, company=mask(str(company or ""))[:_LONGEST_TEXT]
            )
            answer = replace(answer, **_findings(account, client.webhooks.all(), mask))
            if probes and not can_read_any(client, probes):
                answer = replace(answer, key=KeyState.OTHER_COMPANY)
    except APIFailure as error:
        problem, detail = type(error).__name__, mask(str(error))[:_LONGEST_TEXT]
        if isinstance(error, NotAuthorized) and answer.key == KeyState.VALID:
            problem = _MAY_NOT_ASK
        elif isinstance(error, NotAuthorized):
            answer = replace(answer, key=KeyState.REFUSED)
        return replace(answer, problem=problem, detail=detail)
    return answer


def _findings(account: Account, rows: list[dict[str, Any]], mask: SecretMask) -> dict[str, Any]:
    wanted = Wanted.by(account)
    listed = [Registered.read(row) for row in rows]
    is_configured = bool(wanted.url and wanted.secret)
    plan = registration.plan(rows, wanted)
    state = state_of(plan) if is_configured else WebhookState.NOT_CONFIGURED
    # Ours come first, because a list may be too long to be shown.
    found = [_finding(webhook, wanted, mask) for webhook in listed]
    found.sort(key=lambda finding: not finding["ours"])
    return {"webhook": state, "webhooks": tuple(found[:_MOST_WEBHOOKS])}


def _finding(webhook: Registered, wanted: Wanted, mask: SecretMask) -> dict[str, Any]:
    finding = registration.compare_webhook(webhook, wanted)
    shown = registration.webhook_as_json(webhook) | {"url": without_user(webhook.url)}
    if not finding["ours"]:
        shown["url"] = host_of(webhook.url)
    for name in ("name", "url"):
        shown[name] = mask(shown[name])[:_LONGEST_TEXT]
    return shown | finding


def state_of(plan: Plan) -> WebhookState:
    """Return the state of the account's webhook."""
    if plan.is_done:
        return WebhookState.RIGHT
    if plan.keep:
        return WebhookState.SEVERAL
    return WebhookState.DIFFERS if plan.remove else WebhookState.MISSING


def without_user(url: str) -> str:
    """Return the URL without user and password, even if it is no valid URL."""
    return _USER_IN_URL.sub("//", url)


def host_of(url: str) -> str:
    """Return the URL without its path: whoever knows that of another project's webhook may post to it."""
    scheme, separator, rest = without_user(url).rpartition("//")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    return f"{scheme}{separator}{host}/…"


def _cache_key(account: Account) -> str:
    settings = repr(sorted(vars(account).items()))
    return f"django_altoviz.overview.{sha256(settings.encode(errors='replace')).hexdigest()}"
