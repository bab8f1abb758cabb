"""Choose who processes a stored event, and when: the module named by ``ALTOVIZ["DISPATCHER"]``.

A dispatcher is a module with one function, ``dispatch(event)``. It may process the event, enqueue its
primary key, or do nothing. An exception that it raises is only logged, because the event is already
stored and ``altoviz_process_events`` will find it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from django.core.exceptions import ImproperlyConfigured

from django_altoviz.conf import app_settings
from django_altoviz.models import WebhookEvent


def get_dispatch() -> Callable[[WebhookEvent], None]:
    """Return the ``dispatch`` function of the configured module.

    Raises:
        ImproperlyConfigured: the module can't be imported, or has no such function.
    """
    path = app_settings.DISPATCHER
    try:
        dispatch: Callable[[WebhookEvent], None] = import_module(path).dispatch
    except Exception as error:  # importing a module may raise anything
        raise ImproperlyConfigured(
            f'ALTOVIZ["DISPATCHER"] is "{path}", which is not a module with a function "dispatch": '
            f"{error}"
        ) from error
    return dispatch


def import_own() -> None:
    """Import the configured dispatcher if it belongs to this package, so that its tasks register.

    Raises:
        ImproperlyConfigured: the module can't be imported.
    """
    if app_settings.DISPATCHER.startswith(f"{__name__}."):
        get_dispatch()


def dispatch(event: WebhookEvent) -> None:
    """Pass a stored event to the configured dispatcher."""
    get_dispatch()(event)


def has_sync_queue() -> bool:
    """Return True if the dispatcher has a queue whose workers sync.

    Its module then has a function ``enqueue_sync(account, kinds)``, and the workers call
    ``dispatchers.queued.sync_account``.

    Raises:
        ImproperlyConfigured: as ``get_dispatch``.
    """
    get_dispatch()
    return hasattr(import_module(app_settings.DISPATCHER), "enqueue_sync")


def dispatch_sync(account: str) -> bool:
    """Enqueue a sync of an account. Return False if there is no queue for that.

    Raises:
        Exception: the queue does not answer, in the words of its library.
    """
    if not has_sync_queue():
        return False
    import_module(app_settings.DISPATCHER).enqueue_sync(account, [])
    return True


def goes_round(seconds: float) -> bool | None:
    """Send a task without effect to the queue. Return True if a worker answers it in that time.

    The dispatcher's module then has a function ``go_round(seconds)``. Return ``None`` if it has none.

    Raises:
        Exception: the queue gives no answers, or does not take the task, in the words of its library.
    """
    module = import_module(app_settings.DISPATCHER)
    if not hasattr(module, "go_round"):
        return None
    has_answered: bool = module.go_round(seconds)
    return has_answered


def dispatch_or_log(event: WebhookEvent) -> None:
    """Dispatch the event. Log an error instead of raising it, because the event is stored already."""
    try:
        dispatch(event)
    except KeyboardInterrupt:
        raise
    except BaseException:
        event.log.exception(
            "Event %s is stored but could not be dispatched. Run altoviz_process_events.",
            event.pk,
        )
