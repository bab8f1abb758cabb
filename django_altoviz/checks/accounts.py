"""Checks of the settings of each account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.core.checks import CheckMessage, Error, Warning
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from django_altoviz.conf import DEFAULT_ACCOUNT, Account, configured, used_account_names
from django_altoviz.registration import endpoints

_MIN_SECRET_LENGTH = 16


def check_secrets(accounts: Sequence[Account]) -> Iterator[CheckMessage]:
    secret_owners: dict[str, str] = {}
    key_owners: dict[tuple[str, str], str] = {}
    for account in accounts:
        # Per host: production and staging may have the same key for different companies.
        owner = key_owners.setdefault((account.api_key, account.base_url), account.name)
        if account.api_key and owner != account.name:
            yield Error(
                _("The accounts “%(one)s” and “%(other)s” share an API key.")
                % {"one": owner, "other": account.name},
                hint=_("Use one account per company: an API key belongs to one company."),
                id="django_altoviz.E016",
            )
        for secret in account.webhook_secrets:
            if secret_owners.setdefault(secret, account.name) != account.name:
                yield Error(
                    _("The accounts “%(one)s” and “%(other)s” share a webhook secret.")
                    % {"one": secret_owners[secret], "other": account.name},
                    hint=_(
                        "Give each account its own secret. An event does not name its account, so "
                        "only the secret shows that an event belongs to the account of the URL."
                    ),
                    id="django_altoviz.E009",
                )
        yield from _check_secret(account)


def _check_secret(account: Account) -> Iterator[CheckMessage]:
    about = {"name": account.name}
    if (
        not account.webhook_secrets
        and not account.allow_unsigned
        and account.name in used_account_names()
    ):
        yield Warning(
            _("Account “%(name)s” has no WEBHOOK_SECRET.") % about,
            hint=_("Set one. Until then, each delivery is answered 503 and nothing is stored."),
            id="django_altoviz.W001",
        )
    if account.webhook_secrets and account.allow_unsigned:
        yield Warning(
            _("Account “%(name)s” has both WEBHOOK_SECRET and ALLOW_UNSIGNED.") % about,
            hint=_("Remove ALLOW_UNSIGNED. It has no effect: signatures are required."),
            id="django_altoviz.W002",
        )
    if any(not secret.isascii() for secret in account.webhook_secrets):
        yield Warning(
            _("Account “%(name)s” has a WEBHOOK_SECRET that is not ASCII.") % about,
            hint=_("Use ASCII. It is unknown how Altoviz encodes other characters."),
            id="django_altoviz.W003",
        )
    yield from _check_whitespace(account)


def check_api_access(accounts: Sequence[Account]) -> Iterator[CheckMessage]:
    for account in accounts:
        about = {"name": account.name, "url": account.base_url}
        if not (account.api_key.isascii() and account.api_key.isprintable()):
            yield Error(
                _("Account “%(name)s” has an API_KEY that is not printable ASCII.") % about,
                hint=_("Copy the key again. This one can't be sent to Altoviz."),
                id="django_altoviz.E013",
            )
        if account.refetch and not account.api_key:
            yield Warning(
                _("Account “%(name)s” has REFETCH but no API_KEY.") % about,
                hint=_(
                    "Set an API_KEY. Without a key, objects can't be read from Altoviz, and the "
                    "payloads of events are used as they are."
                ),
                id="django_altoviz.W009",
            )
        if not endpoints.is_bare_host(account.base_url):
            # Without the URL itself, which may hold a password in any place.
            yield Warning(
                _("Account “%(name)s”: BASE_URL must be a scheme and a host only.") % about,
                hint=_(
                    "Use https://api.altoviz.com. Altoviz's paths, including /v1, are appended to "
                    "it."
                ),
                id="django_altoviz.W010",
            )


def _check_whitespace(account: Account) -> Iterator[CheckMessage]:
    values = configured()
    if account.name != DEFAULT_ACCOUNT:
        values = values["ACCOUNTS"][account.name]
    for setting in ("WEBHOOK_SECRET", "API_KEY"):
        if _has_whitespace(values.get(setting, "")):
            yield Warning(
                _("Account “%(name)s” has whitespace around its %(setting)s.")
                % {"name": account.name, "setting": setting},
                hint=_(
                    "It is stripped. The usual cause is a line break at the end of the file that "
                    "holds the value."
                ),
                id="django_altoviz.W004",
            )


def _has_whitespace(value: str | Sequence[str]) -> bool:
    texts = [value] if isinstance(value, str) else value
    return any(text != text.strip() for text in texts)


def check_urls(accounts: Sequence[Account]) -> Iterator[CheckMessage]:
    try:
        reverse("altoviz:webhook")
    except NoReverseMatch:
        yield Warning(
            _("The project's URLs do not include the webhook."),
            hint=_('Add path("altoviz/", include("django_altoviz.urls")) to ROOT_URLCONF.'),
            id="django_altoviz.W005",
        )
    for account in accounts:
        if account.webhook_url:
            yield from _check_webhook_url(account)


def _check_webhook_url(account: Account) -> Iterator[CheckMessage]:
    about = {"name": account.name, "url": account.webhook_url}
    if not _is_https(account.webhook_url):
        yield Warning(
            _("Account “%(name)s”: WEBHOOK_URL is not https: %(url)s") % about,
            hint=_("Use https. Otherwise invoices cross the network unencrypted."),
            id="django_altoviz.W006",
        )
    if not endpoints.leads_to_webhook(account.webhook_url, account.name):
        yield Warning(
            _("Account “%(name)s”: WEBHOOK_URL does not lead to its webhook: %(url)s") % about,
            hint=_(
                'Use the path that reverse("altoviz:webhook") returns for the name of the account.'
            ),
            id="django_altoviz.W007",
        )


def check_deployment(account: Account) -> Iterator[CheckMessage]:
    about = {"name": account.name, "length": _MIN_SECRET_LENGTH}
    if account.allow_unsigned and not account.webhook_secrets:
        yield Error(
            _("Account “%(name)s” accepts unsigned deliveries.") % about,
            hint=_("Set a WEBHOOK_SECRET. Without one, anybody can write into the mirror."),
            id="django_altoviz.E010",
        )
    elif not account.webhook_secrets and account.name in used_account_names():
        yield Error(
            _("Account “%(name)s” has no WEBHOOK_SECRET.") % about,
            hint=_("Set one. Until then, each delivery is answered 503 and nothing is stored."),
            id="django_altoviz.E011",
        )
    if any(len(secret) < _MIN_SECRET_LENGTH for secret in account.webhook_secrets):
        yield Warning(
            _("Account “%(name)s” has a WEBHOOK_SECRET with fewer than %(length)s characters.")
            % about,
            hint=_("Use secrets.token_urlsafe(32)."),
            id="django_altoviz.W008",
        )
    if not endpoints.is_private_url(account.base_url):
        yield Warning(
            _(
                "Account “%(name)s”: the API key would be sent unencrypted, or BASE_URL has a password."
            )
            % about,
            hint=_("Use https://api.altoviz.com, or another https URL without user and password."),
            id="django_altoviz.W018",
        )
    # W006 already covers a URL that is not https.
    if _is_https(account.webhook_url) and (reason := endpoints.why_not_public(account.webhook_url)):
        yield Warning(
            _("Account “%(name)s”: Altoviz can't deliver to WEBHOOK_URL: %(reason)s.")
            % (about | {"reason": reason}),
            hint=_("Use an https URL that is reachable from the internet."),
            id="django_altoviz.W012",
        )


def _is_https(url: str) -> bool:
    return url.lower().startswith("https://")
