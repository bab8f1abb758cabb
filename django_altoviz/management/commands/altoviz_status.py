from __future__ import annotations

import datetime
import json
import re
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext as _

from django_altoviz import rejections
from django_altoviz.conf import used_account_names
from django_altoviz.health import Health
from django_altoviz.management.database_command import DatabaseCommand
from django_altoviz.management.selection import add_account, add_format
from django_altoviz.management.webhooks import printable
from django_altoviz.overview import AccountOverview, overview_of
from django_altoviz.overview.activity import activity, monthly_amounts
from django_altoviz.overview.metrics import open_metrics
from django_altoviz.overview.remote import ask

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> datetime.timedelta:
    """Parse a duration from the command line: ``90``, ``90s``, ``15m``, ``24h`` or ``2d``."""
    written = re.fullmatch(r"(\d+)([smhd]?)", text)
    if not written:
        raise ArgumentTypeError(f"{text!r} is not a duration: write 90s, 15m, 24h or 2d")
    try:
        return datetime.timedelta(**{_UNITS[written[2] or "s"]: int(written[1])})
    except OverflowError:
        raise ArgumentTypeError(f"{text!r} is longer than any time can be") from None


class Command(DatabaseCommand):
    help = (
        "Show the backlog, the failures, the rejections and the last event of each account. With "
        "limits it is a check for monitoring: it exits with 1 if an account exceeds a limit."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_account(parser, help="Only this account.")
        parser.add_argument(
            "--max-age", type=duration, metavar="TIME", help="The longest time an event may wait."
        )
        parser.add_argument(
            "--max-failed",
            type=int,
            metavar="N",
            help="The most events that may be failed or dead.",
        )
        parser.add_argument(
            "--max-silence",
            type=duration,
            metavar="TIME",
            help="The longest time without a new event, such as 24h. A configured account that never "
            "had one exceeds it.",
        )
        parser.add_argument(
            "--max-rejected",
            type=int,
            metavar="N",
            help="The most deliveries that may have been rejected today and yesterday (UTC).",
        )
        parser.add_argument(
            "--remote",
            action="store_true",
            help="Also ask Altoviz if the API key is valid and the webhook is right. It takes three "
            "seconds at most.",
        )
        add_format(parser, "openmetrics")

    def handle(self, *, account: str | None, format: str, remote: bool, **options: Any) -> None:
        rejected = rejections.recent()
        expected = [account] if account else used_account_names()
        answers = ask(expected) if remote else {}
        is_json = format == "json"
        amounts = monthly_amounts() if is_json else {}
        found = [*overview_of(expected, rejected, answers, amounts)]
        if account:
            found = [each for each in found if each.health.account == account]
        unknown = rejected.get("", {})
        problems = []
        for health in [each.health for each in found]:
            is_silent = health.account not in expected and health.last_received_at is None
            limits = options | {"max_silence": None} if is_silent else options
            problems += exceeded_limits(health, **limits)
        if is_json:
            value = {
                "accounts": [each.as_json() for each in found],
                "problems": problems,
                "unknown_accounts": unknown,
                "events": activity().as_json(),
            }
            self.stdout.write(json.dumps(value))
        elif format == "openmetrics":
            self.stdout.write(open_metrics(found), ending="")
        else:
            self.stdout.write("\n".join(map(overview_table, found)))
            if unknown:
                self.stdout.write(
                    _("Deliveries for unknown accounts in %(days)s days: %(count)s")
                    % {
                        "days": rejections.RECENT_DAYS,
                        "count": rejections.by_answer(unknown).total(),
                    }
                )
        if problems:
            raise CommandError("\n".join(problems))


def exceeded_limits(
    health: Health,
    *,
    max_age: datetime.timedelta | None,
    max_failed: int | None,
    max_silence: datetime.timedelta | None,
    max_rejected: int | None,
    **options: Any,
) -> list[str]:
    """Return a sentence for each limit that the account exceeds."""
    problems = []
    if max_age is not None and health.age > max_age:
        problems.append(
            _("Account “%(name)s”: an event has waited for %(age)s.")
            % {"name": health.account, "age": whole_seconds(health.age)}
        )
    failed = health.failed + health.dead
    if max_failed is not None and failed > max_failed:
        problems.append(
            _("Account “%(name)s”: events failed or dead: %(count)s.")
            % {"name": health.account, "count": failed}
        )
    if max_rejected is not None and health.recently_rejected > max_rejected:
        problems.append(
            _("Account “%(name)s”: deliveries rejected today and yesterday: %(count)s.")
            % {"name": health.account, "count": health.recently_rejected}
        )
    if max_silence is not None:
        silence = health.silence
        if silence is None:
            problems.append(
                _("Account “%(name)s”: nothing has ever been received.") % {"name": health.account}
            )
        elif silence > max_silence:
            problems.append(
                _("Account “%(name)s”: nothing has been received for %(silence)s.")
                % {"name": health.account, "silence": whole_seconds(silence)}
            )
    return problems


def overview_table(overview: AccountOverview) -> str:
    """Return a table with the state of one account."""
    health = overview.health
    backlog = _("%(backlog)s, the oldest for %(age)s") if health.backlog else "%(backlog)s"
    last = health.last_received_at
    lines = {
        _("not settled"): backlog % {"backlog": health.backlog, "age": whole_seconds(health.age)},
        _("blocked"): health.blocked,
        _("failed"): health.failed,
        _("dead"): health.dead,
        _("conflicting"): health.conflicting,
        _("malformed"): health.malformed,
        _("rejected"): rejected_deliveries(health),
        _("last received"): local(last).isoformat(" ", "seconds") if last else _("never"),
        _("syncs"): last_states(overview) or _("never"),
    }
    if answer := overview.altoviz:
        lines[_("API key")] = f"{answer.key.label} {printable(answer.company)}".rstrip()
        lines[_("webhook")] = answer.webhook.label
        if answer.problem:
            lines[_("problem")] = printable(answer.explain(health.account))
    width = max(map(len, lines))
    table = [f"  {name.ljust(width)}  {value}" for name, value in lines.items()]
    return "\n".join([_("Account “%(name)s”") % {"name": health.account}, *table])


def last_states(overview: AccountOverview) -> str:
    """Return the state of the last sync of each kind of object, and how many objects differed."""
    return ", ".join(
        f"{run.get_entity_display()}: {run.state.label} ({run.drift})" for run in overview.syncs
    )


def rejected_deliveries(health: Health) -> str:
    """Return how many deliveries were rejected in the last days, and with which answers."""
    counts = rejections.by_answer(health.rejected)
    if not counts:
        return "0"
    answers = ", ".join(f"{answer}: {number}" for answer, number in counts.most_common())
    return _("%(count)s in %(days)s days (%(answers)s)") % {
        "count": counts.total(),
        "days": rejections.RECENT_DAYS,
        "answers": answers,
    }


def local(moment: datetime.datetime) -> datetime.datetime:
    """Return the time in the project's time zone, or unchanged if the project has none."""
    return localtime(moment) if is_aware(moment) else moment


def whole_seconds(duration: datetime.timedelta) -> str:
    """Return the duration without fractions of a second."""
    return str(duration - datetime.timedelta(microseconds=duration.microseconds))
