"""Find tables of this app that are missing, or can't hold what Altoviz sends."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.apps import apps
from django.db import Error, connections

_LABEL = "django_altoviz"


def names() -> list[str]:
    """Return the names of this app's tables."""
    models = apps.get_app_config(_LABEL).get_models()
    return [model._meta.db_table for model in models if not model._meta.proxy]


def missing(using: str) -> list[str]:
    """Return the tables that the database lacks, or nothing if it does not answer.

    A database to which there is no connection is not asked again, which may take as long as before.
    """
    if connections[using].connection is None:
        return []
    with suppress(Error):
        found = {*connections[using].introspection.table_names()}
        return [name for name in names() if name not in found]
    return []


def unfit(using: str) -> list[tuple[str, str, str]]:
    """Return the tables of MySQL or MariaDB that lose characters or transactions.

    Each with its storage engine and its character set.
    """
    connection: Any = connections[using]
    if connection.vendor != "mysql":
        return []
    tables = names()
    places = ", ".join(["%s"] * len(tables))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT t.table_name, t.engine, c.character_set_name "
            "FROM information_schema.tables t JOIN information_schema.columns c "
            "USING (table_schema, table_name) "
            f"WHERE t.table_schema = DATABASE() AND t.table_name IN ({places}) "  # nosec B608  # only "%s"
            "AND c.character_set_name IS NOT NULL "
            "AND (t.engine <> 'InnoDB' OR c.character_set_name <> 'utf8mb4') "
            "ORDER BY t.table_name",
            tables,
        )
        return [(name, engine, charset) for name, engine, charset in cursor.fetchall()]
