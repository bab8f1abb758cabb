"""``?expand=customer,lines&deleted=true``: what a request asks for beyond columns of what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

EXPAND = "expand"
DELETED = "deleted"


def expansions_in(request: Request, allowed: frozenset[str]) -> frozenset[str]:
    """Return the names in the request's ``expand`` parameter.

    Raises:
        ValidationError: a name is not allowed.
    """
    text = request.query_params.get(EXPAND, "")
    names = frozenset(filter(None, (name.strip() for name in text.split(","))))
    if unknown := sorted(names - allowed):
        known = ", ".join(sorted(allowed)) or "nothing"
        raise ValidationError({EXPAND: [f"Unknown: {', '.join(unknown)}. Known: {known}."]})
    return names


def expandable_of(view: Any) -> frozenset[str]:
    """Return the names that requests for the view may expand."""
    return getattr(view.get_serializer_class(), "expandable", frozenset())


def expansions_of(context: Mapping[str, Any]) -> frozenset[str]:
    """Return what the view of a serializer shows: nothing more if there is no view."""
    shown: frozenset[str] = getattr(context.get("view"), "expansions", frozenset())
    return shown


def is_asked_for_deleted(request: Request) -> bool:
    """Return True if the request also asks for what was deleted at Altoviz.

    Raises:
        ValidationError: the parameter is not a boolean.
    """
    try:
        return bool(
            serializers.BooleanField().run_validation(request.query_params.get(DELETED, "false"))
        )
    except ValidationError as error:
        raise ValidationError({DELETED: error.detail}) from error
