"""Checks of the database that events are written to."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.db import DEFAULT_DB_ALIAS, connections, router
from django.utils.translation import gettext as _

from django_altoviz.models import WebhookEvent, tables

_DUMMY = "django.db.backends.dummy"


def check_databases(**kwargs: Any) -> list[CheckMessage]:
    """Return the settings under which an event may be lost, doubled or processed in another order."""
    alias = router.db_for_write(WebhookEvent)
    return [*_check_autocommit(alias), *_check_isolation(alias), *_check_router(alias)]


def check_tables(databases: Collection[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong with the database itself. It is asked only with ``--database``."""
    alias = router.db_for_write(WebhookEvent)
    if alias not in (databases or ()):
        return []
    return [*_check_session(alias), *_check_tables(alias)]


def check_connections(**kwargs: Any) -> list[CheckMessage]:
    """Return what uses up the database's connections in production (``check --deploy``)."""
    alias = router.db_for_write(WebhookEvent)
    if not getattr(settings, "ASGI_APPLICATION", None) or not _setting(alias, "CONN_MAX_AGE"):
        return []
    return [
        Warning(
            _("Under ASGI, CONN_MAX_AGE of the database “%(alias)s” leaves connections open.")
            % {"alias": alias},
            hint=_(
                "Set it to 0, and pool the connections instead: “pool” in OPTIONS on PostgreSQL, or "
                "PgBouncer. Under ASGI each request has a thread of its own, and with it a connection."
            ),
            id="django_altoviz.W016",
        )
    ]


def _setting(alias: str, name: str) -> Any:
    return connections[alias].settings_dict.get(name)


def _check_autocommit(alias: str) -> Iterator[CheckMessage]:
    if not _setting(alias, "AUTOCOMMIT"):
        yield Error(
            _("AUTOCOMMIT of the database “%(alias)s” is False.") % {"alias": alias},
            hint=_(
                "Remove the setting. Until then, each delivery is answered 503, because an event "
                "must be committed before it is answered."
            ),
            id="django_altoviz.E017",
        )


def _check_isolation(alias: str) -> Iterator[CheckMessage]:
    if connections[alias].vendor == "postgresql":
        level = (_setting(alias, "OPTIONS") or {}).get("isolation_level")
        # An IsolationLevel. A bare number means different levels with psycopg and psycopg2.
        yield from _isolation_warning(alias, getattr(level, "name", "READ_COMMITTED"))


def _isolation_warning(alias: str, name: str) -> Iterator[CheckMessage]:
    level = name.replace("_", " ").upper()
    if level != "READ COMMITTED":
        yield Warning(
            _("The isolation level of the database “%(alias)s” is %(level)s.")
            % {"alias": alias, "level": level},
            hint=_(
                "Use READ COMMITTED, Django's default. With REPEATABLE READ a worker may miss that "
                "another one has the object, and two events of it may run at the same time. With "
                "SERIALIZABLE workers are refused more often."
            ),
            id="django_altoviz.W014",
        )


def _check_router(alias: str) -> Iterator[CheckMessage]:
    engine = _setting(DEFAULT_DB_ALIAS, "ENGINE")
    if alias != DEFAULT_DB_ALIAS and engine and engine != _DUMMY:
        yield Warning(
            _("The events are in the database “%(alias)s”, not in “default”.") % {"alias": alias},
            hint=_(
                "What a receiver writes into another database than that of the events is not undone "
                "if it fails, and is done again at the next attempt. Keep both in one database, or "
                "make these receivers idempotent and silence this warning."
            ),
            id="django_altoviz.W015",
        )


def _check_session(alias: str) -> Iterator[CheckMessage]:
    """Ask PostgreSQL for its default level, which Django keeps if the settings name none."""
    if connections[alias].vendor == "postgresql":
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT current_setting('default_transaction_isolation')")
            (level,) = cursor.fetchone()
        yield from _isolation_warning(alias, level)


def _check_tables(alias: str) -> Iterator[CheckMessage]:
    for name, engine, charset in tables.unfit(alias):
        yield Error(
            _("The table %(name)s has the engine %(engine)s and the character set %(charset)s.")
            % {"name": name, "engine": engine, "charset": charset},
            hint=_(
                "Convert it: ALTER TABLE %(name)s ENGINE = InnoDB, CONVERT TO CHARACTER SET utf8mb4. "
                "Otherwise texts with emoji are refused or altered, or transactions are not kept."
            )
            % {"name": name},
            id="django_altoviz.E018",
        )
