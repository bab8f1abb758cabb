"""Databases and settings of databases with which a promise could not be kept."""

from __future__ import annotations

import enum
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import OperationalError, connection, connections
from django.db.models.signals import post_save, pre_save

from django_altoviz import checks
from django_altoviz.models import Contact, Invoice, WebhookEvent, tables
from tests.conftest import body_of, without_table

IsolationLevel = enum.IntEnum("IsolationLevel", "READ_COMMITTED REPEATABLE_READ SERIALIZABLE")
IS = connection.vendor


def ids(messages):
    return [message.id.removeprefix("django_altoviz.") for message in messages]


@pytest.fixture
def database(monkeypatch):
    """Return a function that changes the settings of the default database."""

    def change(vendor=IS, **settings):
        monkeypatch.setattr(connections["default"], "vendor", vendor)
        for name, value in settings.items():
            monkeypatch.setitem(connection.settings_dict, name, value)

    return change


@pytest.mark.django_db(transaction=True)
class TestStaleConnections:
    """The server has closed the connection since the last request, for example at a restart."""

    @pytest.fixture
    def one_failure(self, monkeypatch):
        """Let the next INSERT fail as if the server had closed the connection.

        SQLite has no server, so the backend takes a connection for usable whatever happened.
        """
        failures = [OperationalError("server closed the connection unexpectedly")]

        def run(execute, sql, parameters, many, context):
            if sql.startswith("INSERT") and failures:
                monkeypatch.setattr(connection, "is_usable", lambda: False)
                connection.errors_occurred = True
                raise failures.pop()
            return execute(sql, parameters, many, context)

        with connection.execute_wrapper(run):
            yield

    def test_the_first_delivery_after_a_restart_is_stored(self, post, one_failure):
        assert post(body_of("CustomerCreated")).json()["status"] == "stored"
        assert WebhookEvent.objects.get().deliveries == 1

    @pytest.mark.skipif(IS == "sqlite", reason="SQLite has no server that closes connections")
    @pytest.mark.parametrize("is_known", [False, True])
    def test_a_connection_that_the_server_has_killed_is_replaced(self, post, is_known):
        body = body_of("CustomerCreated")
        if is_known:
            post(body)
        kill(connection)
        assert post(body).json()["status"] == ("known" if is_known else "stored")
        assert WebhookEvent.objects.get().deliveries == (2 if is_known else 1)

    def test_any_other_failure_is_not_tried_twice(self, post):
        tries = []

        def refuse(sender, **kwargs):
            tries.append(sender)
            raise OperationalError("disk full")

        pre_save.connect(refuse, sender=WebhookEvent)
        try:
            assert post(body_of("CustomerCreated")).status_code == 503
        finally:
            pre_save.disconnect(refuse, sender=WebhookEvent)
        assert len(tries) == 1

    def test_a_database_that_does_not_answer_is_asked_once(self, post, monkeypatch):
        tries = []

        def connect():
            tries.append(1)
            raise OperationalError("connection refused")

        connection.close()
        monkeypatch.setattr(connection, "connect", connect)
        assert post(body_of("CustomerCreated")).status_code == 503
        monkeypatch.undo()
        assert len(tries) == 1


def kill(connection):
    connection.ensure_connection()
    other = connection.copy()
    with other.cursor() as cursor:
        if connection.vendor == "postgresql":
            pid = connection.connection.info.backend_pid
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
        else:
            cursor.execute(f"KILL {connection.connection.thread_id()}")
    other.close()


@pytest.mark.django_db(transaction=True)
class TestNothingIsAnsweredThatIsNotStored:
    def test_without_autocommit_a_delivery_is_answered_503(self, post, caplog, database):
        connection.close()
        database(AUTOCOMMIT=False)
        try:
            answer = post(body_of("CustomerCreated"))
        finally:
            connection.close()
        assert (answer.status_code, answer.json()) == (503, {"error": "not configured"})
        assert '["AUTOCOMMIT"] is False' in caplog.text

    def test_missing_tables_are_named_with_the_cure(self, post, caplog):
        with without_table(WebhookEvent):
            answer = post(body_of("CustomerCreated"))
        assert (answer.status_code, answer.json()) == (503, {"error": "not stored"})
        table = WebhookEvent._meta.db_table
        assert f"tables are missing, run migrate: ['{table}']" in caplog.text

    def test_a_database_that_answers_no_more_has_no_missing_tables(self, monkeypatch):
        def fail():
            raise OperationalError("server closed the connection unexpectedly")

        connection.ensure_connection()
        monkeypatch.setattr(connection.introspection, "table_names", fail)
        assert tables.missing("default") == []

    @pytest.mark.parametrize("error", [SystemExit(1), GeneratorExit(), BaseException("x")])
    def test_a_receiver_of_post_save_that_ends_the_process_is_answered_503(self, post, error):
        def end(sender, **kwargs):
            raise error

        post_save.connect(end, sender=WebhookEvent)
        try:
            assert post(body_of("CustomerCreated")).status_code == 503
        finally:
            post_save.disconnect(end, sender=WebhookEvent)


