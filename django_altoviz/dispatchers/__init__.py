"""Who processes a stored event, and when: the module that ``ALTOVIZ["DISPATCHER"]`` names.

Such a module has one function, ``dispatch(event)``. It may do the work, hand it to a queue by the
event's primary key, or do nothing. Whatever it raises is logged: the event is stored, and waits.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from django.core.exceptions import ImproperlyConfigured

from django_altoviz.conf import app_settings
from django_altoviz.models import WebhookEvent


def get_dispatch() -> Callable[[WebhookEvent], None]:
    """The configured ``dispatch``.

    Raises:
        ImproperlyConfigured: there is no such module, or it has no such function.
    """
    path = app_settings.DISPATCHER
    try:
        dispatch: Callable[[WebhookEvent], None] = import_module(path).dispatch
    except (ImportError, AttributeError, ValueError) as error:
        raise ImproperlyConfigured(
            f'ALTOVIZ["DISPATCHER"] is "{path}", which is no module with a function "dispatch": '
            f"{error}"
        ) from error
    return dispatch


def dispatch(event: WebhookEvent) -> None:
    """Get a stored event processed in the configured way."""
    get_dispatch()(event)
