from __future__ import annotations

import datetime
import json
import re
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext as _

from django_altoviz.conf import account_names, used_account_names
from django_altoviz.health import Health, health_of

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> datetime.timedelta:
    """``90``, ``90s``, ``15m``, ``24h`` or ``2d`` from the command line."""
    written = re.fullmatch(r"(\d+)([smhd]?)", text)
    if not written:
        raise ArgumentTypeError(f"{text!r} is no duration: write 90s, 15m, 24h or 2d")
    return datetime.timedelta(**{_UNITS[written[2] or "s"]: int(written[1])})


class Command(BaseCommand):
    help = (
        "Show what waits, what has failed and when the last delivery came in, for each account. "
        "With limits it is a check for monitoring: it exits with 1 if one is passed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", choices=account_names(), help="Only this account.")
        parser.add_argument(
            "--max-age", type=duration, metavar="TIME", help="The longest that an event may wait."
        )
        parser.add_argument(
            "--max-failed", type=int, metavar="N", help="How many events may be failed or dead."
        )
        parser.add_argument(
            "--max-silence",
            type=duration,
            metavar="TIME",
            help="The longest time without any delivery: 24h. One that never had any passes it.",
        )
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *, account: str | None, format: str, **options: Any) -> None:
        found = [*health_of([account] if account else used_account_names())]
        if account:
            found = [health for health in found if health.account == account]
        problems = [problem for health in found for problem in passed_limits(health, **options)]
        if format == "json":
            value = {"accounts": [health.as_json() for health in found], "problems": problems}
            self.stdout.write(json.dumps(value))
        else:
            self.stdout.write("\n".join(map(shown, found)))
        if problems:
            raise CommandError("\n".join(problems))


def passed_limits(
    health: Health,
    *,
    max_age: datetime.timedelta | None,
    max_failed: int | None,
    max_silence: datetime.timedelta | None,
    **options: Any,
) -> list[str]:
    """What is not as it should be, in words."""
    problems = []
    if max_age is not None and health.age > max_age:
        problems.append(
            _("Account “%(name)s”: an event has waited for %(age)s.")
            % {"name": health.account, "age": in_words(health.age)}
        )
    failed = health.failed + health.dead
    if max_failed is not None and failed > max_failed:
        problems.append(
            _("Account “%(name)s”: events failed or dead: %(count)s.")
            % {"name": health.account, "count": failed}
        )
    if max_silence is not None and (health.silence is None or health.silence > max_silence):
        silence = _("ever") if health.silence is None else in_words(health.silence)
        problems.append(
            _("Account “%(name)s”: nothing has been received for %(silence)s.")
            % {"name": health.account, "silence": silence}
        )
    return problems


def shown(health: Health) -> str:
    waits = _("%(backlog)s, the oldest for %(age)s") if health.backlog else "%(backlog)s"
    last = health.last_received_at
    lines = {
        _("not settled"): waits % {"backlog": health.backlog, "age": in_words(health.age)},
        _("failed"): health.failed,
        _("dead"): health.dead,
        _("malformed"): health.malformed,
        _("last received"): local(last).isoformat(" ", "seconds") if last else _("never"),
    }
    width = max(map(len, lines))
    table = [f"  {name.ljust(width)}  {value}" for name, value in lines.items()]
    return "\n".join([_("Account “%(name)s”") % {"name": health.account}, *table])


def local(moment: datetime.datetime) -> datetime.datetime:
    """In the project's time zone; as it is where the project has none."""
    return localtime(moment) if is_aware(moment) else moment


def in_words(duration: datetime.timedelta) -> str:
    """Without fractions of a second."""
    return str(duration - datetime.timedelta(microseconds=duration.microseconds))
