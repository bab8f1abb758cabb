from __future__ import annotations

from argparse import ArgumentTypeError
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from django_altoviz.conf import DEFAULT_ACCOUNT, account_names
from django_altoviz.event_types import Entity
from django_altoviz.forgetting import contacts_of, forget, knows
from django_altoviz.models import MIRRORS, WebhookEvent


def altoviz_id(text: str) -> int:
    """An id from the command line."""
    if not text.isdecimal() or not 0 < int(text) < 2**63:
        raise ArgumentTypeError(f"{text!r} is no Altoviz id")
    return int(text)


class Command(BaseCommand):
    help = (
        "Remove the personal data of a customer or contact from the mirror, its documents and the "
        "stored events. Ids, numbers, dates and amounts stay. Erase them at Altoviz first, or the "
        "next sync brings them back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=[Entity.CUSTOMER.value, Entity.CONTACT.value])
        parser.add_argument("id", type=altoviz_id, help="The Altoviz id.")
        parser.add_argument("--account", choices=account_names(), default=DEFAULT_ACCOUNT)
        parser.add_argument("--dry-run", action="store_true", help="Only say what would go.")

    def handle(self, *, kind: str, id: int, account: str, dry_run: bool, **options: Any) -> None:
        entity = Entity(kind)
        if not knows(entity, id, account):
            raise CommandError(
                _("Account “%(account)s” has no %(kind)s %(id)s, and no event of one.")
                % {"account": account, "kind": entity.label, "id": id}
            )
        # Asked before the address that leads to them is gone.
        contacts = contacts_of(id, account) if entity == Entity.CUSTOMER else []
        self.stdout.write(report(forget(entity, id, account, dry_run=dry_run), dry_run))
        for contact in contacts:
            self.stdout.write(
                _("A contact has the same e-mail address: altoviz_forget contact %(id)s")
                % {"id": contact}
            )


def report(counts: Counter[str], dry_run: bool) -> str:
    """What was or would be blanked, by kind."""
    if not counts:
        return _("There was nothing left to forget.")
    names = {entity.value: model._meta.verbose_name_plural for entity, model in MIRRORS.items()}
    names["event"] = WebhookEvent._meta.verbose_name_plural
    what = ", ".join(f"{names[kind]}: {count}" for kind, count in counts.items())
    text = _("Would be blanked: %(what)s.") if dry_run else _("Blanked: %(what)s.")
    return text % {"what": what}
