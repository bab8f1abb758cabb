"""The content of events, for those who may view the objects that it is about."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.utils.translation import gettext as _

from django_altoviz.admin.base import ReadOnly
from django_altoviz.admin.history import mirror_model
from django_altoviz.models import MIRRORS, WebhookEvent

_Page = TypeVar("_Page", bound=ReadOnly)


def may_view_content(user: AbstractBaseUser | AnonymousUser, event: WebhookEvent) -> bool:
    """Return True if the user may view the event's object, or the content of all events.

    A malformed event may be about an object of any kind.
    """
    model = mirror_model(event)
    models = MIRRORS.values() if model is None else [model]
    return _has_permission(user, "view_webhookevent_content") or all(
        _has_permission(user, f"view_{each._meta.model_name}") for each in models
    )


def _has_permission(user: AbstractBaseUser | AnonymousUser, codename: str) -> bool:
    return bool(user.has_perm(f"django_altoviz.{codename}"))  # type: ignore[union-attr]


def content(column: Callable[[_Page, WebhookEvent], str]) -> Callable[[_Page, WebhookEvent], str]:
    """Decorate a column that shows what the event says, or what was said about it."""

    @wraps(column)
    def shown(page: _Page, event: WebhookEvent) -> str:
        # Without a request, the project's own code is the reader.
        if page.request is not None and not may_view_content(page.request.user, event):
            return _("Hidden, because you may not view this kind of object.")
        return column(page, event)

    return shown
