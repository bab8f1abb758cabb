"""System checks of the ``ALTOVIZ`` setting. They use neither the network nor the database."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from django_altoviz.checks.accounts import (
    check_api_access,
    check_deployment,
    check_secrets,
    check_urls,
)
from django_altoviz.checks.reachability import check_host, check_redirects
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

#: The dispatchers that need third-party packages, with the extra that installs the packages.
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
    """Return what is missing, unknown, contradictory or of the wrong type."""
    broken = [*_check_types()]
    if broken:
        return broken  # the other checks need readable settings
    accounts = [get_account(name) for name in account_names()]
    return [
        *_check_names(),
        *_check_dispatcher(),
        *_check_numbers(accounts),
        *_check_retention(),
        *_check_addresses(accounts),
        *check_secrets(accounts),
        *check_api_access(accounts),
        *check_urls(accounts),
    ]


def check_security(**kwargs: Any) -> list[CheckMessage]:
    """Return what must not go into production (``check --deploy``)."""
    if [*_check_types()]:
        return []
    accounts = [get_account(name) for name in account_names()]
    found = [(*check_deployment(account), *check_host(account)) for account in accounts]
    return [*chain.from_iterable(found), *check_redirects()]


def _check_types() -> Iterator[CheckMessage]:
    try:
        values = configured()
        for name in APP_SETTINGS:
            getattr(app_settings, name)
        accounts: Mapping[str, Any] = values.get("ACCOUNTS", {})
    except ImproperlyConfigured as error:
        yield Error(
            str(error),
            hint=_("docs/reference/settings.rst lists the settings and their values."),
            id="django_altoviz.E001",
        )
        return
    for name in [DEFAULT_ACCOUNT, *accounts]:
        try:
            get_account(name)
        except ImproperlyConfigured as error:
            yield Error(
                _("Account “%(name)s”: %(error)s") % {"name": name, "error": error},
                hint=_("docs/reference/settings.rst lists the settings and their values."),
                id="django_altoviz.E001",
            )


def _check_names() -> Iterator[CheckMessage]:
    """Check the names of the settings and of the accounts."""
    known = {*APP_SETTINGS, *ACCOUNT_SETTINGS}
    values = configured()
    for key in sorted(name for name in known if hasattr(settings, f"ALTOVIZ_{name}")):
        yield Warning(
            _("The setting ALTOVIZ_%(name)s has no effect.") % {"name": key},
            hint=_('Put it into the dictionary ALTOVIZ, as "%(name)s".') % {"name": key},
            id="django_altoviz.W023",
        )
    for key in sorted(set(map(str, values)) - known):
        yield _unknown_setting(f'ALTOVIZ["{key}"]', known)
    for name, account in values.get("ACCOUNTS", {}).items():
        for key in sorted(set(map(str, account)) - set(ACCOUNT_SETTINGS)):
            yield _unknown_setting(f'ALTOVIZ["ACCOUNTS"]["{name}"]["{key}"]', set(ACCOUNT_SETTINGS))
        if name == DEFAULT_ACCOUNT:
            yield Error(
                _('ALTOVIZ["ACCOUNTS"] has an account “default”.'),
                hint=_(
                    "Choose another name. The settings of the default account are at the top level "
                    "of ALTOVIZ."
                ),
                id="django_altoviz.E003",
            )
        elif not isinstance(name, str) or not ACCOUNT_NAME.fullmatch(name):
            yield Error(
                _("“%(name)s” can't be the name of an account.") % {"name": name},
                hint=_(
                    "The name is part of the webhook's URL. Use up to 64 letters, digits, - and _."
                ),
                id="django_altoviz.E004",
            )


def _unknown_setting(setting: str, known: set[str]) -> CheckMessage:
    name = setting.rpartition('["')[2].removesuffix('"]')
    similar = difflib.get_close_matches(name.upper(), known, n=1)
    if similar:
        hint = _("Did you mean %(name)s?") % {"name": similar[0]}
    else:
        hint = _("Known settings: %(known)s.") % {"known": ", ".join(sorted(known))}
    return Error(
        _("%(where)s is not a setting of django-altoviz.") % {"where": setting},
        hint=hint,
        id="django_altoviz.E002",
    )


def _check_dispatcher() -> Iterator[CheckMessage]:
    try:
        get_dispatch()
    except ImproperlyConfigured as error:
        extra = _EXTRAS.get(app_settings.DISPATCHER)
        if extra is not None and isinstance(error.__cause__, ImportError):
            hint = _("Install the extra: django-altoviz[%(extra)s].") % {"extra": extra}
        else:
            hint = _(
                "Use “django_altoviz.dispatchers.inline”, “…deferred”, “…celery” or "
                "“…django_tasks”, or a module of your own."
            )
        yield Error(str(error), hint=hint, id="django_altoviz.E005")


def _check_numbers(accounts: Sequence[Account]) -> Iterator[CheckMessage]:
    values = [(name, getattr(app_settings, name)) for name in _POSITIVE]
    values += [("API_REQUESTS_PER_MINUTE", account.api_requests_per_minute) for account in accounts]
    for name, value in values:
        if value is not None and not 0 < value < math.inf:
            yield Error(
                _('ALTOVIZ["%(name)s"] must be greater than 0.') % {"name": name},
                id="django_altoviz.E006",
            )
    if not 0 < app_settings.WATCH_SHARE <= 1:
        yield Error(
            _('ALTOVIZ["WATCH_SHARE"] must be greater than 0, and at most 1.'),
            hint=_("It is a part of API_REQUESTS_PER_MINUTE: 0.5 is half of the requests."),
            id="django_altoviz.E019",
        )
    if app_settings.RETRY_BACKOFF_SECONDS > app_settings.RETRY_BACKOFF_MAX_SECONDS:
        yield Error(
            _(
                'ALTOVIZ["RETRY_BACKOFF_SECONDS"] is greater than '
                'ALTOVIZ["RETRY_BACKOFF_MAX_SECONDS"].'
            ),
            hint=_(
                "RETRY_BACKOFF_SECONDS is the first pause and RETRY_BACKOFF_MAX_SECONDS the "
                "longest."
            ),
            id="django_altoviz.E014",
        )


def _check_retention() -> Iterator[CheckMessage]:
    dedupe = app_settings.DEDUPE_DAYS
    try:
        kept = longest(app_settings.RETENTION_DAYS, app_settings.RETENTION_BY_STATUS)
    except ValueError as error:
        yield Error(
            _('ALTOVIZ["RETENTION_BY_STATUS"]: %(error)s.') % {"error": error},
            hint=_('Use a dictionary such as {"ignored": 7, "dead": 365}.'),
            id="django_altoviz.E012",
        )
        return
    if dedupe is not None and dedupe < kept:
        yield Error(
            _('ALTOVIZ["DEDUPE_DAYS"] is less than the days for which events are kept.'),
            hint=_(
                "Use at least the largest number in RETENTION_DAYS and RETENTION_BY_STATUS: the id "
                "of an event is kept at least as long as the event."
            ),
            id="django_altoviz.E007",
        )


def _check_addresses(accounts: Sequence[Account]) -> Iterator[CheckMessage]:
    entries = [(f"ALLOWED_IPS ({a.name})", entry) for a in accounts for entry in a.allowed_ips]
    entries += [
        ("TRUSTED_PROXIES", entry)
        for entry in app_settings.TRUSTED_PROXIES
        if entry != addresses.UNIX_SOCKET
    ]
    for setting, entry in entries:
        yield from _check_address(setting, entry)


def _check_address(setting: str, entry: str) -> Iterator[CheckMessage]:
    about = {"where": setting, "text": entry}
    try:
        network = addresses.parse_network(entry)
    except ValueError:
        yield Error(
            _("%(where)s: “%(text)s” is not an IP address or network.") % about,
            hint=_("Use for example 20.23.10.180 or 10.0.0.0/8."),
            id="django_altoviz.E008",
        )
        return
    if network.prefixlen == 0:
        yield Error(
            _("%(where)s: “%(text)s” contains every address.") % about,
            hint=_(
                "Name the addresses. A trusted proxy may claim any client address, and an allow "
                "list with every address allows everybody."
            ),
            id="django_altoviz.E015",
        )
    elif addresses.parse_address(entry.partition("/")[0]) != network.network_address:
        yield Warning(
            _("%(where)s: “%(text)s” means all of %(network)s.") % (about | {"network": network}),
            hint=_("Use %(network)s if you mean the network, or the address alone.")
            % {"network": network},
            id="django_altoviz.W011",
        )
