"""Temporary databases of the benchmark: copied from templates, dropped at the end."""

from __future__ import annotations

import os
import shutil
import sqlite3
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.measuring.processes import seconds_of

try:
    import psycopg
except ImportError:  # not needed to measure SQLite
    psycopg = None  # type: ignore[assignment]


def flushes() -> bool:
    """Return True if a commit waits for the disk."""
    return os.environ.get("BENCH_FLUSH", "on") == "on"


class NoServer(Exception):
    """The database server is not available."""


class Database(ABC):
    """Temporary database, empty or copied from another of the same kind."""

    kind: ClassVar[str]

    def __init__(self, name: str, folder: Path) -> None:
        # The name contains the process id, because another benchmark may run at the same time.
        self.name, self.folder = f"bench_{os.getpid()}_{name.replace('-', '_')}", folder

    @property
    def environment(self) -> dict[str, str]:
        return {"BENCH_DATABASE": self.kind, "BENCH_NAME": self.location}

    @property
    @abstractmethod
    def location(self) -> str: ...

    @abstractmethod
    def create(self, template: Database | None = None) -> None: ...

    @abstractmethod
    def drop(self) -> None: ...

    @abstractmethod
    def rows(self, sql: str) -> list[tuple[Any, ...]]: ...

    @abstractmethod
    def execute(self, sql: str) -> None: ...

    def cpu_seconds(self) -> float:
        """Return the CPU time that the server's processes have used for this database."""
        return 0.0

    @abstractmethod
    def settle_down(self) -> None:
        """Do the database's background work now, after many inserts, so it does not disturb."""

    @abstractmethod
    def about(self) -> str:
        """Return the version and the settings that the figures depend on."""


class SQLite(Database):
    kind = "sqlite"

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.sqlite3"

    @property
    def location(self) -> str:
        return str(self.path)

    def create(self, template: Database | None = None) -> None:
        self.drop()
        if isinstance(template, SQLite):
            template.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copyfile(template.path, self.path)

    def drop(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def execute(self, sql: str) -> None:
        self.rows(sql)

    def settle_down(self) -> None:
        self.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def about(self) -> str:
        synchronous = "FULL" if flushes() else "NORMAL"
        return f"SQLite {sqlite3.sqlite_version}, WAL, BEGIN IMMEDIATE, synchronous={synchronous}"


class PostgreSQL(Database):
    kind = "postgres"

    @property
    def location(self) -> str:
        return self.name

    def _connect(self, name: str) -> Any:
        if psycopg is None:
            raise NoServer("psycopg is not installed")
        try:
            return psycopg.connect(
                host=os.environ.get("PGHOST", "127.0.0.1"),
                user=os.environ.get("PGUSER", "postgres"),
                dbname=name,
                autocommit=True,
                connect_timeout=5,
            )
        except psycopg.OperationalError as error:
            raise NoServer(str(error).strip()) from error

    def create(self, template: Database | None = None) -> None:
        self.drop()
        source = f' TEMPLATE "{template.name}"' if template else ""
        with self._connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{self.name}"{source}')

    def drop(self) -> None:
        with self._connect("postgres") as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self._connect(self.name) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def execute(self, sql: str) -> None:
        self.rows(sql)

    def settle_down(self) -> None:
        self.execute("VACUUM ANALYZE")
        self.execute("CHECKPOINT")

    def cpu_seconds(self) -> float:
        with self._connect("postgres") as connection:
            backends = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = %s", [self.name]
            ).fetchall()
        return sum(seconds_of(pid) for (pid,) in backends)

    def about(self) -> str:
        with self._connect("postgres") as connection:
            version, fsync, buffers = (
                connection.execute(f"SHOW {name}").fetchone()[0]
                for name in ("server_version", "fsync", "shared_buffers")
            )
        commit = "on" if flushes() else "off"
        return (
            f"PostgreSQL {version.split()[0]}, fsync={fsync}, synchronous_commit={commit}, "
            f"shared_buffers={buffers}"
        )


KINDS: dict[str, type[Database]] = {kind.kind: kind for kind in (SQLite, PostgreSQL)}
