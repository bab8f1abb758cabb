"""Masking of our own secrets in what is shown of bodies, errors and answers that a remote system sent.

Altoviz once documented that every call carries the webhook's secret. The database keeps what was
received; only the display is masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property

from django.core.exceptions import ImproperlyConfigured

from django_altoviz.conf import account_names, get_account
from django_altoviz.exceptions import UnknownAccount
from django_altoviz.spellings import pattern_of

MASK = "••••••••"
# A shorter secret (the checks warn about it) may be part of an ordinary word, so it is masked only
# as a whole word.
_MIN_PART_LENGTH = 8


class SecretMask:
    """Replace the secrets and API keys of all accounts in texts.

    The first use reads them from the settings. Make a mask for each request: a page then reads the
    settings once, and the next page already masks a secret that was rotated.
    """

    def __call__(self, text: str) -> str:
        for pattern in self._patterns:
            text = pattern.sub(MASK, text)
        return text

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        # The longest first, because one secret may be the beginning of another.
        secrets = sorted({*_configured_secrets()}, key=len, reverse=True)
        return [re.compile(_pattern_of_word(secret)) for secret in secrets]


def _configured_secrets() -> Iterator[str]:
    for name in account_names():
        with suppress(UnknownAccount, ImproperlyConfigured):  # a broken account hides no other page
            account = get_account(name)
            yield from account.webhook_secrets
            if account.api_key:
                yield account.api_key


def _pattern_of_word(secret: str) -> str:
    pattern = pattern_of(secret)
    return pattern if len(secret) >= _MIN_PART_LENGTH else rf"(?<!\w){pattern}(?!\w)"
