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
    except Exception as error:  # a module may raise anything when it is imported
        raise ImproperlyConfigured(
            f'ALTOVIZ["DISPATCHER"] is "{path}", which is no module with a function "dispatch": '
            f"{error}"
        ) from error
    return dispatch


def load_ours() -> None:
    """Import the configured dispatcher if it is one of this package, for the tasks it has.

    Raises:
        ImproperlyConfigured: it can't be imported.
    """
    if app_settings.DISPATCHER.startswith(f"{__name__}."):
        get_dispatch()


def dispatch(event: WebhookEvent) -> None:
    """Get a stored event processed in the configured way."""
    get_dispatch()(event)
