"""The database: does it answer, has it the tables, does it store, is it set up well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_altoviz import checks
from django_altoviz.conf import DEFAULT_ACCOUNT
from django_altoviz.doctor.configuration import findings_of_checks
from django_altoviz.doctor.findings import (
    Finding,
    Visit,
    doubtful,
    failing,
    findings_of,
    skipped,
    well,
)
from django_altoviz.models import WebhookEvent, tables
from django_altoviz.samples import ping_body

_APP = "django_altoviz"


def examine_database(visit: Visit) -> Iterator[Finding]:
    about = {"alias": visit.alias, "error": visit.why_no_database}
    if visit.why_no_database:
        cause = _("The database “%(alias)s” does not answer, or refuses: %(error)s") % about
        cure = _(
            "Start it, or correct its entry in DATABASES: host, name, user, password and OPTIONS."
        )
        yield failing("database", cause, cure)
        yield from findings_of_checks([checks.check_databases], [checks.check_connections])
        return
    yield well("database", _("The database “%(alias)s” answers.") % about)
    yield from findings_of("migrations", _examine_migrations, visit)
    yield from findings_of("storing", _examine_storing, visit)
    yield from findings_of("database checks", _examine_checks, visit)
    yield from findings_of("mode", _examine_session, visit)


def _examine_migrations(visit: Visit) -> Iterator[Finding]:
    executor = MigrationExecutor(connections[visit.alias])
    targets = executor.loader.graph.leaf_nodes(_APP)
    plan = [f"{app}.{name}" for (app, name) in _own_steps(executor, targets)]
    missing = visit.missing_tables
    option = "" if visit.alias == DEFAULT_DB_ALIAS else f" --database {visit.alias}"
    cure = _("Run manage.py migrate%(option)s.") % {"option": option}
    if plan:
        cause = _("Migrations are not applied: %(names)s") % {"names": ", ".join(plan)}
        yield failing("migrations", cause, cure)
    elif missing:
        yield failing(
            "migrations",
            _("Tables are missing, although all migrations are recorded: %(names)s")
            % {"names": ", ".join(missing)},
            _(
                "Does the router of the project send them to another database? Otherwise run "
                "manage.py migrate django_altoviz zero, and then manage.py migrate."
            ),
        )
    else:
        yield well("migrations", _("All migrations are applied."))


def _own_steps(executor: MigrationExecutor, targets: Any) -> list[tuple[str, str]]:
    plan = executor.migration_plan(targets)
    return [(step.app_label, step.name) for step, _backwards in plan if step.app_label == _APP]


def _examine_storing(visit: Visit) -> Iterator[Finding]:
    """Insert an event in a transaction that is rolled back. No signal of the models is sent."""
    if visit.missing_tables or tables.unfit(visit.alias):
        yield skipped("storing", _("The tables are not in order, so nothing was written."))
        return
    body = ping_body()
    event = WebhookEvent.from_delivery(body, DEFAULT_ACCOUNT, {})
    try:
        with transaction.atomic(using=visit.alias):
            WebhookEvent.with_pruned.using(visit.alias).bulk_create([event])
            transaction.set_rollback(True, using=visit.alias)
    except Error as error:
        yield failing(
            "storing",
            _("The database does not store an event: %(error)s") % {"error": error},
            _(
                "Is it read-only, full or locked, or is its user not allowed to write? Until then, "
                "each delivery is answered 503."
            ),
        )
    else:
        yield well("storing", _("An event can be stored; this one was undone."))


def _examine_checks(visit: Visit) -> Iterator[Finding]:
    def check_this() -> Any:
        return checks.check_tables(databases=[visit.alias])

    yield from findings_of_checks([checks.check_databases, check_this], [checks.check_connections])


def _examine_session(visit: Visit) -> Iterator[Finding]:
    connection = connections[visit.alias]
    for question, right, cause, cure in (
        mode for vendor, *mode in _MODES if vendor == connection.vendor
    ):
        with connection.cursor() as cursor:
            cursor.execute(question)
            value = str(cursor.fetchone()[0]).lower()
        about = {"alias": visit.alias, "value": value}
        if value in right:
            yield well("mode", _("The mode of the database is right: %(value)s.") % about)
        else:
            yield doubtful("mode", str(cause) % about, str(cure))


_ENCODING = gettext_lazy("The database “%(alias)s” has the encoding %(value)s.")
#: Of each vendor, the question, the right answers, and what to say of others.
_MODES: list[tuple[str, str, tuple[str, ...], Any, Any]] = [
    (
        "sqlite",
        "PRAGMA journal_mode",
        ("wal", "memory"),
        gettext_lazy(
            "SQLite is not in WAL mode (“%(alias)s”: %(value)s): readers block the writer."
        ),
        gettext_lazy('Set "init_command": "PRAGMA journal_mode=WAL;" in OPTIONS of the database.'),
    ),
    (
        "postgresql",
        "SHOW server_encoding",
        ("utf8",),
        _ENCODING,
        gettext_lazy("Create it with the encoding UTF8: texts may contain any character."),
    ),
    (
        "mysql",
        "SELECT @@character_set_connection",
        ("utf8mb4",),
        _ENCODING,
        gettext_lazy(
            "Set the charset utf8mb4 in OPTIONS of the database: texts may contain emoji."
        ),
    ),
]
