"""The actions that process events again: what is asked first, and what is said afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import router
from django.db.models import Count
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext_lazy

from django_altoviz.admin.base import ReadOnlyAdmin
from django_altoviz.models import ReceiverRun, Status, WebhookEvent, WebhookEventQuerySet
from django_altoviz.processing import process_again

#: The level and the text of the message for each outcome of ``replay_event``.
OUTCOMES = {
    "processed": (
        messages.SUCCESS,
        ngettext_lazy("%d event was processed.", "%d events were processed."),
    ),
    "failed": (
        messages.ERROR,
        ngettext_lazy("%d event failed again.", "%d events failed again."),
    ),
    "malformed": (
        messages.WARNING,
        ngettext_lazy(
            "%d event was refused: it is malformed.", "%d events were refused: they are malformed."
        ),
    ),
    "pruned": (
        messages.WARNING,
        ngettext_lazy(
            "%d event was refused: its body was pruned.",
            "%d events were refused: their bodies were pruned.",
        ),
    ),
    "unknown": (
        messages.WARNING,
        ngettext_lazy(
            "%d event was refused: this version of django-altoviz does not know its type.",
            "%d events were refused: this version of django-altoviz does not know their types.",
        ),
    ),
    "waiting": (
        messages.WARNING,
        ngettext_lazy(
            "%d event is waiting for an earlier event of the same object, and will be processed"
            " after it.",
            "%d events are waiting for earlier events of the same objects, and will be processed"
            " after them.",
        ),
    ),
    "leased": (
        messages.WARNING,
        ngettext_lazy(
            "%d event was refused: a worker is processing it.",
            "%d events were refused: workers are processing them.",
        ),
    ),
}
#: The field that the confirmation form adds when the answer is yes.
CONFIRMED = "confirmed"
_TEMPLATE = "admin/django_altoviz/webhookevent/from_scratch_confirmation.html"


def in_order_of_arrival(queryset: WebhookEventQuerySet) -> Iterator[WebhookEvent]:
    """Yield the events, each read only now: all bodies at once may be too much memory, and an event
    may have changed since the list was read."""
    events = WebhookEvent.with_pruned.using(router.db_for_write(WebhookEvent))
    for pk in queryset.order_by("pk").values_list("pk", flat=True):
        yield from events.filter(pk=pk)


def replay_event(event: WebhookEvent, *, from_scratch: bool = False) -> str:
    """Process the event again and return the outcome, a key of ``OUTCOMES``."""
    if process_again(event, from_scratch=from_scratch):
        return "failed" if event.status in (Status.FAILED, Status.DEAD) else "processed"
    if event.status == Status.MALFORMED:
        return "malformed"
    if event.pruned_at is not None:
        return "pruned"
    if event.event_type is None:
        return "unknown"
    return "waiting" if event.is_due else "leased"


def confirmation_page(
    page: ReadOnlyAdmin, request: HttpRequest, events: WebhookEventQuerySet
) -> TemplateResponse:
    """Return the page to confirm that all receivers are called again, also those that succeeded.

    Its form submits the same selection of events again, with ``CONFIRMED``.
    """
    succeeded = ReceiverRun.objects.filter(event__in=events.order_by(), gave_up="")
    context: dict[str, Any] = {
        **page.admin_site.each_context(request),
        "title": gettext("Process from scratch"),
        "opts": page.opts,
        "media": page.media,
        "count": events.count(),
        "receivers": succeeded.values_list("receiver").annotate(Count("pk")).order_by("receiver"),
        "checkbox": ACTION_CHECKBOX_NAME,
        "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "confirmed": CONFIRMED,
    }
    request.current_app = page.admin_site.name
    return TemplateResponse(request, _TEMPLATE, context)
