"""Views that decide themselves what is one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import connections, transaction

View = TypeVar("View", bound=Callable[..., Any])


def own_transactions(view: View) -> View:
    """The view without the transaction that ``ATOMIC_REQUESTS`` begins, on any of the databases."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view
