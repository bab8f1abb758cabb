"""The buttons of the overview: what each asks before it acts, what it does, and what it says then."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_altoviz import registration
from django_altoviz.admin.actions import MAX_IN_REQUEST, PATIENCE, messages_about
from django_altoviz.conf import Account
from django_altoviz.dispatchers import has_sync_queue
from django_altoviz.dispatchers.syncs import SECONDS_TO_SYNC, StartedSync, is_syncing, start_sync
from django_altoviz.exceptions import NotConfirmed, QueueDown, SyncTakenOver
from django_altoviz.masking import SecretMask
from django_altoviz.models import WebhookEvent, WebhookEventQuerySet
from django_altoviz.overview.remote import RemoteState, host_of, limited_client, without_user
from django_altoviz.processing import Replay, drain, ready_keys
from django_altoviz.registration import Plan, Registered, Wanted, endpoints

#: The level and the text of a message.
Said: TypeAlias = tuple[int, str]
_LONGEST_DESCRIPTION = 300
# The limit of a request that changes something, or looks if it has. A question has a shorter one.
_REQUEST_SECONDS = 8.0


class NothingToDo(Exception):
    """The reason why an operation would do nothing, so that nobody is asked to confirm it."""

    def __init__(self, level: int, text: str) -> None:
        super().__init__(text)
        self.said: Said = (level, text)


@dataclass(frozen=True)
class Operation:
    """A button: its label, the permission that it requires, and what it does with an account.

    ``plan`` yields the sentences of the page to confirm it, ``run`` the messages afterwards. Both may
    raise ``APIFailure`` or ``ImproperlyConfigured``, and ``plan`` also ``NothingToDo``.
    """

    label: str | Promise
    permission: str
    plan: Callable[[Account], Iterator[str]]
    run: Callable[[Account], Iterator[Said]]


def failure_text(error: Exception, account: str) -> str:
    """Return what a failed request to Altoviz means for the reader of the page."""
    if type(error) is NotConfirmed:
        return gettext(
            "Altoviz accepted the change, but its list does not show it yet. No webhook was removed "
            "before its replacement was listed. Do it again in a minute: that is safe."
        )
    state = RemoteState(timezone.now(), problem=type(error).__name__, detail=str(error))
    return state.explain(account)


def _described(webhook: Registered, show: Callable[[str], str] = without_user) -> str:
    text = gettext("%(id)s “%(name)s” %(url)s")
    values = {"id": webhook.id, "name": webhook.name, "url": show(webhook.url)}
    # Masked before it is cut, or the cut could leave a part of a secret.
    return SecretMask()(text % values)[:_LONGEST_DESCRIPTION]


def _require(account: Account, *names: str) -> None:
    for name in names:
        if not (
            account.webhook_secrets if name == "WEBHOOK_SECRET" else vars(account)[name.lower()]
        ):
            text = gettext("Account “%(name)s” has no %(setting)s in ALTOVIZ.")
            raise ImproperlyConfigured(text % {"name": account.name, "setting": name})


def _wanted(account: Account) -> Wanted:
    _require(account, "WEBHOOK_URL", "WEBHOOK_SECRET", "API_KEY")
    return Wanted.by(account)


def _plan_registration(account: Account, *, replace: bool) -> Iterator[str]:
    wanted = _wanted(account)
    warnings = [*_warnings_about(account, wanted)]
    with limited_client(account) as client:
        rows = client.webhooks.all()
    replaced = {registration.id_of(row) for row in rows} if replace else ()
    found = registration.plan(rows, wanted, replace=replaced)
    if found.keep and found.is_done and not (found.leave or warnings):
        raise NothingToDo(messages.SUCCESS, _already_registered(found.keep))
    yield from warnings
    yield from _steps(found, without_user(wanted.url))


def _already_registered(webhook: Registered) -> str:
    return gettext("Already registered: %(webhook)s") % {"webhook": _described(webhook)}


def _warnings_about(account: Account, wanted: Wanted) -> Iterator[str]:
    url = without_user(wanted.url)
    if reason := endpoints.why_not_public(wanted.url):
        text = gettext("Altoviz may not be able to deliver to %(url)s: %(reason)s.")
        yield text % {"url": url, "reason": reason}
    if not endpoints.leads_to_webhook(wanted.url, account.name):
        text = gettext("%(url)s does not lead to the webhook of account “%(name)s”.")
        yield text % {"url": url, "name": account.name}


def _steps(plan: Plan, url: str) -> Iterator[str]:
    if plan.keep:
        yield gettext("Would keep: %(webhook)s") % {"webhook": _described(plan.keep)}
    else:
        yield gettext("Would register: %(url)s") % {"url": url}
    for webhook in plan.remove:
        yield gettext("Would remove: %(webhook)s") % {"webhook": _described(webhook)}
    for webhook in plan.leave:
        text = gettext("Left alone, because it may belong to another project: %(webhook)s")
        yield text % {"webhook": _described(webhook, host_of)}


def _patient_sleep() -> Callable[[float], None]:
    """Return a ``sleep`` that gives up when the request has taken long enough."""
    deadline = time.monotonic() + PATIENCE

    def sleep(seconds: float) -> None:
        if time.monotonic() + seconds > deadline:
            raise NotConfirmed
        time.sleep(seconds)

    return sleep


def _register(account: Account, *, replace: bool) -> Iterator[Said]:
    with limited_client(account, _REQUEST_SECONDS) as client:
        result = registration.register(
            client.webhooks, _wanted(account), replace=replace, sleep=_patient_sleep()
        )
    if result.created:
        text = gettext("Registered: %(webhook)s") % {"webhook": _described(result.kept)}
    else:
        text = _already_registered(result.kept)
    yield messages.SUCCESS, text
    for id in result.removed:
        yield messages.SUCCESS, gettext("Removed: %(id)s") % {"id": id}


def _to_unregister(account: Account) -> list[Registered]:
    url = _wanted(account).url
    with limited_client(account) as client:
        listed = [Registered.read(row) for row in client.webhooks.all()]
    return [each for each in listed if each.id and registration.delivers_to(each, url)]


def _plan_removal(account: Account) -> Iterator[str]:
    chosen = _to_unregister(account)
    if not chosen:
        raise NothingToDo(*_no_webhook())
    for webhook in chosen:
        yield gettext("Would remove: %(webhook)s") % {"webhook": _described(webhook)}


def _no_webhook() -> Said:
    return messages.WARNING, gettext("There is no such webhook.")


def _unregister(account: Account) -> Iterator[Said]:
    chosen = _to_unregister(account)
    with limited_client(account, _REQUEST_SECONDS) as client:
        registration.unregister(
            client.webhooks, [each.id for each in chosen], sleep=_patient_sleep()
        )
    for webhook in chosen:
        yield messages.SUCCESS, gettext("Removed: %(webhook)s") % {"webhook": _described(webhook)}
    if not chosen:
        yield _no_webhook()


def _plan_sync(account: Account) -> Iterator[str]:
    _require(account, "API_KEY")
    if is_syncing(account.name):
        raise NothingToDo(*_what_was_started(None))
    if has_sync_queue():
        yield gettext(
            "The workers read all objects at Altoviz, and apply each difference as an event."
        )
        return
    text = gettext(
        "This request reads objects at Altoviz for about %(seconds)d seconds, and applies each "
        "difference as an event. The next sync goes on from there."
    )
    yield text % {"seconds": SECONDS_TO_SYNC}


def _sync_now(account: Account) -> Iterator[Said]:
    try:
        started = start_sync(account.name)
    except QueueDown as error:
        text = gettext("The queue did not take the sync: %(error)s. Nothing was started.")
        yield messages.ERROR, text % {"error": error}
    except SyncTakenOver:
        yield messages.WARNING, gettext("Another process has taken over this sync.")
    else:
        yield _what_was_started(started)


def _what_was_started(started: StartedSync | None) -> Said:
    if started is None:
        return messages.WARNING, gettext("A sync is running already. Nothing was started.")
    if started.is_queued:
        return messages.SUCCESS, gettext("The sync waits for a worker now.")
    if not started.left:
        return messages.SUCCESS, gettext("The sync is done.")
    text = gettext(
        "The sync is not finished: %(kinds)s. Start it again to go on, or run altoviz_sync."
    )
    kinds = ", ".join(str(entity.label) for entity in started.left)
    return messages.WARNING, text % {"kinds": kinds}


def _plan_processing(account: Account) -> Iterator[str]:
    if not any(ready_keys(_stored_events(account))):
        raise NothingToDo(*_nothing_due())
    text = gettext(
        "At most %(count)d events that are due are processed in this request, for at most %(seconds)d "
        "seconds. Their receivers are called."
    )
    yield text % {"count": MAX_IN_REQUEST, "seconds": PATIENCE}


def _stored_events(account: Account) -> WebhookEventQuerySet[WebhookEvent]:
    return WebhookEvent.objects.for_write().filter(account=account.name)


def _nothing_due() -> Said:
    return messages.SUCCESS, gettext("No event was due.")


def _process_due(account: Account) -> Iterator[Said]:
    deadline = time.monotonic() + PATIENCE
    attempted = drain(_stored_events(account), limit=MAX_IN_REQUEST, deadline=deadline)
    outcomes = Counter(map(Replay.of_attempted, attempted))
    is_cut_short = outcomes.total() >= MAX_IN_REQUEST or time.monotonic() >= deadline
    yield from messages_about(outcomes)
    if not outcomes and not is_cut_short:
        yield _nothing_due()
    if is_cut_short:
        yield messages.WARNING, gettext("More events may be due.")


REGISTER, REPLACE, UNREGISTER, SYNC, PROCESS = (
    "register",
    "replace",
    "unregister",
    "sync",
    "process",
)
OPERATIONS: Mapping[str, Operation] = {
    REGISTER: Operation(
        _("Register the webhook"),
        "register_webhook",
        partial(_plan_registration, replace=False),
        partial(_register, replace=False),
    ),
    REPLACE: Operation(
        _("Replace the webhook"),
        "register_webhook",
        partial(_plan_registration, replace=True),
        partial(_register, replace=True),
    ),
    UNREGISTER: Operation(
        _("Unregister the webhook"), "register_webhook", _plan_removal, _unregister
    ),
    SYNC: Operation(_("Sync now"), "start_sync", _plan_sync, _sync_now),
    PROCESS: Operation(
        _("Process what is due"), "process_webhookevent", _plan_processing, _process_due
    ),
}
