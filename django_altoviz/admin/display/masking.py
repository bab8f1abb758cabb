"""Secrets get onto no page, not even where somebody has sent them in a body.

Altoviz has documented once that it includes the webhook's secret in every call. What is stored stays
as it was received.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache

from django_altoviz.conf import account_names, get_account

MASK = "••••••••"
# A shorter one, which the checks warn of, may be a part of any word, and is masked as a whole word.
_LONG_ENOUGH = 8


def masked(text: str) -> str:
    """The text without the secrets and the API keys of all accounts."""
    pattern = _pattern(tuple(_secrets()))
    return pattern.sub(MASK, text) if pattern else text


def _secrets() -> Iterator[str]:
    for name in account_names():
        account = get_account(name)
        yield from account.webhook_secrets
        if api_key := account.api_key.strip():
            yield api_key


@lru_cache(maxsize=8)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
    return re.compile("|".join(sorted(spellings, key=len, reverse=True))) if spellings else None


def _spellings(secret: str) -> Iterator[str]:
    """As it is, and as it stands in JSON of either kind."""
    for text in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        escaped = re.escape(text)
        yield escaped if len(secret) >= _LONG_ENOUGH else rf"(?<!\w){escaped}(?!\w)"
