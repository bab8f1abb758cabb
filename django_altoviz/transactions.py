"""A decorator for views that manage their own transactions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import connections, transaction

View = TypeVar("View", bound=Callable[..., Any])


def own_transactions(view: View) -> View:
    """Exempt the view from ``ATOMIC_REQUESTS``, on every database."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view
