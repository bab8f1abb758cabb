"""System checks of the ``ALTOVIZ`` setting. None of them asks the network or the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from django_altoviz import addresses, endpoints
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

_MIN_SECRET_LENGTH = 16
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
        *_networks(accounts),
        *_secrets(accounts),
        *_urls(accounts),
    ]


def check_security(**kwargs: Any) -> list[CheckMessage]:
    """What must not go into production (``check --deploy``)."""
    if [*_types()]:
        return []
    accounts = [get_account(name) for name in account_names()]
    return [message for account in accounts for message in _unsafe(account)]


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
        if value is not None and value <= 0:
            yield Error(
                _('ALTOVIZ["%(name)s"] must be more than 0.') % {"name": name},
                id="django_altoviz.E006",
            )
    dedupe, retention = app_settings.DEDUPE_DAYS, app_settings.RETENTION_DAYS
    if dedupe is not None and dedupe < retention:
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
        try:
            addresses.parse_network(text)
        except ValueError:
            yield Error(
                _("%(where)s: “%(text)s” is not an address or network.")
                % {"where": where, "text": text},
                hint=_("For example 20.23.10.180 or 10.0.0.0/8."),
                id="django_altoviz.E008",
            )


def _secrets(accounts: Sequence[Account]) -> Iterator[CheckMessage]:
    owners: dict[str, str] = {}
    for account in accounts:
        for secret in account.webhook_secrets:
            if owners.setdefault(secret, account.name) != account.name:
                yield Error(
                    _("The accounts “%(one)s” and “%(other)s” share a webhook secret.")
                    % {"one": owners[secret], "other": account.name},
                    hint=_("An event names no account, so only the secret tells them apart."),
                    id="django_altoviz.E009",
                )
        yield from _doubtful_secret(account)


def _doubtful_secret(account: Account) -> Iterator[CheckMessage]:
    about = {"name": account.name}
    if not account.webhook_secrets and not account.allow_unsigned and _is_used(account):
        yield Warning(
            _("Account “%(name)s” has no WEBHOOK_SECRET.") % about,
            hint=_("Until it has one, each delivery is answered 503 and nothing is stored."),
            id="django_altoviz.W001",
        )
    if account.webhook_secrets and account.allow_unsigned:
        yield Warning(
            _("Account “%(name)s” has a WEBHOOK_SECRET and ALLOW_UNSIGNED.") % about,
            hint=_("Signatures are asked for. Remove ALLOW_UNSIGNED."),
            id="django_altoviz.W002",
        )
    if any(not secret.isascii() for secret in account.webhook_secrets):
        yield Warning(
            _("Account “%(name)s” has a WEBHOOK_SECRET that is not ASCII.") % about,
            hint=_("How Altoviz turns such a secret into bytes is not known. Use ASCII."),
            id="django_altoviz.W003",
        )
    if account.refetch and not account.api_key:
        yield Warning(
            _("Account “%(name)s” has REFETCH and no API_KEY.") % about,
            hint=_("Without one nothing can be read again, and payloads are taken as they are."),
            id="django_altoviz.W009",
        )
    values = configured()
    if account.name != DEFAULT_ACCOUNT:
        values = values["ACCOUNTS"][account.name]
    if _has_white_space(values.get("WEBHOOK_SECRET", "")):
        yield Warning(
            _("Account “%(name)s” has a WEBHOOK_SECRET with white space around it.") % about,
            hint=_("It is used without. A line break at the end of a file is the usual cause."),
            id="django_altoviz.W004",
        )


def _is_used(account: Account) -> bool:
    return account.name != DEFAULT_ACCOUNT or len(account_names()) == 1


def _has_white_space(value: str | Sequence[str]) -> bool:
    secrets = [value] if isinstance(value, str) else value
    return any(secret != secret.strip() for secret in secrets)


def _urls(accounts: Sequence[Account]) -> Iterator[CheckMessage]:
    try:
        reverse("altoviz:webhook")
    except NoReverseMatch:
        yield Warning(
            _("The webhook is not in the project's URLs."),
            hint=_('Add path("altoviz/", include("django_altoviz.urls")) to ROOT_URLCONF.'),
            id="django_altoviz.W005",
        )
    for account in accounts:
        if account.webhook_url:
            yield from _doubtful_url(account)


def _doubtful_url(account: Account) -> Iterator[CheckMessage]:
    about = {"name": account.name, "url": account.webhook_url}
    if not account.webhook_url.lower().startswith("https://"):
        yield Warning(
            _("Account “%(name)s”: WEBHOOK_URL is not https: %(url)s") % about,
            hint=_("Invoices would cross the network in clear."),
            id="django_altoviz.W006",
        )
    if not endpoints.leads_to_webhook(account.webhook_url, account.name):
        yield Warning(
            _("Account “%(name)s”: WEBHOOK_URL does not lead to its webhook: %(url)s") % about,
            hint=_(
                'Its path must be that of reverse("altoviz:webhook"), with the account\'s name.'
            ),
            id="django_altoviz.W007",
        )


def _unsafe(account: Account) -> Iterator[CheckMessage]:
    about = {"name": account.name, "length": _MIN_SECRET_LENGTH}
    if account.allow_unsigned and not account.webhook_secrets:
        yield Error(
            _("Account “%(name)s” accepts unsigned deliveries.") % about,
            hint=_("Anybody can write invoices into the mirror. Set a WEBHOOK_SECRET."),
            id="django_altoviz.E010",
        )
    elif not account.webhook_secrets and _is_used(account):
        yield Error(
            _("Account “%(name)s” has no WEBHOOK_SECRET.") % about,
            hint=_("Each delivery is answered 503 and nothing is stored."),
            id="django_altoviz.E011",
        )
    if any(len(secret) < _MIN_SECRET_LENGTH for secret in account.webhook_secrets):
        yield Warning(
            _("Account “%(name)s” has a WEBHOOK_SECRET of less than %(length)s characters.")
            % about,
            hint=_("Use secrets.token_urlsafe(32)."),
            id="django_altoviz.W008",
        )
