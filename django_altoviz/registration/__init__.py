"""Bring an account's webhook at Altoviz to what is wanted."""

from django_altoviz.registration.applying import Outcome, register, unregister
from django_altoviz.registration.planning import (
    Plan,
    Registered,
    Wanted,
    default_name,
    delivers_to,
    differences,
    has_secret,
    id_of,
    is_ours,
    plan,
)

__all__ = [
    "Outcome",
    "Plan",
    "Registered",
    "Wanted",
    "default_name",
    "delivers_to",
    "differences",
    "has_secret",
    "id_of",
    "is_ours",
    "plan",
    "register",
    "unregister",
]
