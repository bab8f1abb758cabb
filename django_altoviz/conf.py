"""The ``ALTOVIZ`` setting, read at each access so that ``override_settings`` works."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import Any, Generic, TypeVar, overload

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from django_altoviz.exceptions import UnknownAccount

DEFAULT_ACCOUNT = "default"
#: The pattern of an account's name, which is a segment of the webhook's URL.
ACCOUNT_NAME = re.compile(r"[-a-zA-Z0-9_]{1,64}")

T = TypeVar("T")
_STRINGS = (list, tuple)
# What is left of a byte that was decoded with the wrong encoding.
_SURROGATE = re.compile("[\ud800-\udfff]")


def configured() -> Mapping[str, Any]:
    """Return the project's ``ALTOVIZ`` setting.

    Raises:
        ImproperlyConfigured: the setting is not a dictionary.
    """
    value = getattr(settings, "ALTOVIZ", {})
    if not isinstance(value, Mapping):
        raise ImproperlyConfigured("The setting ALTOVIZ must be a dictionary.")
    return value


def _clean_secrets(value: str | Sequence[str]) -> tuple[str, ...]:
    """Return the secrets, stripped and without empty ones.

    A secret read from a file usually ends in a line break. With an empty secret anybody could sign.
    """
    secrets = (value,) if isinstance(value, str) else value
    return tuple(stripped for secret in secrets if (stripped := secret.strip()))


def _problem_of_secrets(value: str | Sequence[str]) -> str:
    """Return what is wrong with the secrets, without showing them, or nothing."""
    secrets = (value,) if isinstance(value, str) else value
    if not all(isinstance(secret, str) for secret in secrets):
        return "must be a text or a list of texts"
    if any(not secret.isascii() and _SURROGATE.search(secret) for secret in secrets):
        return "was read in another encoding than it was written in"
    return ""


class SettingValues:
    """The values of ``ALTOVIZ`` or of an account, hidden from error reports.

    These show the variables of each function that an exception has passed, and what mappings contain.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def get(self, name: str, default: Any) -> Any:
        return self._values.get(name, default)


_KINDS = {
    bool: "True or False",
    bytes: "bytes",
    dict: "a dictionary",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "a text",
    tuple: "a tuple",
}
_EXPECTED: dict[Any, str] = _KINDS | {
    _STRINGS: "a list of texts",
    (str, *_STRINGS): "a text or a list of texts",
    (int, float): "a number",
    (int, NoneType): "a whole number or None",
}


def _kind_of(value: Any) -> str:
    """Describe the type of a wrong value, but not the value, which may be a secret."""
    if value is None:
        return "None (is the environment variable set that it is read from?)"
    return _KINDS.get(type(value), type(value).__name__)


class Setting(Generic[T]):
    """A key of ``ALTOVIZ`` with its type and its default, declared as an attribute.

    The key is the attribute's name in upper case. An attribute of ``AppSettings`` reads the setting at
    each access.
    """

    def __init__(
        self,
        kinds: type | tuple[type, ...],
        default: T,
        convert: Callable[[Any], T] | None = None,
        *,
        name: str = "",
        problem_of: Callable[[Any], str] | None = None,
    ) -> None:
        self.kinds, self.default, self.convert, self.name = kinds, default, convert, name
        self.problem_of = problem_of

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.attribute = attribute
        self.name = self.name or attribute.upper()

    @overload
    def __get__(self, instance: None, owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, instance: Any, owner: type) -> T: ...
    def __get__(self, instance: Any, owner: type) -> T | Setting[T]:
        return self if instance is None else self.read(instance.values)

    @property
    def expected(self) -> str:
        """Return the kind of value in words: ``a whole number``."""
        return _EXPECTED[self.kinds]

    def read(self, values: SettingValues) -> T:
        return self._read(values.get(self.name, self.default))

    def _read(self, value: Any) -> T:
        if problem := self._problem_of(value):
            del value  # an error report shows the variables of this function
            raise ImproperlyConfigured(f'ALTOVIZ["{self.name}"] {problem}.')
        read: T = self.convert(value) if self.convert else value
        return read

    def _problem_of(self, value: Any) -> str:
        if not self._accepts(value):
            return f"must be {self.expected}, but is {_kind_of(value)}"
        return self.problem_of(value) if self.problem_of else ""

    def _accepts(self, value: Any) -> bool:
        if isinstance(value, bool):
            # bool is a subclass of int, but True instead of a number is a mistake.
            return self.kinds is bool
        if self.kinds is _STRINGS and isinstance(value, _STRINGS):
            return all(isinstance(item, str) for item in value)
        return isinstance(value, self.kinds)


