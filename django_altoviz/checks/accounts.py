"""What is wrong with an account's part of the settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.core.checks import CheckMessage, Error, Warning
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from django_altoviz.conf import DEFAULT_ACCOUNT, Account, configured, used_account_names
from django_altoviz.registration import endpoints

_MIN_SECRET_LENGTH = 16


def secrets(accounts: Sequence[Account]) -> Iterator[CheckMessage]:
    owners: dict[str, str] = {}
    users: dict[tuple[str, str], str] = {}
    for account in accounts:
        user = users.setdefault((account.api_key, account.base_url), account.name)
        if account.api_key and user != account.name:
            yield Error(
                _("The accounts “%(one)s” and “%(other)s” share an API key.")
                % {"one": user, "other": account.name},
                hint=_("A key is one company's, and an object belongs to one account."),
                id="django_altoviz.E016",
            )
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
    if (
        not account.webhook_secrets
        and not account.allow_unsigned
        and account.name in used_account_names()
    ):
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
    yield from _white_space(account)


def keys(accounts: Sequence[Account]) -> Iterator[CheckMessage]:
    for account in accounts:
        about = {"name": account.name, "url": account.base_url}
        if not (account.api_key.isascii() and account.api_key.isprintable()):
            yield Error(
                _("Account “%(name)s” has an API_KEY that is not of printable ASCII.") % about,
                hint=_("It can't be sent to Altoviz. Copy it once more."),
                id="django_altoviz.E013",
            )
        if account.refetch and not account.api_key:
            yield Warning(
                _("Account “%(name)s” has REFETCH and no API_KEY.") % about,
                hint=_(
                    "Without one nothing can be read again, and payloads are taken as they are."
                ),
                id="django_altoviz.W009",
            )
        if not endpoints.is_host(account.base_url):
            yield Warning(
                _("Account “%(name)s”: BASE_URL is not a host alone: %(url)s") % about,
                hint=_(
                    "Altoviz's paths, /v1 included, are added to it. Write https://api.altoviz.com."
                ),
                id="django_altoviz.W010",
            )


def _white_space(account: Account) -> Iterator[CheckMessage]:
    values = configured()
    if account.name != DEFAULT_ACCOUNT:
        values = values["ACCOUNTS"][account.name]
    for setting in ("WEBHOOK_SECRET", "API_KEY"):
        if _has_white_space(values.get(setting, "")):
            yield Warning(
                _("Account “%(name)s” has white space around its %(setting)s.")
                % {"name": account.name, "setting": setting},
                hint=_("It is used without. A line break at the end of a file is the usual cause."),
                id="django_altoviz.W004",
            )


def _has_white_space(value: str | Sequence[str]) -> bool:
    texts = [value] if isinstance(value, str) else value
    return any(text != text.strip() for text in texts)


def urls(accounts: Sequence[Account]) -> Iterator[CheckMessage]:
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


def unsafe(account: Account) -> Iterator[CheckMessage]:
    about = {"name": account.name, "length": _MIN_SECRET_LENGTH}
    if account.allow_unsigned and not account.webhook_secrets:
        yield Error(
            _("Account “%(name)s” accepts unsigned deliveries.") % about,
            hint=_("Anybody can write invoices into the mirror. Set a WEBHOOK_SECRET."),
            id="django_altoviz.E010",
        )
    elif not account.webhook_secrets and account.name in used_account_names():
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
    # W006 says by itself that it is not https.
    is_https = account.webhook_url.lower().startswith("https://")
    if is_https and (reason := endpoints.why_not_public(account.webhook_url)):
        yield Warning(
            _("Account “%(name)s”: Altoviz can't deliver to WEBHOOK_URL: %(reason)s.")
            % (about | {"reason": reason}),
            hint=_("It has to be an https URL that anybody can reach."),
            id="django_altoviz.W012",
        )
