from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_altoviz.doctor import SUBJECTS, Finding, FindingState, Visit, examine
from django_altoviz.management.selection import add_account, add_format
from django_altoviz.management.webhooks import printable

_MARKS = {
    FindingState.OK: "✔",
    FindingState.WARNING: "!",
    FindingState.FAILURE: "✘",
    FindingState.SKIPPED: "–",
}
#: For a terminal whose encoding lacks the marks.
_PLAIN_MARKS = {"✔": "ok", "✘": "X", "–": "-", "→": "->"}


def captured(path: Path | None) -> bytes | None:
    """Read a captured body from the file that the command line names."""
    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        raise CommandError(
            _("%(path)s can't be read: %(error)s") % {"path": path, "error": error.strerror}
        ) from error


class Command(BaseCommand):
    help = (
        "Find out why the integration does not work. Examine settings, database, webhook, Altoviz, "
        "workers, receivers and events, and say the cause and the cure of each trouble."
    )
    # An invalid setting must not keep the command from saying so.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_account(parser, help="Only this account.")
        parser.add_argument("--offline", action="store_true", help="Do not ask Altoviz.")
        parser.add_argument(
            "--wait",
            type=float,
            default=5.0,
            metavar="SECONDS",
            help="How long a worker may take to answer a task (default: 5).",
        )
        parser.add_argument(
            "--body",
            type=Path,
            metavar="FILE",
            help="The raw body of a delivery that was rejected, to see what is wrong with it.",
        )
        parser.add_argument(
            "--signature", metavar="HEADER", help="The X-SIGNATURE of that delivery."
        )
        parser.add_argument(
            "--fail-on-warning", action="store_true", help="Exit with 1 after a warning, too."
        )
        add_format(parser)

    def handle(
        self,
        *,
        account: str | None,
        offline: bool,
        wait: float,
        body: Path | None,
        signature: str | None,
        fail_on_warning: bool,
        format: str,
        verbosity: int,
        **options: Any,
    ) -> None:
        if (body is None) != (signature is None):
            raise CommandError(_("--body and --signature belong together."))
        found = examine(Visit(account, offline, wait, captured(body), signature or ""))
        shown = {FindingState.FAILURE} if verbosity == 0 else {*FindingState}
        states = (self.write_json if format == "json" else self.write_text)(found, shown)
        serious = [FindingState.FAILURE, *([FindingState.WARNING] if fail_on_warning else [])]
        if number := sum(states[state] for state in serious):
            text = ngettext(
                "%(count)s problem was found.", "%(count)s problems were found.", number
            )
            raise CommandError(text % {"count": number})

    def write_json(
        self, found: Iterable[tuple[str, Finding]], shown: Collection[FindingState]
    ) -> Counter[FindingState]:
        found = [*found]
        states = Counter(finding.state for _subject, finding in found)
        findings = [
            {"subject": subject, **finding.as_json()}
            for subject, finding in found
            if finding.state in shown
        ]
        counts = {state.value: states[state] for state in FindingState}
        self.stdout.write(json.dumps({"findings": findings, "counts": counts}))
        return states

    def write_text(
        self, found: Iterable[tuple[str, Finding]], shown: Collection[FindingState]
    ) -> Counter[FindingState]:
        """Write each finding as soon as it is made, because some take seconds."""
        states: Counter[FindingState] = Counter()
        last = ""
        for subject, finding in found:
            states[finding.state] += 1
            if finding.state not in shown:
                continue
            if subject != last:
                self.write_line(str(SUBJECTS[subject][0]), self.style.MIGRATE_HEADING)
                last = subject
            style = _STYLES[finding.state]
            line = f"  {_MARKS[finding.state]} {finding.name}: {printable(finding.cause)}"
            self.write_line(line, getattr(self.style, style))
            if finding.cure:
                self.write_line(f"    → {printable(finding.cure)}")
        return states

    def write_line(self, line: str, style: Any = None) -> None:
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        try:
            line.encode(encoding)
        except UnicodeEncodeError:
            for mark, plain in _PLAIN_MARKS.items():
                line = line.replace(mark, plain)
            line = line.encode(encoding, "replace").decode(encoding)
        self.stdout.write(line, style)


_STYLES = {
    FindingState.OK: "SUCCESS",
    FindingState.WARNING: "WARNING",
    FindingState.FAILURE: "ERROR",
    FindingState.SKIPPED: "NOTICE",
}
