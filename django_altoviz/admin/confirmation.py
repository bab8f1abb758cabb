"""What is asked before all receivers are called again."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Count
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext

from django_altoviz.admin.base import ReadOnlyAdmin
from django_altoviz.models import ReceiverRun, WebhookEventQuerySet

#: What the form sends that the answer was yes.
CONFIRMED = "confirmed"
_TEMPLATE = "admin/django_altoviz/webhookevent/from_scratch_confirmation.html"


def confirmation(
    page: ReadOnlyAdmin, request: HttpRequest, events: WebhookEventQuerySet
) -> TemplateResponse:
    """The page that says what is about to happen. Its form sends the same choice of events again."""
    done = ReceiverRun.objects.filter(event__in=events.order_by(), gave_up="")
    context: dict[str, Any] = {
        **page.admin_site.each_context(request),
        "title": gettext("Process from scratch"),
        "opts": page.opts,
        "media": page.media,
        "count": events.count(),
        "receivers": done.values_list("receiver").annotate(Count("pk")).order_by("receiver"),
        "checkbox": ACTION_CHECKBOX_NAME,
        "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "confirmed": CONFIRMED,
    }
    request.current_app = page.admin_site.name
    return TemplateResponse(request, _TEMPLATE, context)
