from __future__ import annotations

from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from django_altoviz.conf import DEFAULT_ACCOUNT
from django_altoviz.event_types import Entity
from django_altoviz.management.selection import add_account
from django_altoviz.models import MIRRORS, WebhookEvent
from django_altoviz.privacy.erasure import Forgotten, contacts_of, forget, knows, lift


def altoviz_id(text: str) -> int:
    """An id from the command line."""
    if not text.isdecimal() or not 0 < int(text) < 2**63:
        raise ArgumentTypeError(f"{text!r} is no Altoviz id")
    return int(text)


class Command(BaseCommand):
    help = (
        "Remove the personal data of a customer or contact from the mirror, its documents and the "
        "stored events, and keep them out of the mirror. Ids, numbers, dates and amounts stay."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=[Entity.CUSTOMER.value, Entity.CONTACT.value])
        parser.add_argument("id", type=altoviz_id, help="The Altoviz id.")
        add_account(parser, default=DEFAULT_ACCOUNT)
        parser.add_argument("--dry-run", action="store_true", help="Only say what would go.")
        parser.add_argument(
            "--lift",
            action="store_true",
            help="Remove nothing, but let the data of one who returns in again.",
        )

    def handle(self, *, kind: str, id: int, account: str, lift: bool, **options: Any) -> None:
        entity = Entity(kind)
        if not knows(entity, id, account):
            raise CommandError(
                _("Account “%(account)s” has no %(kind)s %(id)s, and no event of one.")
                % {"account": account, "kind": entity.label, "id": id}
            )
        tell = lifted if lift else forgotten
        for line in tell(entity, id, account, options["dry_run"]):
            self.stdout.write(line)


def lifted(entity: Entity, id: int, account: str, dry_run: bool) -> Iterator[str]:
    """Lift, and say of what."""
    counts = lift(entity, id, account, dry_run=dry_run)
    if not counts:
        yield _("Nothing of it is forgotten.")
        return
    text = _("Would be let in again: %(what)s.") if dry_run else _("Are let in again: %(what)s.")
    yield text % {"what": _what(counts)}
    yield _("The next event of each or the next sync brings the data.")


def forgotten(entity: Entity, id: int, account: str, dry_run: bool) -> Iterator[str]:
    """Forget, and say what was or would be blanked, and what remains to be done."""
    # Asked before the address that leads to them is gone.
    contacts = contacts_of(id, account) if entity == Entity.CUSTOMER else []
    done = forget(entity, id, account, dry_run=dry_run)
    if done.counts:
        text = _("Would be blanked: %(what)s.") if dry_run else _("Blanked: %(what)s.")
        yield text % {"what": _what(done.counts)}
    else:
        yield _("There was nothing left to forget.")
    yield from _remaining(done)
    for contact in contacts:
        yield _("A contact has the same e-mail address: %(command)s") % {
            "command": _command(Entity.CONTACT, contact, account)
        }
    if not dry_run:
        yield _("What comes in from now on is shown without personal data, until: %(command)s") % {
            "command": _command(entity, id, account) + " --lift"
        }


def _remaining(done: Forgotten) -> Iterator[str]:
    """Where some may be left."""
    documents = [f"{entity.label} {id}" for entity, id in done.unclear_documents]
    for found, text in (
        (documents, _("Nobody can tell whose these documents are, look at them: %(which)s")),
        (done.unclear, _("Nobody can tell whom these events concern, look at them: %(which)s")),
        (done.unsettled, _("Run the command again when these events are settled: %(which)s")),
    ):
        if found:
            yield text % {"which": ", ".join(map(str, found))}


def _command(entity: Entity, id: int, account: str) -> str:
    other = "" if account == DEFAULT_ACCOUNT else f" --account {account}"
    return f"altoviz_forget {entity.value} {id}{other}"


def _what(counts: Counter[str]) -> str:
    names = {entity.value: model._meta.verbose_name_plural for entity, model in MIRRORS.items()}
    names["event"] = WebhookEvent._meta.verbose_name_plural
    return ", ".join(f"{names[kind]}: {count}" for kind, count in counts.items())
