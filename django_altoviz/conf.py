"""The ``ALTOVIZ`` setting, read at each access so that ``override_settings`` reaches it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from django_altoviz.exceptions import UnknownAccount

DEFAULT_ACCOUNT = "default"
#: An account's name stands in the webhook's path.
ACCOUNT_NAME = re.compile(r"[-a-zA-Z0-9_]{1,64}")

_TEXTS = (list, tuple)

#: What each account may set, with its type and default.
ACCOUNT_SETTINGS: dict[str, tuple[type | tuple[type, ...], Any]] = {
    "API_KEY": (str, ""),
    "WEBHOOK_SECRET": ((str, list, tuple), ""),
    "WEBHOOK_URL": (str, ""),
    "BASE_URL": (str, "https://api.altoviz.com"),
    "API_REQUESTS_PER_MINUTE": (int, 80),
    "REFETCH": (bool, False),
    "ALLOWED_IPS": (_TEXTS, ()),
    "ALLOW_UNSIGNED": (bool, False),
}
#: What holds for all accounts.
APP_SETTINGS: dict[str, tuple[type | tuple[type, ...], Any]] = {
    "ACCOUNTS": (dict, {}),
    "DISPATCHER": (str, "django_altoviz.dispatchers.inline"),
    "TRUSTED_PROXIES": (_TEXTS, ()),
    "MAX_BODY_BYTES": (int, 5 * 2**20),
    "LEASE_SECONDS": (int, 300),
    "MAX_ATTEMPTS": (int, 8),
    "RETRY_BACKOFF_SECONDS": ((int, float), 60),
    "RETRY_BACKOFF_MAX_SECONDS": ((int, float), 6 * 60 * 60),
    "WAIT_FOR_RETRIES": (bool, True),
    "RETENTION_DAYS": (int, 90),
    "RETENTION_BY_STATUS": (dict, {}),
    "DEDUPE_DAYS": ((int, type(None)), None),
}


@dataclass(frozen=True)
class Account:
    """One Altoviz company: what its part of ``ALTOVIZ`` says.

    ``webhook_secrets`` are all that are accepted; the first is the one to register.
    """

    name: str
    api_key: str
    webhook_secrets: tuple[str, ...]
    webhook_url: str
    base_url: str
    api_requests_per_minute: int
    refetch: bool
    allowed_ips: tuple[str, ...]
    allow_unsigned: bool

    def __repr__(self) -> str:  # a key or a secret must not get into a log or a traceback
        return f"<Account {self.name}>"


class AppSettings:
    """The settings that hold for all accounts, each with its default."""

    DISPATCHER: str
    TRUSTED_PROXIES: Sequence[str]
    MAX_BODY_BYTES: int
    LEASE_SECONDS: int
    MAX_ATTEMPTS: int
    RETRY_BACKOFF_SECONDS: float
    RETRY_BACKOFF_MAX_SECONDS: float
    WAIT_FOR_RETRIES: bool
    RETENTION_DAYS: int
    RETENTION_BY_STATUS: Mapping[str, int | None]
    DEDUPE_DAYS: int | None

    def __getattr__(self, name: str) -> Any:
        if name not in APP_SETTINGS:
            raise AttributeError(name)
        return _read(configured(), name, APP_SETTINGS)


app_settings = AppSettings()


def configured() -> Mapping[str, Any]:
    """The project's ``ALTOVIZ`` as it stands.

    Raises:
        ImproperlyConfigured: it is no dictionary.
    """
    value = getattr(settings, "ALTOVIZ", {})
    if not isinstance(value, Mapping):
        raise ImproperlyConfigured("The setting ALTOVIZ must be a dictionary.")
    return value


def _read(
    values: Mapping[str, Any], name: str, known: Mapping[str, tuple[type | tuple[type, ...], Any]]
) -> Any:
    kinds, default = known[name]
    value = values.get(name, default)
    # True is an int for Python, and a mistake where a number is asked for.
    wrong = not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool)
    if wrong or (kinds is _TEXTS and not all(isinstance(item, str) for item in value)):
        raise ImproperlyConfigured(f'ALTOVIZ["{name}"] is of the wrong type.')
    return value


def account_names() -> list[str]:
    """All accounts' names, the default one first."""
    return [DEFAULT_ACCOUNT, *(name for name in _accounts() if name != DEFAULT_ACCOUNT)]


def used_account_names() -> list[str]:
    """The same, without the default one where it has no secret, and others stand in its stead."""
    names = account_names()
    default = get_account(DEFAULT_ACCOUNT)
    is_used = default.webhook_secrets or default.allow_unsigned or len(names) == 1
    return names if is_used else names[1:]


def _accounts() -> Mapping[str, Any]:
    accounts: Mapping[str, Any] = _read(configured(), "ACCOUNTS", APP_SETTINGS)
    return accounts


def get_account(name: str) -> Account:
    """The account of that name. ``default`` is the one at the top of ``ALTOVIZ``.

    Raises:
        UnknownAccount: ``ALTOVIZ["ACCOUNTS"]`` has no such name.
        ImproperlyConfigured: a setting of it is of the wrong type.
    """
    values = configured() if name == DEFAULT_ACCOUNT else _accounts().get(name)
    if values is None:
        raise UnknownAccount(f'There is no account "{name}" in ALTOVIZ["ACCOUNTS"].')
    if not isinstance(values, Mapping):
        raise ImproperlyConfigured(f'ALTOVIZ["ACCOUNTS"]["{name}"] must be a dictionary.')
    read = {key: _read(values, key, ACCOUNT_SETTINGS) for key in ACCOUNT_SETTINGS}
    return Account(
        name=name,
        api_key=read["API_KEY"].strip(),
        webhook_secrets=_secrets(read["WEBHOOK_SECRET"]),
        webhook_url=read["WEBHOOK_URL"],
        base_url=read["BASE_URL"],
        api_requests_per_minute=read["API_REQUESTS_PER_MINUTE"],
        refetch=read["REFETCH"],
        allowed_ips=tuple(read["ALLOWED_IPS"]),
        allow_unsigned=read["ALLOW_UNSIGNED"],
    )


def _secrets(value: str | Sequence[str]) -> tuple[str, ...]:
    """The secrets without white space around them (a file read into the environment ends in a line
    break) and without empty ones, with which anybody could sign."""
    secrets = [value] if isinstance(value, str) else value
    if not all(isinstance(secret, str) for secret in secrets):
        raise ImproperlyConfigured('ALTOVIZ["WEBHOOK_SECRET"] must be a text or a list of texts.')
    try:
        "".join(secrets).encode()
    except UnicodeEncodeError:  # which holds the secret
        raise ImproperlyConfigured(
            'ALTOVIZ["WEBHOOK_SECRET"] was read in another encoding than it was written in.'
        ) from None
    return tuple(stripped for secret in secrets if (stripped := secret.strip()))
