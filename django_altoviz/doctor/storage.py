"""The database: does it answer, has it the tables, does it store, is it set up well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import Error, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _

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
from django_altoviz.samples import new_event_id

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
    yield from findings_of("encoding", _examine_session, visit)


def _examine_migrations(visit: Visit) -> Iterator[Finding]:
    executor = MigrationExecutor(connections[visit.alias])
    targets = executor.loader.graph.leaf_nodes(_APP)
    plan = [f"{app}.{name}" for (app, name) in _own_steps(executor, targets)]
    missing = visit.missing_tables
    cure = _("Run manage.py migrate.")
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
    body = b'{"id": "%s", "type": "Ping", "data": {}}' % new_event_id().encode()
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
    vendor = connections[visit.alias].vendor
    question = _QUESTIONS.get(vendor)
    if question is None:
        return
    with connections[visit.alias].cursor() as cursor:
        cursor.execute(question)
        value = str(cursor.fetchone()[0]).lower()
    about = {"alias": visit.alias, "value": value}
    if vendor == "sqlite" and value not in ("wal", "memory"):
        yield doubtful(
            "journal",
            _("SQLite is not in WAL mode (“%(alias)s”: %(value)s): readers block the writer.")
            % about,
            _('Set "init_command": "PRAGMA journal_mode=WAL;" in OPTIONS of the database.'),
        )
    elif vendor != "sqlite" and value not in ("utf8", "utf8mb4"):
        yield failing(
            "encoding",
            _("The database “%(alias)s” has the encoding %(value)s.") % about,
            _("Use UTF8 on PostgreSQL, and utf8mb4 on MySQL and MariaDB: texts may contain emoji."),
        )
    else:
        yield well("encoding", _("The mode of the database is right: %(value)s.") % about)


_QUESTIONS = {
    "sqlite": "PRAGMA journal_mode",
    "postgresql": "SHOW server_encoding",
    "mysql": "SELECT @@character_set_connection",
}
