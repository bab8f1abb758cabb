"""Permissions to read: Django's of the models, as in the admin."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import DjangoModelPermissions
from rest_framework.request import Request

from django_altoviz.models import MIRRORS, WebhookEvent

_CONTENT = "django_altoviz.view_webhookevent_content"


class ViewPermission(DjangoModelPermissions):
    """Require the permission to view the model. Actions require more, by themselves."""

    perms_map = {
        method: ["%(app_label)s.view_%(model_name)s"] for method in DjangoModelPermissions.perms_map
    }


def may_view(user: Any, model: Any) -> bool:
    return bool(user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}"))


def may_see_content(request: Request, event: WebhookEvent) -> bool:
    """Return True if the user may view the event's object, or the content of all events.

    An event of an unknown or malformed kind may be about an object of any kind.
    """
    if request.user.has_perm(_CONTENT):
        return True
    known = event.event_type
    models = [MIRRORS[known.entity]] if known else [*MIRRORS.values()]
    return all(may_view(request.user, model) for model in models)
