"""The content of events, for those who may view the objects that it is about."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from django.utils.translation import gettext as _

from django_altoviz.admin.base import ReadOnly
from django_altoviz.models import WebhookEvent
from django_altoviz.models.mirrors import models_of

_Page = TypeVar("_Page", bound=ReadOnly)
_PERMISSION = "django_altoviz.view_webhookevent_content"


def may_view_content(page: ReadOnly, event: WebhookEvent) -> bool:
    """Return True if the reader may view the page of the event's object, or the content of all events.

    A malformed event may be about an object of any kind. Without a request, the project's own code is
    the reader, and may view everything.
    """
    if page.request is None or page.request.user.has_perm(_PERMISSION):
        return True
    return all(map(page.may_view, models_of(event.entity)))


def content(column: Callable[[_Page, WebhookEvent], str]) -> Callable[[_Page, WebhookEvent], str]:
    """Decorate a column that shows what the event says, or what was said about it."""

    @wraps(column)
    def shown(page: _Page, event: WebhookEvent) -> str:
        if not may_view_content(page, event):
            return _(
                "Hidden: you may not view the object that this event is about, or may be about."
            )
        return column(page, event)

    return shown
