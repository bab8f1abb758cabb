"""Masking: no page shows a secret of ours, even if a remote system has sent it in a body.

Altoviz once documented that every call carries the webhook's secret. The database keeps what was
received; only the display is masked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property

from django_altoviz.conf import account_names, get_account

MASK = "••••••••"
# A shorter secret (the checks warn about it) may be part of an ordinary word, so it is masked only
# as a whole word.
_MIN_LENGTH = 8


class SecretMask:
    """Replace the secrets and API keys of all accounts in texts.

    The first use reads them from the settings. Make a mask for each request: a page then reads the
    settings once, and the next page already masks a secret that was rotated.
    """

    def __call__(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        spellings = {
            spelling for secret in _configured_secrets() for spelling in _spellings(secret)
        }
        if not spellings:
            return None
        # The longest first, because one secret may be the beginning of another.
        return re.compile("|".join(sorted(spellings, key=len, reverse=True)))


def _configured_secrets() -> Iterator[str]:
    for name in account_names():
        account = get_account(name)
        yield from account.webhook_secrets
        if account.api_key:
            yield account.api_key


def _spellings(secret: str) -> Iterator[str]:
    """Yield patterns for the secret as it is, and as escaped in JSON, with and without ASCII only."""
    for text in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        escaped = re.escape(text)
        yield escaped if len(secret) >= _MIN_LENGTH else rf"(?<!\w){escaped}(?!\w)"
