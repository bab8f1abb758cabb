"""The base of the commands that read or write the database."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error, InterfaceError, OperationalError, router
from django.utils.translation import gettext as _

from django_altoviz.models import WebhookEvent, tables

#: The exit code if the database does not answer, or lacks tables.
NO_DATABASE = 4


class DatabaseCommand(BaseCommand):
    """A command that says what is wrong with the database, instead of printing a traceback.

    ``--traceback`` prints it all the same.
    """

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except Error as error:
            alias = router.db_for_write(WebhookEvent)
            if missing := tables.missing(alias):
                text = _("Tables are missing. Run manage.py migrate. Missing: %(tables)s")
                reason = text % {"tables": ", ".join(missing)}
            elif isinstance(error, (OperationalError, InterfaceError)):
                reason = _("The database “%(alias)s” did not answer, or refused: %(error)s") % {
                    "alias": alias,
                    "error": error,
                }
            else:
                raise
            raise CommandError(reason, returncode=NO_DATABASE) from error
