"""The events: what waits, what failed and why, what was rejected, and silence."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_altoviz import rejections
from django_altoviz.doctor.findings import (
    Finding,
    Visit,
    doubtful,
    failing,
    findings_of,
    skipped,
    well,
)
from django_altoviz.health import Health, health_of
from django_altoviz.log import on_one_line
from django_altoviz.models import Status, WebhookEvent

_LONGEST_WAIT = datetime.timedelta(minutes=10)
_A_DAY = datetime.timedelta(days=1)
_LONGEST_SILENCE = datetime.timedelta(days=7)
# Errors are counted in the newest events only: there may be any number.
_NEWEST = 200
_MOST_CAUSES = 3
_CAUSE_LENGTH = 120


def examine_events(visit: Visit) -> Iterator[Finding]:
    if not visit.has_events:
        yield skipped("events", _("The events can't be read: see “Database”."))
        return
    rejected = rejections.recent()
    names = [account.name for account in visit.accounts]
    for health in health_of(names, rejected):
        if visit.account in (None, health.account):
            yield from findings_of("events", partial(_about_account, health), visit)
    unknown = rejections.by_answer(rejected.get("", {})).total()
    if unknown:
        yield doubtful(
            "rejected",
            _("Deliveries in %(days)s days for an account that does not exist: %(count)s.")
            % {"count": unknown, "days": rejections.RECENT_DAYS},
            _("Compare the URLs registered at Altoviz (altoviz_list_webhooks) with ACCOUNTS."),
        )


def _about_account(health: Health, visit: Visit) -> Iterator[Finding]:
    about = {"name": health.account}
    yield _backlog(health, about)
    yield from _failures(health, about, visit)
    yield from _ignored(health, about, visit)
    if health.account in {account.name for account in visit.accounts}:
        yield _silence(health, about)
    yield from _rejected(health, about)


def _backlog(health: Health, about: Mapping[str, Any]) -> Finding:
    waiting = health.backlog - health.failed
    seconds = datetime.timedelta(seconds=round(health.age.total_seconds()))
    values = {**about, "count": waiting, "age": abs(seconds)}
    if health.age < -datetime.timedelta(minutes=1):
        cause = _("Account “%(name)s”: the oldest event that waits is from the future, by %(age)s.")
        cure = _("The clock of a machine was, or is, wrong. Synchronise all clocks with NTP.")
        return doubtful("backlog", cause % values, cure)
    if waiting and health.age > _LONGEST_WAIT:
        cause = _(
            "Account “%(name)s”: events that wait to be processed: %(count)s, the oldest for %(age)s."
        )
        cure = _(
            "Run altoviz_process_events now, and then every minute from cron or with --watch. With a "
            "queue, see that its workers run."
        )
        return failing("backlog", cause % values, cure)
    return well(
        "backlog", _("Account “%(name)s”: events that wait to be processed: %(count)s.") % values
    )


def _failures(health: Health, about: Mapping[str, Any], visit: Visit) -> Iterator[Finding]:
    cure = _(
        "Correct the cause, in the receiver for example, and run altoviz_process_events --status "
        "%(status)s. The admin shows each error."
    )
    for status, count in ((Status.FAILED, health.failed), (Status.DEAD, health.dead)):
        if count:
            values = {**about, "count": count, "causes": _causes(health, status, visit)}
            if status == Status.FAILED:
                cause = _(
                    "Account “%(name)s”: events that failed and are tried again (%(count)s): %(causes)s"
                )
            else:
                cause = _("Account “%(name)s”: events that were given up (%(count)s): %(causes)s")
            kind = doubtful if status == Status.FAILED else failing
            yield kind(str(status.value), cause % values, cure % {"status": status.value})
    if health.malformed:
        cause = _(
            "Account “%(name)s”: authentic deliveries that are no events (%(count)s): %(causes)s"
        )
        causes = _causes(health, Status.MALFORMED, visit)
        cure = _("Look at their bodies in the admin, and report those that Altoviz has sent.")
        values = {**about, "count": health.malformed, "causes": causes}
        yield doubtful("malformed", cause % values, cure)


def _causes(health: Health, status: Status, visit: Visit) -> str:
    """Return the most frequent errors of the newest events of that status."""
    return "; ".join(
        f"{text} ({n})" for text, n in _errors(health, status, visit).most_common(_MOST_CAUSES)
    )


def _errors(
    health: Health, status: Status, visit: Visit, since: datetime.datetime | None = None
) -> Counter[str]:
    stored = WebhookEvent.objects.using(visit.alias).filter(account=health.account, status=status)
    if since is not None:
        stored = stored.filter(received_at__gte=since)
    errors = stored.order_by("-received_at").values_list("error", flat=True)[:_NEWEST]
    last_lines = (error.strip().rpartition("\n")[2] for error in errors)
    return Counter(str(on_one_line(line))[:_CAUSE_LENGTH] for line in last_lines if line)


def _ignored(health: Health, about: Mapping[str, Any], visit: Visit) -> Iterator[Finding]:
    causes = _errors(health, Status.IGNORED, visit, since=timezone.now() - _A_DAY)
    if causes:
        texts = "; ".join(f"{text} ({n})" for text, n in causes.most_common(_MOST_CAUSES))
        yield doubtful(
            "ignored",
            _("Account “%(name)s”: events of the last day had no effect: %(causes)s")
            % {**about, "causes": texts},
            _(
                "Usually that is right. A sample of an object that a sync did not find at Altoviz "
                "stays without effect: give it another one, altoviz_send_event --set id=77."
            ),
        )


def _silence(health: Health, about: Mapping[str, Any]) -> Finding:
    silence = health.silence
    cure = _(
        "Is the webhook registered (altoviz_list_webhooks), can its URL be reached from the internet, "
        "and does the proxy's log show requests? altoviz_send_event Ping tries it."
    )
    if silence is None:
        cause = _("Account “%(name)s”: nothing has ever been received.") % about
        return doubtful("silence", cause, cure)
    values = {**about, "silence": datetime.timedelta(seconds=round(silence.total_seconds()))}
    if silence > _LONGEST_SILENCE:
        cause = _("Account “%(name)s”: nothing has been received for %(silence)s.") % values
        return doubtful("silence", cause, cure)
    return well("silence", _("Account “%(name)s”: the last event came %(silence)s ago.") % values)


def _rejected(health: Health, about: Mapping[str, Any]) -> Iterator[Finding]:
    for answer, count in rejections.by_answer(health.rejected).most_common():
        yield doubtful(
            "rejected",
            _(
                "Account “%(name)s”: deliveries in %(days)s days that were answered “%(answer)s”: %(count)s."
            )
            % {**about, "count": count, "days": rejections.RECENT_DAYS, "answer": answer},
            str(_REJECTION_CURES.get(answer, _LOOK_UP)),
        )


_LOOK_UP = gettext_lazy("Look the answer up in docs/troubleshooting.rst.")
_REJECTION_CURES: Mapping[str, Any] = {
    "invalid signature": gettext_lazy(
        "WEBHOOK_SECRET here and the secret at Altoviz differ, or the body is altered on the way. "
        "Capture a delivery and give it to this command, with --body and --signature."
    ),
    "forbidden": gettext_lazy(
        "The log names the address that is not in ALLOWED_IPS. If it is your proxy's, list it in "
        "TRUSTED_PROXIES."
    ),
    "not configured": gettext_lazy(
        "The server lacked a WEBHOOK_SECRET, or a setting was invalid. Set it in the server's "
        "environment, too."
    ),
    "not stored": gettext_lazy(
        "The database refused the event: the log says why. Run altoviz_sync for what was lost."
    ),
    "unreadable body": gettext_lazy(
        "A middleware reads the body before the view, or connections break off. The log says which."
    ),
    "too large": gettext_lazy("Raise MAX_BODY_BYTES."),
}