class Account:
    """The settings of one account, that is, of one Altoviz company, as they were when it was read.

    Two accounts with the same name and settings are equal. An account can't be changed.
    """

    name: str
    api_key = Setting(str, "", str.strip)
    #: All secrets that are accepted. The first is the one to register.
    webhook_secrets: Setting[tuple[str, ...]] = Setting(
        (str, *_STRINGS),
        (),
        _clean_secrets,
        name="WEBHOOK_SECRET",
        problem_of=_problem_of_secrets,
    )
    webhook_url = Setting(str, "")
    base_url = Setting(str, "https://api.altoviz.com")
    api_requests_per_minute = Setting(int, 80)
    refetch = Setting(bool, False)
    allowed_ips: Setting[tuple[str, ...]] = Setting(_STRINGS, (), tuple)
    allow_unsigned = Setting(bool, False)

    def __init__(self, name: str, values: SettingValues) -> None:
        vars(self)["name"] = name  # first, for the representation if a setting is wrong
        vars(self).update({each.attribute: each.read(values) for each in ACCOUNT_SETTINGS.values()})

    def __setattr__(self, name: str, value: Any) -> None:
        # A thread's clients are found by their account, so its hash must not change.
        raise AttributeError(f"An account can't be changed: {name}.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Account) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).items()))

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the values: a task's arguments may be stored where others read them.
        return get_account, (self.name,)

    def __repr__(self) -> str:
        # Without the values, because keys and secrets must not reach a log or a traceback.
        return f"<Account {self.name}>"


class AppSettings:
    """The settings that apply to all accounts."""

    ACCOUNTS: Setting[Mapping[str, Any]] = Setting(dict, {})
    DISPATCHER = Setting(str, "django_altoviz.dispatchers.inline")
    TRUSTED_PROXIES: Setting[Sequence[str]] = Setting(_STRINGS, ())
    MAX_BODY_BYTES = Setting(int, 5 * 2**20)
    LEASE_SECONDS = Setting(int, 300)
    MAX_ATTEMPTS = Setting(int, 8)
    RETRY_BACKOFF_SECONDS: Setting[float] = Setting((int, float), 60)
    RETRY_BACKOFF_MAX_SECONDS: Setting[float] = Setting((int, float), 6 * 60 * 60)
    WAIT_FOR_RETRIES = Setting(bool, True)
    RETENTION_DAYS = Setting(int, 90)
    RETENTION_BY_STATUS: Setting[Mapping[str, int | None]] = Setting(dict, {})
    DEDUPE_DAYS: Setting[int | None] = Setting((int, NoneType), None)
    WATCH_SHARE: Setting[float] = Setting((int, float), 0.5)

    @property
    def values(self) -> SettingValues:
        return SettingValues(configured())


def _declared_in(owner: type) -> dict[str, Setting[Any]]:
    return {each.name: each for each in vars(owner).values() if isinstance(each, Setting)}


ACCOUNT_SETTINGS = _declared_in(Account)
APP_SETTINGS = _declared_in(AppSettings)
app_settings = AppSettings()


def account_names() -> list[str]:
    """Return the names of all accounts, the default account first."""
    return [DEFAULT_ACCOUNT, *(name for name in app_settings.ACCOUNTS if name != DEFAULT_ACCOUNT)]


def used_account_names() -> list[str]:
    """Return the names of all accounts that can receive deliveries.

    The default account is left out if it has no secret and the project has other accounts.
    """
    names = account_names()
    default = get_account(DEFAULT_ACCOUNT)
    is_used = default.webhook_secrets or default.allow_unsigned or len(names) == 1
    return names if is_used else names[1:]


def get_account(name: str) -> Account:
    """Return the named account. The top level of ``ALTOVIZ`` is the account ``default``.

    Raises:
        UnknownAccount: ``ALTOVIZ["ACCOUNTS"]`` has no such name.
        ImproperlyConfigured: a setting of the account has the wrong type.
    """
    if name == DEFAULT_ACCOUNT:
        return Account(name, app_settings.values)
    accounts = SettingValues(app_settings.ACCOUNTS)
    if accounts.get(name, None) is None:
        raise UnknownAccount(f'There is no account {json.dumps(name)} in ALTOVIZ["ACCOUNTS"].')
    if not isinstance(accounts.get(name, None), Mapping):
        raise ImproperlyConfigured(f'ALTOVIZ["ACCOUNTS"]["{name}"] must be a dictionary.')
    return Account(name, SettingValues(accounts.get(name, None)))