class TestChecks:
    def test_good_settings_have_no_messages(self):
        assert checks.check_databases() == []
        assert checks.check_connections() == []
        assert checks.check_tables(databases=None) == []

    def test_autocommit_must_be_on(self, database):
        database(AUTOCOMMIT=False)
        assert ids(checks.check_databases()) == ["E017"]
        with pytest.raises(SystemCheckError, match="answered 503"):
            call_command("check", "django_altoviz")

    @pytest.mark.parametrize(
        ("vendor", "options", "expected"),
        [
            ("postgresql", {}, []),
            ("postgresql", {"isolation_level": IsolationLevel.READ_COMMITTED}, []),
            ("postgresql", {"isolation_level": IsolationLevel.REPEATABLE_READ}, ["W014"]),
            ("postgresql", {"isolation_level": IsolationLevel.SERIALIZABLE}, ["W014"]),
            ("postgresql", {"isolation_level": 2}, []),
            ("mysql", {"isolation_level": "repeatable read"}, []),
        ],
    )
    def test_the_isolation_level_must_be_read_committed(self, database, vendor, options, expected):
        database(vendor, OPTIONS=options)
        assert ids(checks.check_databases()) == expected

    def test_events_and_receivers_belong_into_one_database(self, settings, monkeypatch):
        settings.DATABASE_ROUTERS = [SimpleNamespace(db_for_write=lambda model, **hints: "other")]
        known = {"default": connection, "other": connection}
        monkeypatch.setattr(checks.databases, "connections", known)
        assert ids(checks.check_databases()) == ["W015"]
        monkeypatch.setitem(connection.settings_dict, "ENGINE", "django.db.backends.dummy")
        assert checks.check_databases() == []

    def test_connections_are_not_kept_open_under_asgi(self, settings, database):
        database(CONN_MAX_AGE=600)
        assert checks.check_connections() == []
        settings.ASGI_APPLICATION = "shop.asgi.application"
        assert ids(checks.check_connections()) == ["W016"]
        database(CONN_MAX_AGE=0)
        assert checks.check_connections() == []


@pytest.mark.django_db(transaction=True)
class TestChecksOfTheDatabase:
    def check(self):
        return ids(checks.check_tables(databases=["default"]))

    def test_a_good_database_has_no_messages(self):
        assert self.check() == []

    @pytest.mark.skipif(
        IS != "postgresql", reason="only PostgreSQL has default_transaction_isolation"
    )
    def test_postgresql_may_have_another_default_level(self):
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_isolation = 'repeatable read'")
        try:
            assert self.check() == ["W014"]
        finally:
            connection.close()

    @pytest.mark.skipif(
        IS != "mysql", reason="only MariaDB has character sets and engines per table"
    )
    @pytest.mark.parametrize("change", ["CONVERT TO CHARACTER SET utf8mb3", "ENGINE = Aria"])
    def test_mariadb_must_keep_characters_and_transactions(self, change):
        table = Contact._meta.db_table  # nothing refers to it
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE kept LIKE {table}")
            cursor.execute(f"ALTER TABLE {table} {change}")
            try:
                assert self.check() == ["E018"]
            finally:
                cursor.execute(f"DROP TABLE {table}")
                cursor.execute(f"RENAME TABLE kept TO {table}")

    @pytest.mark.skipif(IS != "sqlite", reason="the test imitates the other databases on SQLite")
    def test_what_the_other_databases_say_is_read(self, database):
        raw = connection.connection or connection.ensure_connection() or connection.connection
        raw.create_function("current_setting", 1, lambda name: "serializable")
        raw.create_function("DATABASE", 0, lambda: "shop")
        table = Invoice._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute("ATTACH ':memory:' AS information_schema")
            cursor.execute(
                "CREATE TABLE information_schema.tables (table_schema, table_name, engine)"
            )
            cursor.execute(
                "CREATE TABLE information_schema.columns "
                "(table_schema, table_name, character_set_name)"
            )
            cursor.execute("INSERT INTO tables VALUES ('shop', %s, 'InnoDB')", [table])
            cursor.execute("INSERT INTO columns VALUES ('shop', %s, 'utf8mb3')", [table])
        database("postgresql")
        assert self.check() == ["W014"]
        database("mysql")
        assert tables.unfit("default") == [(table, "InnoDB", "utf8mb3")]
        assert self.check() == ["E018"]
        database("sqlite")
        connection.close()
