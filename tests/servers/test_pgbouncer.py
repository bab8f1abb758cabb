"""The commands behind PgBouncer, which gives each transaction another connection of its pool."""

from __future__ import annotations

import io
import os
import shutil
import socket
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from django_altoviz.event_types import EventType
from django_altoviz.models import Customer, Invoice, SyncRun, SyncStep
from tests import processes
from tests.conftest import body_of

# The server's next connection for each transaction, so that nothing of a session is found again.
CONFIGURATION = """
[databases]
* = host={HOST} port={PORT}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
server_round_robin = 1
default_pool_size = 4
ignore_startup_parameters = extra_float_digits
"""

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL"),
    pytest.mark.skipif(not shutil.which("pgbouncer"), reason="needs pgbouncer"),
]


@pytest.fixture
def configuration():
    """Write the files in a folder that PgBouncer can read as another user than root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "pgbouncer.ini"


@pytest.fixture
def pooled(configuration):
    """Connect to the test database through PgBouncer."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    settings = connection.settings_dict
    users = configuration.with_name("users.txt")
    users.write_text('"{USER}" "{PASSWORD}"\n'.format(**settings), "utf-8")
    values = settings | {"PORT": settings["PORT"] or 5432, "port": port, "users": users}
    configuration.write_text(CONFIGURATION.format(**values), "utf-8")
    # It refuses to run as root.
    other_user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with processes.Process(["pgbouncer", "-q", *other_user, str(configuration)]):
        wait_for(port)
        connection.close()
        former = {name: settings[name] for name in ("HOST", "PORT")}
        settings.update(HOST="127.0.0.1", PORT=port)
        try:
            fill_the_pool()
            yield
        finally:
            connection.close()
            settings.update(former)


def wait_for(port):
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < deadline, "PgBouncer does not answer"
            time.sleep(0.05)
        else:
            return


def fill_the_pool():
    """Open several transactions at the same time, and with them connections of the pool."""
    with ExitStack() as stack:
        for _ in range(4):
            other = stack.enter_context(closing(connection.copy()))
            other.set_autocommit(False)
            other.cursor().execute("SELECT 1")
            stack.callback(other.commit)


def test_each_transaction_has_another_connection(pooled):
    """Make sure that the other tests would see a server-side cursor."""
    backends = set()
    for _ in range(8):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            backends.add(cursor.fetchone())
    assert len(backends) > 1


def test_personal_data_are_erased(pooled, post):
    post(EventType.CUSTOMER_UPDATED)
    post(EventType.INVOICE_UPDATED)
    post(body_of("ContactUpdated", id=9))
    out = io.StringIO()
    for entity, id in (("customer", Customer.objects.get().altoviz_id), ("contact", 9)):
        call_command("altoviz_forget", entity, str(id), stdout=out)
    assert out.getvalue().count("Personal data erased") == 2
    assert Invoice.objects.get().customer_name is None


def test_a_sync_finds_what_its_steps_have_read(pooled):
    run = SyncRun.objects.create(entity="customer", is_import=False, as_of=0)
    for number in range(5):
        SyncStep.of(run, 1, [number, number + 100]).save()
    assert SyncStep.seen(run, [3, 4, 5, 103]) == {3, 4, 103}
