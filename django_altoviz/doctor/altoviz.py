"""Altoviz: the API key, the registration, the rate limit, and the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive
from django.utils.translation import gettext as _

from django_altoviz.client.secrecy import without_password
from django_altoviz.conf import Account
from django_altoviz.doctor.findings import (
    Finding,
    Visit,
    doubtful,
    failing,
    findings_of,
    skipped,
    well,
)
from django_altoviz.exceptions import APIFailure
from django_altoviz.overview.remote import (
    TIME_TO_ANSWER,
    KeyState,
    RemoteState,
    WebhookState,
    ask,
    limited_client,
)

# Altoviz answers 429 to more requests in a minute [observed].
_MOST_REQUESTS = 100
_MOST_SECONDS_OFF = 60


def examine_altoviz(visit: Visit) -> Iterator[Finding]:
    if visit.offline:
        yield skipped("API key", _("Altoviz was not asked, because of --offline."))
        return
    answers = ask([account.name for account in visit.accounts])
    for account in visit.accounts:
        answer = answers[account.name]
        yield from _about_key(account, answer)
        yield from _about_webhook(account, answer)
        yield from _about_limit(account, answer)
    valid = [each for each in visit.accounts if answers[each.name].key == KeyState.VALID]
    for account in valid[:1]:
        yield from findings_of("clock", partial(_about_clock, account), visit)


def _about_key(account: Account, answer: RemoteState) -> Iterator[Finding]:
    about = {"name": account.name, "company": answer.company}
    if answer.key == KeyState.VALID:
        yield well("API key", _("The key of account “%(name)s” is valid: %(company)s") % about)
    elif answer.key == KeyState.REFUSED:
        cause = _("Altoviz does not accept the API key of account “%(name)s”.")
        cure = _("Check its API_KEY and BASE_URL in ALTOVIZ, or create a new key in Altoviz.")
        yield failing("API key", cause % about, cure)
    elif answer.key == KeyState.OTHER_COMPANY:
        cause = _("The API key of account “%(name)s” reads no object of the mirror: %(company)s")
        cure = _("It is another company's. Use the key of the company that sends the deliveries.")
        yield failing("API key", cause % about, cure)
    elif answer.key == KeyState.MISSING:
        cause = _(
            "Account “%(name)s” has no API_KEY: it can neither register its webhook nor sync."
        )
        cure = _("Create one in Altoviz, under API keys, and add it to ALTOVIZ.")
        yield doubtful("API key", cause % about, cure)
    elif answer.problem not in _LIMITS:
        yield failing("API key", *_why_unknown(account, answer))


def _why_unknown(account: Account, answer: RemoteState) -> tuple[str, str]:
    about = {"url": without_password(account.base_url), "error": answer.detail or answer.problem}
    cure = _("Check the network, the proxy, the DNS and BASE_URL from this machine.")
    if answer.problem == TimeoutError.__name__:
        about["error"] = _("no answer in %(seconds)s seconds") % {"seconds": f"{TIME_TO_ANSWER:g}"}
    return _("Altoviz can't be asked at %(url)s: %(error)s") % about, cure


def _about_webhook(account: Account, answer: RemoteState) -> Iterator[Finding]:
    about = {"name": account.name, "url": account.webhook_url}
    name = "registration"
    register = _("Run altoviz_register_webhook --account %(name)s.") % about
    if not (account.webhook_url and account.webhook_secrets):
        cause = _("Account “%(name)s” lacks a WEBHOOK_URL or a WEBHOOK_SECRET to register.") % about
        cure = _("Set both in ALTOVIZ, and run altoviz_register_webhook.")
        yield doubtful(name, cause, cure)
    elif answer.webhook == WebhookState.RIGHT:
        cause = _("The webhook of account “%(name)s” is registered as it should be.")
        if not any(each["right"] and each["secret_compared"] for each in answer.webhooks):
            cause = _(
                "The webhook of account “%(name)s” is registered as it should be, as far as Altoviz "
                "shows it: its secret is hidden."
            )
        yield well(name, cause % about)
    elif answer.webhook == WebhookState.DIFFERS:
        fields = {field for webhook in answer.webhooks for field in webhook["differs"]}
        cause = _(
            "The registered webhook of account “%(name)s” differs from the settings in: %(fields)s"
        )
        yield failing(name, cause % (about | {"fields": ", ".join(sorted(fields))}), register)
    elif answer.webhook == WebhookState.SEVERAL:
        cause = _("The webhook of account “%(name)s” is registered more than once.") % about
        yield doubtful(name, cause, register)
    elif answer.webhook == WebhookState.MISSING:
        cause = _("No webhook of account “%(name)s” is registered at Altoviz for %(url)s.") % about
        yield failing(name, cause, register)
    else:
        yield skipped(name, _("It is unknown what is registered for account “%(name)s”.") % about)


_LIMITS = ("QuotaUsedUp", "RateLimited")


def _about_limit(account: Account, answer: RemoteState) -> Iterator[Finding]:
    about = {"name": account.name, "requests": account.api_requests_per_minute}
    if answer.problem in _LIMITS:
        cause = _("The rate limit of account “%(name)s” is used up.") % about
        cure = _(
            "Wait a minute. If it happens often, find out who else uses the API key, and share "
            "one cache among all processes."
        )
        yield doubtful("quota", cause, cure)
    elif account.api_requests_per_minute > _MOST_REQUESTS:
        cause = _(
            "API_REQUESTS_PER_MINUTE of account “%(name)s” is %(requests)s, but Altoviz allows 100."
        )
        yield doubtful("quota", cause % about, _("Set it to 80, the default."))
    elif account.api_key:
        yield well("quota", _("The rate limit of account “%(name)s” is not used up.") % about)


def _about_clock(account: Account, visit: Visit) -> Iterator[Finding]:
    try:
        with limited_client(account) as client:
            stated = client.hello().get("serverTimestamp")
    except APIFailure as error:
        yield skipped("clock", _("Altoviz did not tell its time: %(error)s") % {"error": error})
        return
    ahead = _seconds_ahead(stated)
    if ahead is None:
        yield skipped("clock", _("Altoviz did not tell its time."))
    elif abs(ahead) > _MOST_SECONDS_OFF:
        cause = _("The clock of this machine differs from Altoviz's by %(seconds)s seconds.")
        cure = _("Synchronise it with NTP: leases, pauses and the order of syncs depend on it.")
        yield doubtful("clock", cause % {"seconds": round(ahead)}, cure)
    else:
        yield well("clock", _("The clock of this machine agrees with Altoviz's."))


def _seconds_ahead(stated: Any) -> float | None:
    """Return how far this machine's clock is ahead of the time that Altoviz states."""
    with suppress(ValueError):
        moment = parse_datetime(str(stated))
        if moment is not None and not is_naive(moment):
            return time.time() - moment.timestamp()
    return None
