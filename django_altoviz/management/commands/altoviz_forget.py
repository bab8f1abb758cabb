from __future__ import annotations

from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from django_altoviz.conf import DEFAULT_ACCOUNT
from django_altoviz.event_types import Entity
from django_altoviz.intake.envelopes import MAX_INTEGER
from django_altoviz.management.database_command import DatabaseCommand
from django_altoviz.management.selection import add_account
from django_altoviz.models import MIRRORS, WebhookEvent
from django_altoviz.privacy.erasure import (
    Erasure,
    allow_again,
    contacts_with_email_of,
    erase,
    is_known,
)


def altoviz_id(text: str) -> int:
    """Parse an id from the command line."""
    if not text.isdecimal() or not 0 < int(text) <= MAX_INTEGER:
        raise ArgumentTypeError(f"{text!r} is not an Altoviz id")
    return int(text)


class Command(DatabaseCommand):
    help = (
        "Erase the personal data of a customer or contact (GDPR) from the mirror, its documents and "
        "the stored events, and keep them out of the mirror. Ids, numbers, dates and amounts stay."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        kinds = [Entity.CUSTOMER.value, Entity.CONTACT.value]
        parser.add_argument("kind", choices=kinds, help="The kind of person.")
        parser.add_argument("id", type=altoviz_id, help="The Altoviz id.")
        add_account(parser, default=DEFAULT_ACCOUNT)
        parser.add_argument(
            "--dry-run", action="store_true", help="Show what would be done, and change nothing."
        )
        parser.add_argument(
            "--lift",
            action="store_true",
            help="Erase nothing. Lift an earlier erasure, so that events and syncs restore the data.",
        )

    def handle(self, *, kind: str, id: int, account: str, lift: bool, **options: Any) -> None:
        entity = Entity(kind)
        if not is_known(entity, id, account):
            raise CommandError(
                _("Account “%(account)s” has neither %(kind)s %(id)s nor an event about it.")
                % {"account": account, "kind": entity.label, "id": id}
            )
        run = lift_and_report if lift else erase_and_report
        for line in run(entity, id, account, options["dry_run"]):
            self.stdout.write(line)


def lift_and_report(entity: Entity, id: int, account: str, dry_run: bool) -> Iterator[str]:
    """Lift the erasure, and yield the lines to print."""
    counts = allow_again(entity, id, account, dry_run=dry_run)
    if not counts:
        yield _("Nothing is erased, so there is nothing to lift.")
        return
    text = _("Would lift the erasure (%(what)s).") if dry_run else _("Erasure lifted (%(what)s).")
    yield text % {"what": _in_words(counts)}
    yield _("The next event of each object, or the next sync, restores its data.")


def erase_and_report(entity: Entity, id: int, account: str, dry_run: bool) -> Iterator[str]:
    """Erase the personal data, and yield the lines to print."""
    # First of all: the erasure removes the addresses that lead to the contacts.
    contacts = contacts_with_email_of(id, account) if entity == Entity.CUSTOMER else []
    for contact in contacts:
        yield _("A contact has the same e-mail address. To erase it, too: %(command)s") % {
            "command": _command(Entity.CONTACT, contact, account)
        }
    erasure = erase(entity, id, account, dry_run=dry_run)
    if erasure.counts:
        text = (
            _("Would erase personal data (%(what)s).")
            if dry_run
            else _("Personal data erased (%(what)s).")
        )
        yield text % {"what": _in_words(erasure.counts)}
    else:
        yield _("There are no personal data left to erase.")
    yield from _remaining(erasure)
    if not dry_run:
        yield _("The mirror takes no personal data from new events. To lift this: %(command)s") % {
            "command": _command(entity, id, account) + " --lift"
        }


def _remaining(erasure: Erasure) -> Iterator[str]:
    """Yield a line for each place that may still hold personal data."""
    documents = [f"{entity.label} {id}" for entity, id in erasure.unclear_documents]
    for found, text in (
        (documents, _("It is unclear whose these documents are. Check them: %(which)s")),
        (erasure.unclear, _("It is unclear whom these events concern. Check them: %(which)s")),
        (
            erasure.unsettled,
            _("Run the command again when these events are settled: %(which)s"),
        ),
    ):
        if found:
            yield text % {"which": ", ".join(map(str, found))}


def _command(entity: Entity, id: int, account: str) -> str:
    option = "" if account == DEFAULT_ACCOUNT else f" --account {account}"
    return f"altoviz_forget {entity.value} {id}{option}"


def _in_words(counts: Counter[str]) -> str:
    names = {entity.value: model._meta.verbose_name_plural for entity, model in MIRRORS.items()}
    names["event"] = WebhookEvent._meta.verbose_name_plural
    return ", ".join(f"{names[name]}: {count}" for name, count in counts.items())
