"""Events that have not had their whole effect: why each failed, and what each waits for."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from django_altoviz.admin.base import ReadOnly
from django_altoviz.admin.content import may_view_content
from django_altoviz.admin.display.values import format_time, labelled, translate_note
from django_altoviz.admin.history import WENT_WRONG, error_summary, event_label, status_label
from django_altoviz.conf import app_settings
from django_altoviz.models import Mirror, Status, WebhookEvent, queue
from django_altoviz.processing import may_be_replayed

#: The problems that are shown of one object.
MAX_PROBLEMS = 3
UNFINISHED = (*queue.UNSETTLED, Status.DEAD)


@dataclass(frozen=True)
class Problem:
    """An event that is not settled, or dead.

    What the reader may not view is empty: ``error``, ``waiting``, ``link``, and the ``button``, which
    is the URL that processes the event again.
    """

    label: str
    at: str
    status: str
    error: str
    waiting: str
    link: str
    button: str
    is_wrong: bool
    is_unapplied: bool


def problems_of(row: Mirror, page: ReadOnly) -> tuple[list[Problem], bool]:
    """Return the last events of a mirror's row that are not settled, or dead.

    At most ``MAX_PROBLEMS`` are described; the boolean says that there are more.
    """
    events = WebhookEvent.objects.filter(
        account=row.account,
        entity=row.entity(),
        object_id=row.altoviz_id,
        status__in=UNFINISHED,
    )
    last = events.defer("body", "changes", "arrival", "history").order_by("-pk")
    found = [*last[: MAX_PROBLEMS + 1]]
    described = [problem_of(event, page, row) for event in found[:MAX_PROBLEMS]]
    return described, len(found) > MAX_PROBLEMS


def problem_of(event: WebhookEvent, page: ReadOnly, row: Mirror | None = None) -> Problem:
    """Describe an unfinished event; ``row`` is its object in the mirror, if that is what is shown."""
    may_view = page.may_view(WebhookEvent)
    link, error = "", ""
    if may_view:
        link = page.link(WebhookEvent, "change", f"#{event.pk}", event.pk)
        error = _cause_and_error(event, page)
    return Problem(
        label=event_label(event),
        at=format_time(event.received_at),
        status=status_label(event),
        error=error,
        waiting=waiting_for(event, page) if may_view else "",
        link=link,
        button=_button(event, page) if may_view else "",
        is_wrong=event.status in WENT_WRONG,
        is_unapplied=row is not None and _is_unapplied(event, row),
    )


def _cause_and_error(event: WebhookEvent, page: ReadOnly) -> str:
    """Return the cause of a failure, with the last line of the error if the reader may view that."""
    summary = error_summary(event, page.renderer) if may_view_content(page, event) else ""
    receiver, _colon, kind = event.cause.rpartition(": ")
    if not summary or not event.cause:
        return summary or translate_note(event.cause)
    if receiver in summary:
        return summary
    return labelled(receiver, summary) if summary.startswith(kind) else f"{event.cause}. {summary}"


def _button(event: WebhookEvent, page: ReadOnly) -> str:
    request = page.request
    if request is None or not request.user.has_perm("django_altoviz.process_webhookevent"):
        return ""
    if not may_be_replayed(event):
        return ""
    name = "admin:django_altoviz_webhookevent_process"
    return reverse(name, args=[event.pk], current_app=page.admin_site.name)


def _is_unapplied(event: WebhookEvent, row: Mirror) -> bool:
    # An event may have failed at a receiver only after the mirror was updated.
    return event.mirrored_at is None and event.pk > row.last_event_id


def waiting_for(event: WebhookEvent, page: ReadOnly) -> str:
    """Say what an unsettled event waits for. Return nothing if it is settled."""
    if event.is_settled:
        return ""
    if event.is_leased and event.lease_expires_at:
        return _("A worker has it until %(time)s.") % {"time": format_time(event.lease_expires_at)}
    if event.has_expired_lease:
        return _("Its worker did not come back in time. altoviz_process_events takes it over.")
    if (ahead := _first_ahead(event)) is not None:
        link = page.link(WebhookEvent, "change", f"#{ahead.pk}", ahead.pk)
        return format_html(
            _("It waits for the earlier event {event} of the object (status: {status})."),
            event=link,
            status=status_label(ahead),
        )
    if not event.is_due and event.next_attempt_at:
        return _("It is tried again at %(time)s.") % {"time": format_time(event.next_attempt_at)}
    return _(
        "It has been due since %(time)s, and nobody has taken it. Check that the workers, or "
        "altoviz_process_events, run."
    ) % {"time": format_time(event.next_attempt_at or event.received_at)}


def _first_ahead(event: WebhookEvent) -> WebhookEvent | None:
    if event.object_id is None:
        return None
    ahead = queue.blocking(event, app_settings.WAIT_FOR_RETRIES)
    events = WebhookEvent.with_pruned.filter(ahead).only("pk", "status", "pruned_at")
    first: WebhookEvent | None = events.order_by("pk").first()
    return first
