"""Registration of an account's webhook at Altoviz: plan, apply and confirm the changes."""

from django_altoviz.registration.applying import RegistrationResult, register, unregister
from django_altoviz.registration.planning import (
    Plan,
    Registered,
    Wanted,
    compare_webhook,
    default_name,
    delivers_to,
    differences,
    has_name,
    has_secret,
    id_of,
    is_ours,
    plan,
    webhook_as_json,
)

__all__ = [
    "Plan",
    "Registered",
    "RegistrationResult",
    "Wanted",
    "compare_webhook",
    "default_name",
    "delivers_to",
    "differences",
    "has_name",
    "has_secret",
    "id_of",
    "is_ours",
    "plan",
    "register",
    "unregister",
    "webhook_as_json",
]
