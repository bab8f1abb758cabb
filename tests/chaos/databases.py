"""Databases of the chaos suite: create, disturb and drop them."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAME = f"altoviz_chaos_{os.getpid()}"


class SQLite:
    """SQLite. Its connections can only be broken by killing their processes."""

    def __init__(self, directory: Path) -> None:
        self.environment = {
            "CHAOS_ENGINE": "sqlite",
            "CHAOS_DATABASE": str(directory / "chaos.sqlite3"),
        }

    def break_connections(self, chance: random.Random) -> int:
        return 0


class _Server:
    engine: str

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.environment = {"CHAOS_ENGINE": self.engine, "CHAOS_DATABASE": NAME}

    def execute(self, statement: str) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def break_connections(self, chance: random.Random) -> int:
        """Break each connection to the database with a chance of 0.7. Return how many."""
        victims = [pid for (pid,) in self.execute(self.list_connections) if chance.random() < 0.7]
        for pid in victims:
            with contextlib.suppress(Exception):  # it may have ended meanwhile
                self.execute(self.break_connection.format(pid))
        return len(victims)

    list_connections: str
    break_connection: str


class PostgreSQL(_Server):
    engine = "postgres"
    list_connections = f"SELECT pid FROM pg_stat_activity WHERE datname = '{NAME}'"
    break_connection = "SELECT pg_terminate_backend({})"


class MariaDB(_Server):
    engine = "mariadb"
    list_connections = f"SELECT id FROM information_schema.processlist WHERE db = '{NAME}'"
    break_connection = "KILL {}"


@contextlib.contextmanager
def sqlite(directory: Path) -> Iterator[SQLite]:
    yield SQLite(directory)


@contextlib.contextmanager
def postgres(directory: Path) -> Iterator[PostgreSQL]:
    import psycopg  # only installed if the suite runs on PostgreSQL

    with psycopg.connect(
        host=os.environ.get("PGHOST", "127.0.0.1"),
        port=os.environ.get("PGPORT", "5432"),
        user=os.environ.get("PGUSER", "postgres"),
        password=os.environ.get("PGPASSWORD", ""),
        dbname="postgres",
        autocommit=True,
    ) as connection:
        connection.execute(f"CREATE DATABASE {NAME}")
        try:
            yield PostgreSQL(connection)
        finally:
            connection.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


@contextlib.contextmanager
def mariadb(directory: Path) -> Iterator[MariaDB]:
    import MySQLdb

    with contextlib.closing(
        MySQLdb.connect(
            host=os.environ.get("MYSQL_HOST", "127.0.0.1"),
            port=int(os.environ.get("MYSQL_TCP_PORT", "3306")),
            user=os.environ.get("MYSQL_USER", "root"),
            password=os.environ.get("MYSQL_PASSWORD", ""),
        )
    ) as connection:
        server = MariaDB(connection)
        server.execute(f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4")
        try:
            yield server
        finally:
            server.execute(f"DROP DATABASE {NAME}")
