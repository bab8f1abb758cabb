"""System checks of the ``ALTOVIZ`` setting. None of them asks the network or the database."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from django_altoviz.checks.accounts import keys, secrets, unsafe, urls
from django_altoviz.conf import (
    ACCOUNT_NAME,
    ACCOUNT_SETTINGS,
    APP_SETTINGS,
    DEFAULT_ACCOUNT,
    Account,
    account_names,
    app_settings,
    configured,
    get_account,
)
from django_altoviz.dispatchers import get_dispatch
from django_altoviz.intake import addresses
from django_altoviz.retention import longest

#: What the dispatchers need that need a package of others.
_EXTRAS = {
    "django_altoviz.dispatchers.celery": "celery",
    "django_altoviz.dispatchers.django_tasks": "tasks",
}
_POSITIVE = (
    "MAX_BODY_BYTES",
    "LEASE_SECONDS",
    "MAX_ATTEMPTS",
    "RETRY_BACKOFF_SECONDS",
    "RETRY_BACKOFF_MAX_SECONDS",
    "RETENTION_DAYS",
    "DEDUPE_DAYS",
)


def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """What is missing, unknown, contradictory or of the wrong kind."""
    broken = [*_types()]
    if broken:
        return broken  # the rest would only stumble over the same
    accounts = [get_account(name) for name in account_names()]
    return [
        *_unknown(),
        *_dispatcher(),
        *_numbers(accounts),
        *_windows(),
        *_networks(accounts),
        *secrets(accounts),
        *keys(accounts),
        *urls(accounts),
    ]


def check_security(**kwargs: Any) -> list[CheckMessage]:
    """What must not go into production (``check --deploy``)."""
    if [*_types()]:
        return []
    accounts = [get_account(name) for name in account_names()]
    return [message for account in accounts for message in unsafe(account)]


def _types() -> Iterator[CheckMessage]:
    try:
        values = configured()
        for name in APP_SETTINGS:
            getattr(app_settings, name)
        accounts: Mapping[str, Any] = values.get("ACCOUNTS", {})
    except ImproperlyConfigured as error:
        yield Error(
            str(error),
            hint=_("The README lists the settings and their values."),
            id="django_altoviz.E001",
        )
        return
    for name in [DEFAULT_ACCOUNT, *accounts]:
        try:
            get_account(name)
        except ImproperlyConfigured as error:
            yield Error(
                _("Account “%(name)s”: %(error)s") % {"name": name, "error": error},
                hint=_("The README lists the settings and their values."),
                id="django_altoviz.E001",
            )


def _unknown() -> Iterator[CheckMessage]:
    known = {*APP_SETTINGS, *ACCOUNT_SETTINGS}
    values = configured()
    for key in sorted(set(map(str, values)) - known):
        yield _unknown_key(f'ALTOVIZ["{key}"]', known)
    for name, account in values.get("ACCOUNTS", {}).items():
        for key in sorted(set(map(str, account)) - set(ACCOUNT_SETTINGS)):
            yield _unknown_key(f'ALTOVIZ["ACCOUNTS"]["{name}"]["{key}"]', set(ACCOUNT_SETTINGS))
        if name == DEFAULT_ACCOUNT:
            yield Error(
                _('ALTOVIZ["ACCOUNTS"] has an account “default”.'),
                hint=_(
                    "The default account stands at the top of ALTOVIZ; name this one otherwise."
                ),
                id="django_altoviz.E003",
            )
        elif not isinstance(name, str) or not ACCOUNT_NAME.fullmatch(name):
            yield Error(
                _("“%(name)s” can't be the name of an account.") % {"name": name},
                hint=_("It stands in the webhook's URL: use up to 64 letters, digits, - and _."),
                id="django_altoviz.E004",
            )


def _unknown_key(where: str, known: set[str]) -> CheckMessage:
    return Error(
        _("%(where)s is not a setting of django-altoviz.") % {"where": where},
        hint=_("Known settings: %(known)s.") % {"known": ", ".join(sorted(known))},
        id="django_altoviz.E002",
    )


def _dispatcher() -> Iterator[CheckMessage]:
    try:
        get_dispatch()
    except ImproperlyConfigured as error:
        extra = _EXTRAS.get(app_settings.DISPATCHER)
        if extra is not None and isinstance(error.__cause__, ImportError):
            hint = _("Install the extra: django-altoviz[%(extra)s].") % {"extra": extra}
        else:
            hint = _(
                "Use “django_altoviz.dispatchers.inline”, “…deferred”, “…celery” or "
                "“…django_tasks”, or a module of yours."
            )
        yield Error(str(error), hint=hint, id="django_altoviz.E005")


def _numbers(accounts: Sequence[Account]) -> Iterator[CheckMessage]:
    values = [(name, getattr(app_settings, name)) for name in _POSITIVE]
    values += [("API_REQUESTS_PER_MINUTE", account.api_requests_per_minute) for account in accounts]
    for name, value in values:
        if value is not None and not 0 < value < math.inf:
            yield Error(
                _('ALTOVIZ["%(name)s"] must be more than 0.') % {"name": name},
                id="django_altoviz.E006",
            )
    if app_settings.RETRY_BACKOFF_SECONDS > app_settings.RETRY_BACKOFF_MAX_SECONDS:
        yield Error(
            _(
                'ALTOVIZ["RETRY_BACKOFF_SECONDS"] is more than ALTOVIZ["RETRY_BACKOFF_MAX_SECONDS"].'
            ),
            hint=_("The first pause is the shortest, and none is longer than the longest."),
            id="django_altoviz.E014",
        )


def _windows() -> Iterator[CheckMessage]:
    dedupe = app_settings.DEDUPE_DAYS
    try:
        kept = longest(app_settings.RETENTION_DAYS, app_settings.RETENTION_BY_STATUS)
    except ValueError as error:
        yield Error(
            _('ALTOVIZ["RETENTION_BY_STATUS"]: %(error)s.') % {"error": error},
            hint=_('It is a dictionary such as {"ignored": 7, "dead": 365}.'),
            id="django_altoviz.E012",
        )
        return
    if dedupe is not None and dedupe < kept:
        yield Error(
            _('ALTOVIZ["DEDUPE_DAYS"] is less than ALTOVIZ["RETENTION_DAYS"].'),
            hint=_("An event's id is kept at least as long as the event."),
            id="django_altoviz.E007",
        )


def _networks(accounts: Sequence[Account]) -> Iterator[CheckMessage]:
    texts = [(f"ALLOWED_IPS ({a.name})", text) for a in accounts for text in a.allowed_ips]
    texts += [
        ("TRUSTED_PROXIES", text)
        for text in app_settings.TRUSTED_PROXIES
        if text != addresses.UNIX_SOCKET
    ]
    for where, text in texts:
        yield from _network(where, text)


def _network(where: str, text: str) -> Iterator[CheckMessage]:
    about = {"where": where, "text": text}
    try:
        network = addresses.parse_network(text)
    except ValueError:
        yield Error(
            _("%(where)s: “%(text)s” is not an address or network.") % about,
            hint=_("For example 20.23.10.180 or 10.0.0.0/8."),
            id="django_altoviz.E008",
        )
        return
    if network.prefixlen == 0:
        yield Error(
            _("%(where)s: “%(text)s” is every address there is.") % about,
            hint=_(
                "Whoever is trusted as a proxy may claim to be at any address, and a list that "
                "allows all of them keeps nobody out."
            ),
            id="django_altoviz.E015",
        )
    elif addresses.parse_address(text.partition("/")[0]) != network.network_address:
        yield Warning(
            _("%(where)s: “%(text)s” is all of %(network)s.") % (about | {"network": network}),
            hint=_("Write the network so if that is meant, or else the address alone."),
            id="django_altoviz.W011",
        )
