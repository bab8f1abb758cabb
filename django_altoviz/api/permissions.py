"""Permissions to read: Django's of the models, as in the admin."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission, DjangoModelPermissions
from rest_framework.request import Request

from django_altoviz.models import Invoice, Rejection, SyncRun, WebhookEvent
from django_altoviz.models.mirrors import models_of

_CONTENT = "django_altoviz.view_webhookevent_content"


class ViewPermission(DjangoModelPermissions):
    """Require the permission to view the model. Actions require more, by themselves."""

    perms_map = {
        method: ["%(app_label)s.view_%(model_name)s"] for method in DjangoModelPermissions.perms_map
    }


#: The permission that each part of the overview needs besides its own.
_PARTS: dict[str, Any] = {"rejected": Rejection, "syncs": SyncRun, "months": Invoice}
# They need no more than the permission for the overview.
_ALWAYS_SHOWN = {"account", "altoviz"}


class ViewAllOfOverview(BasePermission):
    """Require the permission to view all that the overview counts."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return all(may_view(request.user, model) for model in (WebhookEvent, Rejection, SyncRun))


def shown_to(user: Any, overview: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of an account's overview that the user may view, as the admin shows them."""
    return {
        name: value
        for name, value in overview.items()
        if name in _ALWAYS_SHOWN or may_view(user, _PARTS.get(name, WebhookEvent))
    }


def may_view(user: Any, model: Any) -> bool:
    return bool(user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}"))


def may_see_content(request: Request, event: WebhookEvent) -> bool:
    """Return True if the user may view the event's object, or the content of all events.

    An event of an unknown or malformed kind may be about an object of any kind.
    """
    if request.user.has_perm(_CONTENT):
        return True
    return all(may_view(request.user, model) for model in models_of(event.entity))
